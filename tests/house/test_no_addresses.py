"""A clone works on any machine: nothing in it names a package registry or a path of one machine."""

import re
from pathlib import Path

from tests.house.tree import ROOT, files_of_a_clone, name_of

REGISTRY = re.compile(
    r"index[-_]url|find[-_]links|pypi[.]org|pythonhosted[.]org|npmjs[.]org"
    r"|registry *= *\"?https?:|\"resolved\": *\"https?:",
    re.IGNORECASE,
)
HOME = re.compile(r"(?<![\w.~>-])/(?:root|Users/\w+|home/(?!bentoml)\w+)/")


def lines_matching(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """Each matching line of the text files among `paths`, as `file:line: text`."""
    found = []
    for path in paths:
        content = path.read_bytes()
        if b"\0" in content or path == Path(__file__):
            continue
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{name_of(path)}:{number}: {line.strip()[:120]}")
    return found


def test_no_file_names_a_package_registry() -> None:
    assert lines_matching(REGISTRY, files_of_a_clone()) == []


def test_no_file_names_a_path_of_this_machine() -> None:
    here = re.compile(rf"(?<![\w.~>-]){re.escape(ROOT.as_posix())}/")
    paths = files_of_a_clone()
    assert lines_matching(here, paths) == []
    assert lines_matching(HOME, paths) == []


def test_the_patterns_see_what_they_are_for() -> None:
    assert REGISTRY.search("-".join(("--extra", "index", "url x")))
    assert HOME.search("see /home/" + "someone/notes")
    assert not HOME.search("GET /v1/home/page")
