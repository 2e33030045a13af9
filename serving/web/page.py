"""What every page has: its template, its style sheet and its security policy."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.web.formats import FILTERS
from serving.web.river import river

_FOLDER = Path(__file__).parent

STYLE = (_FOLDER / "style.css").read_bytes()

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Content security policy: no script, nothing from another host, and not inside another page."""

PAGES = (("/", "Journey"), ("/docs", "API"), ("/openapi.json", "OpenAPI"), ("/metrics", "Metrics"))


def link(path: str) -> str:
    """The relative address of one of our paths, which works behind a proxy's path prefix too."""
    return f".{path}"


def render(template: str, **values: Any) -> str:
    """The page that a file of `templates/` makes of these values. Raises `UndefinedError` when one is missing."""
    return environment().get_template(template).render(values)


@cache
def environment() -> Environment:
    """The templates. Text is escaped, and a missing value is an error."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    made.globals.update(link=link, river=river, pages=PAGES)
    return made
