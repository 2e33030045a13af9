"""Every locked package may be used by a work under Apache-2.0: its licence is on this list, or named with a reason."""

import re
from collections.abc import Collection
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import pytest
from packaging.utils import canonicalize_name

from tests.house.tree import ROOT

PERMISSIVE = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear"),
    *("CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "PostgreSQL", "PSF-2.0", "Python-2.0", "Zlib"),
}
"""SPDX names of licences that ask for no more than to be named."""

OTHERWISE_CALLED = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What packages from before SPDX say; of the licences called BSD all do."""

NAMED = {
    "psycopg": ("LGPL-3.0-only", "imported as the library it is, unchanged, and replaceable by whoever installs it"),
    "psycopg-binary": ("LGPL-3.0-only", "the compiled half of psycopg, which is used the same way"),
    "certifi": ("MPL-2.0", "a list of certificates; the licence is of its files alone, and none is changed"),
    "hypothesis": ("MPL-2.0", "runs the tests, and is no part of what is installed to serve or to train"),
    "pathspec": ("MPL-2.0", "the licence is of its files alone, and none is changed"),
    "tqdm": ("MPL-2.0", "the licence is of its files alone, and none is changed"),
}
"""Packages under another licence: which, and why they may be used."""

SILENT = {"axe-playwright-python": "MIT", "huey": "MIT", "skops": "MIT"}
"""Packages whose metadata says nothing, and what the licence in their files is."""

TEXTS = {"MIT": "Permission is hereby granted, free of charge"}


def locked() -> list[str]:
    """The packages of all locks."""
    text = "".join((ROOT / "locks" / name).read_text(encoding="utf-8") for name in ("dev.txt", "installer.txt"))
    return sorted(set(re.findall(r"^([a-z0-9][a-z0-9.-]*)==", text, re.MULTILINE)))


def told(package: Distribution) -> str:
    """What a package says of its licence: an expression, else its classifiers, else the first line of a free text."""

    def field(name: str) -> list[str]:
        return [str(each) for each in package.metadata.get_all(name, ())]

    classifiers = [line for line in field("Classifier") if line.startswith("License :: OSI Approved ::")]
    names = [line.rpartition("::")[2].strip() for line in classifiers]
    free = "".join(field("License")).strip().partition("\n")[0]
    return "".join(field("License-Expression")) or " OR ".join(names) or free


def refused(expression: str, allowed: Collection[str]) -> list[str]:
    """The licences of an expression that bind and are not allowed: of each that are joined by OR, one may be chosen."""
    choices = []
    for choice in expression.split(" OR "):
        parts = [OTHERWISE_CALLED.get(part, part.strip("()")) for part in choice.split(" AND ")]
        choices.append([part for part in parts if part not in allowed])
    return min(choices, key=len)


@pytest.mark.parametrize("name", locked())
def test_a_locked_package_may_be_used(name: str) -> None:
    try:
        package = distribution(name)
    except PackageNotFoundError:
        pytest.skip("not installed on this system and this Python")
    expression = told(package)
    if name in SILENT:
        assert expression == "", f"{name} says {expression!r} by now; take it out of SILENT"
        files = [file for file in package.files or () if "licen" in str(file).lower()]
        assert any(TEXTS[SILENT[name]] in file.read_text(encoding="utf-8") for file in files)
        return
    assert expression, f"{name} says nothing of its licence; read its files, and name it in SILENT or leave it out"
    own, why = NAMED.get(name, ("", "nothing"))
    wrong = refused(expression, PERMISSIVE | {own})
    assert not wrong, f"{name} is under {expression}, which is not on the list; leave it out, or name it with a reason"
    assert not own or (refused(expression, PERMISSIVE) == [own] and why), f"{name} is under {expression} by now"


def test_what_is_named_is_locked() -> None:
    assert {*NAMED, *SILENT} <= {str(canonicalize_name(name)) for name in locked()}


def test_an_expression_binds_as_it_says() -> None:
    assert refused("Apache-2.0 OR GPL-3.0-only", PERMISSIVE) == []
    assert refused("MIT AND GPL-3.0-only", PERMISSIVE) == ["GPL-3.0-only"]
    assert refused("(MIT AND Zlib) OR LGPL-3.0-only", PERMISSIVE) == []
    assert refused("Proprietary", PERMISSIVE) == ["Proprietary"]
