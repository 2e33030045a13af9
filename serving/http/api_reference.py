"""The server on a page: `python -m serving.http.api_reference > docs/api.md`."""

from __future__ import annotations

import json
from collections.abc import Iterable

from serving.access.scopes import PURPOSE, SCOPES, Kind
from serving.http.openapi import TAGS
from serving.http.problems import FAILURES
from serving.http.route import Route, opens, scopes_of
from serving.http.routes import ROUTES
from serving.settings import SETTINGS


def markdown() -> str:
    """The routes, the problems and the settings: `docs/api.md`."""
    lines = [
        "# The server",
        "",
        "<!-- Generated: python -m serving.http.api_reference > docs/api.md -->",
        "",
        "`waypost serve` answers on http://localhost:3000. The page `/docs` shows the same with examples of every",
        "answer, and `/openapi.json` is the OpenAPI 3.1 document. Every answer about customers has `as_of`, the moment",
        "that it is about, and `model`, the version of the bundle and the fingerprint of the features.",
        "",
        "Each route but the open ones needs a key ([which, and how to make them](howto/keys.md)). The first start",
        "of the server makes one, with which all examples run: `KEY=$(cat data/first-key.txt)`.",
        "",
        "## Routes",
        "",
    ]
    for tag, text in TAGS.items():
        lines += [f"### {text.rstrip('.')}", ""]
        for route in ROUTES:
            if route.tag == tag:
                lines += _route(route)
    lines += ["## Who may call what", "", *_who(), ""]
    lines += ["## Problems", "", *_problems(), "", "## Settings", "", *_settings()]
    return "\n".join(lines) + "\n"


def _route(route: Route) -> Iterable[str]:
    stop = "" if route.summary.endswith("?") else "."
    yield from (f"**`{route.method} {route.path}`** {route.summary}{stop} {route.description}{_scope(route)}", "")
    if route.examples:
        example = json.dumps(next(iter(route.examples.values())), ensure_ascii=False)
        key = "" if route.scope == "open" else '-u "$KEY:" '
        yield from (
            "```sh",
            f"curl -s {key}localhost:3000{route.path} -H 'Content-Type: application/json' -d '{example}'",
            "```",
            "",
        )


def _scope(route: Route) -> str:
    return " Open." if route.scope == "open" else f" Needs a key of {scopes_of(route)}."


def scope_table() -> list[str]:
    """What each scope of a key opens, and who holds it: for the page about keys."""
    names: dict[Kind, str] = {"session": "session", "visitor": "visitor's token"}
    lines = ["| scope | opens | who holds it |", "| --- | --- | --- |"]
    return [*lines, *(f"| {names.get(kind, f'`{kind}`')} | {what} | {who} |" for kind, (what, who) in PURPOSE.items())]


def _who() -> Iterable[str]:
    yield "Made from the table that the server uses. A session is what a browser holds after `/login`; a visitor's"
    yield "token is valid for the one customer it names. From pages of other origins only keys of the scope `write` and"
    yield "visitors' tokens are accepted."
    kinds: tuple[Kind, ...] = (*(scope for scope in SCOPES if scope != "sign"), "session", "visitor")
    yield from ("", f"| route | nobody | {' | '.join(kinds)} |", f"| --- | --- |{' --- |' * len(kinds)}")
    for route in ROUTES:
        marks = " | ".join("yes" if opens(kind, route) else "" for kind in kinds)
        yield f"| `{route.method} {route.path}` | {'yes' if route.scope == 'open' else ''} | {marks} |"


def _problems() -> Iterable[str]:
    yield "A request that cannot be answered gets an RFC 9457 problem (`application/problem+json`) with `type`,"
    yield "`title`, `status`, `detail`, `instance`, `code`, `errors` (each with `pointer`, `code` and `detail`) and"
    yield "`request_id`."
    yield from ("", "| code | status | meaning |", "| --- | --- | --- |")
    for code, failure in FAILURES.items():
        yield f"| `{code}` | {failure.status} | {failure.title}. {failure.doc} |"


def _settings() -> Iterable[str]:
    yield from ("| variable | default | meaning |", "| --- | --- | --- |")
    for setting in SETTINGS:
        yield f"| `{setting.name}` | `{setting.default}` | {setting.doc} |"


if __name__ == "__main__":
    print(markdown(), end="")
