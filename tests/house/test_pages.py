"""What the pages promise exists: links lead somewhere, commands are there, decisions are numbered and dated."""

import re

from tests.house.tree import ROOT, files_of_a_clone, name_of

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\]\(([^)#\s:]*)#([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
MAKE = re.compile(r"(?:`|^)make (?!-)([a-z]+)\b", re.MULTILINE)


def pages() -> dict[str, str]:
    """The text of every Markdown page, by its path."""
    return {name_of(path): path.read_text(encoding="utf-8") for path in files_of_a_clone() if path.suffix == ".md"}


def test_every_link_leads_to_a_file() -> None:
    broken = [
        f"{name}: {target}"
        for name, text in pages().items()
        for target in LINK.findall(text)
        if not ((ROOT / name).parent / target).exists()
    ]
    assert broken == []


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in addresses, as GitHub makes them: the second of a name has a number."""
    found = dict[str, int]()
    named = set[str]()
    for heading in HEADING.findall(FENCED.sub("", text)):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        named.add(f"{anchor}-{found[anchor]}" if anchor in found else anchor)
        found[anchor] = found.get(anchor, 0) + 1
    return named


def test_anchors_are_those_of_github() -> None:
    page = (
        "# Who: *may* `call_what`?\n## Twice\n```sh\n# a comment\n```\n## [Twice](x.md#y)\n### Visitors' tokens, P-95\n"
    )
    assert anchors(page) == {"who-may-call_what", "twice", "twice-1", "visitors-tokens-p-95"}


def page_of(name: str, target: str) -> str:
    """The page that a link leads to; the page that it stands on when it names none."""
    return name_of((ROOT / name).parent.joinpath(target).resolve()) if target else name


def test_every_link_to_a_heading_finds_it() -> None:
    texts = pages()
    links = [(name, *found) for name, text in texts.items() for found in ANCHOR.findall(text)]
    broken = [
        f"{name}: {target}#{anchor}"
        for name, target, anchor in links
        if anchor not in anchors(texts.get(page_of(name, target), ""))
    ]
    assert len(links) > 20
    assert broken == []


def test_every_make_command_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {f"{name}: make {each}" for name, text in pages().items() for each in MAKE.findall(text)}
    assert {each for each in named if each.split()[-1] not in commands} == set()


def test_decisions_are_numbered_dated_and_titled_alike() -> None:
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    for number, path in enumerate(decisions, start=1):
        title, empty, status = path.read_text(encoding="utf-8").splitlines()[:3]
        assert path.name.startswith(f"{number:04}-")
        assert title.startswith(f"# {number}. ")
        assert empty == ""
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2} · (accepted|replaced by \d{4})", status), f"{path.name}: {status}"
