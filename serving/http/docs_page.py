"""The API on a page: every route with its examples, and every problem."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serving.http.openapi import DESCRIPTION, TAGS
from serving.http.problems import FAILURES
from serving.http.route import Route, scopes_of
from serving.web.page import render


@dataclass(frozen=True)
class Operation:
    """A route as the page shows it: `command` sends its first example, `answer` is the response; both may be empty."""

    route: Route
    description: str
    parameters: Sequence[tuple[str, str]]
    command: str
    answer: str
    failures: Sequence[str]


def docs_page(routes: Sequence[Route]) -> str:
    """The page of all `routes`."""
    groups = [
        (name, text.rstrip("."), [_operation(route) for route in routes if route.tag == name])
        for name, text in TAGS.items()
    ]
    return render("docs.html", description=DESCRIPTION, groups=groups, failures=FAILURES)


def _operation(route: Route) -> Operation:
    needed = "" if route.scope == "open" else f" Needs a key of {scopes_of(route)}."
    example = route.answer_example
    return Operation(
        route,
        route.description + needed,
        _parameters(route),
        _command(route),
        "" if example is None else json.dumps(example, indent=2, ensure_ascii=False),
        route.failures,
    )


def _parameters(route: Route) -> list[tuple[str, str]]:
    """The names and descriptions of the parameters, those in the path first."""
    named = [(name, text) for name, (text, _) in route.path_parameters.items()]
    if route.query:
        fields = route.query.model_json_schema()["properties"]
        named += [(f"?{name}=", _with_default(field)) for name, field in fields.items()]
    return named


def _with_default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return str(field["description"]) + (f" By default {default}." if default is not None else "")


def _command(route: Route) -> str:
    """A command line that sends the first example; empty for routes that are not for programs."""
    if not route.path.startswith("/v1/"):
        return ""
    path, key = route.path, "" if route.scope == "open" else '-u "$KEY:" '
    for name, (_, example) in route.path_parameters.items():
        path = path.replace(f"{{{name}}}", example)
    if not route.examples:
        return (
            f"curl {key}localhost:3000{path}"
            if route.method == "GET"
            else f"curl {key}-X {route.method} localhost:3000{path}"
        )
    example = json.dumps(next(iter(route.examples.values())), ensure_ascii=False)
    return f"curl {key}localhost:3000{path} \\\n  -H 'Content-Type: application/json' \\\n  -d '{example}'"
