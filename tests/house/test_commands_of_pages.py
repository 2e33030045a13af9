"""Whoever types what a page says gets what it says: commands, options, variables, routes and bodies exist."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import jsonschema  # type: ignore[import-untyped]
from typer.exceptions import TyperException
from typer.main import get_command

from serving.http.openapi import document
from serving.http.routes import ROUTES
from tests.house.test_pages import pages
from tests.house.tree import ROOMS, ROOT, python_files
from waypost import app

BLOCK = re.compile(r"^```(?:sh|console)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
VARIABLE = re.compile(r"\bWAYPOST_[A-Z]+(?:_[A-Z]+)*\b")
ADDRESS = re.compile(r"(https?://)?(localhost|127\.0\.0\.1|\[::1\]|[\w.-]+\.example)")
OF_TESTS = {"WAYPOST_SHARED_DATA", "WAYPOST_TEST_BROWSER", "WAYPOST_TEST_NODE", "WAYPOST_TEST_POSTGRES"}
"""Variables that the tests read, and CONTRIBUTING.md is about."""

OF_COMPOSE = {"WAYPOST_DB_PASSWORD"}
"""Variables that only the compose file of the page on containers reads."""


class Line(NamedTuple):
    """A command on a page; `whole` is one that stands in a block to be pasted, not in the middle of a sentence."""

    page: str
    words: list[str]
    whole: bool


@cache
def lines(program: str) -> list[Line]:
    """Every command of the pages that runs a program."""
    found = []
    for page, text in pages().items():
        for block in BLOCK.findall(text):
            for line in block.replace("\\\n", " ").splitlines():
                found += [Line(page, words, True) for words in commands(line) if program in words[:1]]
        for span in SPAN.findall(BLOCK.sub("", text)):
            found += [Line(page, words, False) for words in commands(span) if program in words[:1]]
    return found


def commands(line: str) -> Iterator[list[str]]:
    """The commands of a line of shell, apart from the variables before them and what comes after a pipe or `>`."""
    try:
        words = list(shlex.shlex(line, posix=True, punctuation_chars="|&;<>"))
        words = shlex.split(line, comments=True) if not set("|&;<>") & set("".join(words)) else words
    except ValueError:
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("|&;<>"):
            if command:
                yield command
            command = []
        elif command or not re.fullmatch(r"[A-Z_]+=.*", word):
            command.append(word)


def test_there_is_something_to_follow() -> None:
    assert len(lines("waypost")) > 80 and len(lines("curl")) > 15 and len(lines("python")) > 15


def test_a_waypost_command_exists_with_its_options() -> None:
    assert faults("waypost", _of_waypost) == []


def test_a_call_is_of_a_route_with_a_body_that_it_takes() -> None:
    assert faults("curl", _of_the_api) == []


def test_a_module_exists_with_its_options() -> None:
    assert faults("python", _of_a_module) == []


def faults(program: str, check: Callable[[Line], str]) -> list[str]:
    """What is wrong with the commands of a program, wherever they stand."""
    found = ((line, check(line)) for line in lines(program))
    return [f"{line.page}: {shlex.join(line.words)}: {fault}" for line, fault in found if fault]


def _of_waypost(line: Line) -> str:
    command: Any = command_line()
    words = line.words[1:]
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            named = words[0].startswith("-") or words[0].isupper()
            return "" if named and not line.whole else f"waypost has no {words[0]}"
        command = command.commands[words.pop(0)]
    if not line.whole:
        known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
        strange = {word.partition("=")[0] for word in words if word.startswith("-")} - known
        return f"there is no {', '.join(strange)}" if strange else ""
    try:
        command.make_context(command.name, words)
    except TyperException as error:
        return str(error)
    return ""


@cache
def command_line() -> Any:
    """The command line as it is parsed."""
    return get_command(app)


def _of_a_module(line: Line) -> str:
    if line.words[1:2] != ["-m"] or line.words[2].split(".")[0] not in {*ROOMS, "benchmarks", "tests"}:
        return ""
    module, *words = line.words[2:]
    path = ROOT / module.replace(".", "/")
    files = [path.with_suffix(".py")] if path.with_suffix(".py").exists() else sorted(path.glob("*.py"))
    text = "".join(each.read_text(encoding="utf-8") for each in files)
    strange = [word for word in words if word.startswith("--") and f'"{word.partition("=")[0]}"' not in text]
    return "there is no such module" if not files else f"there is no {', '.join(strange)}" if strange else ""


def _of_the_api(line: Line) -> str:
    (address,) = (word for word in line.words if ADDRESS.match(word))
    parts = urlsplit(address if "//" in address else f"//{address}")
    bodies = [body for option, body in pairwise(line.words) if option in ("-d", "--data", "--data-binary", "--json")]
    methods = [method for option, method in pairwise(line.words) if option in ("-X", "--request")]
    method = methods[0] if methods else "POST" if bodies else "GET"
    if parts.path in ("/livez", "/readyz", "/metrics"):
        return ""
    found = operation(method, parts.path)
    if found is None:
        return f"no route {method} {parts.path}"
    known = {each["name"] for each in found.get("parameters", ()) if each["in"] == "query"} | {"api_secret"}
    if strange := parse_qs(parts.query).keys() - known:
        return f"there is no parameter {', '.join(strange)}"
    for body in bodies:
        if not body.startswith("@"):
            schema = found["requestBody"]["content"]["application/json"]["schema"]
            wrong = jsonschema.Draft202012Validator({**schema, "components": description()["components"]})
            if error := next(wrong.iter_errors(json.loads(body)), None):
                return str(error.message)
    return ""


def test_every_variable_of_the_code_is_on_a_page_and_the_other_way_round() -> None:
    code = set[str]()
    for path in python_files(*ROOMS, "waypost"):
        code.update(VARIABLE.findall(path.read_text(encoding="utf-8")))
    written = set[str]()
    for text in pages().values():
        written.update(VARIABLE.findall(text))
    assert written - OF_TESTS - OF_COMPOSE == code


@cache
def description() -> dict[str, Any]:
    """The API's own description."""
    return document(ROUTES)


def operation(method: str, path: str) -> dict[str, Any] | None:
    """What is described of a method and a path."""
    for pattern, by_method in description()["paths"].items():
        if re.fullmatch(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(pattern)), path) and method.lower() in by_method:
            found: dict[str, Any] = by_method[method.lower()]
            return found
    return None
