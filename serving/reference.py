"""The server on a page: `python -m serving.reference > docs/api.md`."""

from __future__ import annotations

import json
from collections.abc import Iterable

from serving.openapi import TAGS
from serving.problems import FAILURES
from serving.route import Route
from serving.routes import ROUTES
from serving.settings import SETTINGS


def markdown() -> str:
    """The routes, the problems and the settings: `docs/api.md`."""
    lines = [
        "# The server",
        "",
        "<!-- Generated: python -m serving.reference > docs/api.md -->",
        "",
        "`waypost serve` answers on http://localhost:3000. The page `/docs` shows the same with examples of every",
        "answer, and `/openapi.json` is the OpenAPI 3.1 document. Every answer about customers carries `as_of`, the",
        "moment it speaks of, and `model`, the version of the bundle and the fingerprint of the features.",
        "",
        "Once there are keys ([how to make them](howto/keys.md)), each route but the open ones needs one of its scope,",
        'or of `admin`; the examples leave out `-u "$KEY:"`.',
        "",
        "## Routes",
        "",
    ]
    for tag, text in TAGS.items():
        lines += [f"### {text.rstrip('.')}", ""]
        for route in ROUTES:
            if route.tag == tag:
                lines += _route(route)
    lines += ["## Problems", "", *_problems(), "", "## Settings", "", *_settings()]
    return "\n".join(lines) + "\n"


def _route(route: Route) -> Iterable[str]:
    yield from (f"**`{route.method} {route.path}`** {route.summary}. {route.description}{_scope(route)}", "")
    if route.examples:
        example = json.dumps(next(iter(route.examples.values())), ensure_ascii=False)
        yield from (
            "```sh",
            f"curl -s localhost:3000{route.path} -H 'Content-Type: application/json' -d '{example}'",
            "```",
            "",
        )


def _scope(route: Route) -> str:
    return " Open." if route.scope == "open" else f" Scope `{route.scope}`."


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
