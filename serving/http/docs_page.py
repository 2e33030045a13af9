"""The API on a page: every route with its examples, and every problem."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from serving.http.openapi import DESCRIPTION, TAGS
from serving.http.problems import FAILURES
from serving.http.route import Route, scopes_of
from serving.web.markup import Html, join, prose, tag
from serving.web.page import frame, intro, link, scrolled, section


def docs_page(routes: Sequence[Route]) -> str:
    """The page over the table of routes."""
    groups = [
        section(tag_name, text.rstrip("."), *(_operation(route) for route in routes if route.tag == tag_name))
        for tag_name, text in TAGS.items()
    ]
    aside = tag("p", "The same for programs: ", tag("a", "OpenAPI 3.1", href=link("/openapi.json")))
    return frame("API", intro("API", prose(DESCRIPTION)), *groups, _problems(), active="/docs", aside=aside)


def _operation(route: Route) -> Html:
    codes = [tag("a", tag("code", f"{FAILURES[code].status} {code}"), href=f"#{code}") for code in route.failures]
    needed = "" if route.scope == "open" else f" Needs a key of {scopes_of(route)}."
    heading = tag(
        "h3",
        tag("span", route.method, cls=f"method {route.method.lower()}"),
        tag("code", route.path),
        tag("span", route.summary, cls="what"),
    )
    return tag(
        "article",
        heading,
        tag("p", prose(route.description + needed)),
        _parameters(route),
        _examples(route, join(tag("h4", "Problems"), tag("p", *codes, cls="codes")) if codes else Html()),
        cls="operation",
        id=route.name,
    )


def _parameters(route: Route) -> Html:
    named = [(name, text) for name, (text, _) in route.path_parameters.items()]
    if route.query:
        fields = route.query.model_json_schema()["properties"]
        named += [(f"?{name}=", _with_default(field)) for name, field in fields.items()]
    if not named:
        return Html()
    rows = [tag("tr", tag("th", tag("code", name), scope="row"), tag("td", prose(text))) for name, text in named]
    return join(tag("h4", "Parameters"), tag("table", tag("tbody", *rows), cls="parameters"))


def _with_default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return str(field["description"]) + (f" By default {default}." if default is not None else "")


def _examples(route: Route, problems: Html) -> Html:
    """How to ask and what can go wrong, and beside them the answer."""
    command = _command(route)
    asked = join(_example("Ask", command) if command else "", problems)
    if route.answer_example is None:
        return asked
    answer = json.dumps(route.answer_example, indent=2, ensure_ascii=False)
    return tag("div", tag("div", asked), tag("div", _example("Answer", answer)), cls="columns")


def _example(title: str, text: str) -> Html:
    return join(tag("h4", title), tag("pre", tag("code", text), tabindex=0))


def _command(route: Route) -> str:
    """A command line that asks the first example; empty for what is not asked from programs."""
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


def _problems() -> Html:
    head = tag("tr", *(tag("th", name, scope="col") for name in ("Code", "Status", "Meaning")))
    rows = [
        tag(
            "tr",
            tag("th", tag("code", code), scope="row"),
            tag("td", str(failure.status)),
            tag("td", f"{failure.title}. ", prose(failure.doc), prose(" With `Retry-After`.") if failure.retry else ""),
            id=code,
        )
        for code, failure in FAILURES.items()
    ]
    table = tag("table", tag("thead", head), tag("tbody", *rows), cls="problems")
    return section("problems", "Problems", scrolled(table, "Table of problems"))
