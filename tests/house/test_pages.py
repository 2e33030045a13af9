"""What the pages promise exists: links lead somewhere, commands are there, decisions are numbered and dated."""

import re

from tests.house.tree import ROOT, files_of_a_clone, name_of

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
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
