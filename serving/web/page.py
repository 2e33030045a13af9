"""The frame of every page, and how numbers and times read on it."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path

from serving.web.markup import Html, join, tag

STYLE = Path(__file__).with_name("style.css").read_bytes()

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Content security policy: no script, nothing from another host, and not inside another page."""

UNKNOWN = "\N{EN DASH}"

PAGES = (("/", "Journey"), ("/docs", "API"), ("/openapi.json", "OpenAPI"), ("/metrics", "Metrics"))


def link(path: str) -> str:
    """The address of a path of ours, as a page at the root of the server links to it: below a proxy's prefix too."""
    return f".{path}"


_WAY = "M7 22 C12 22 11 10 16 10 S20 22 25 10"
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' "
    f"rx='8' fill='%232f6f5e'/%3E%3Cpath d='{_WAY}' fill='none' stroke='white' stroke-width='3' stroke-linecap='round'/"
    "%3E%3Ccircle cx='25' cy='10' r='3' fill='white'/%3E%3C/svg%3E"
)


def frame(title: str, *body: Html, active: str, aside: Html | None = None) -> str:
    """A whole page. `active` is its address in the navigation."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · Waypost"),
        tag("link", rel="icon", href=_ICON),
        tag("link", rel="stylesheet", href=link("/style.css")),
    )
    links = [tag("a", text, href=link(path), aria_current="page" if path == active else False) for path, text in PAGES]
    whole_body = tag(
        "body",
        tag("a", "Skip to the content", cls="skip", href="#main"),
        tag("header", _brand(), tag("nav", *links, aria_label="Pages"), cls="top"),
        tag("main", *body, id="main"),
        tag("footer", aside) if aside else "",
    )
    return "<!doctype html>" + tag("html", head, whole_body, lang="en")


def _brand() -> Html:
    mark = tag(
        "svg",
        tag("rect", width=32, height=32, rx=8),
        tag("path", d=_WAY),
        tag("circle", cx=25, cy=10, r=3),
        cls="mark",
        viewBox="0 0 32 32",
        aria_hidden="true",
    )
    return tag("a", mark, tag("span", "Waypost"), cls="brand", href=link("/"))


def section(name: str, title: str, *content: Html) -> Html:
    """A part of a page under a heading; `name` is its anchor."""
    return tag("section", tag("h2", title, id=name), *content, aria_labelledby=name)


def scrolled(table: Html, name: str) -> Html:
    """A table that scrolls by itself where it is wider than the page, by keyboard too; `name` says what is in it."""
    return tag("div", table, cls="scroll", tabindex=0, role="region", aria_label=name)


def intro(title: str, *line: str) -> Html:
    """The beginning of a page."""
    return tag("section", tag("h1", title), tag("p", *line), cls="intro")


def terms(*pairs: tuple[str, str], cls: str = "") -> Html:
    """Terms and what they are, side by side."""
    rows = (tag("div", tag("dt", term), tag("dd", value)) for term, value in pairs)
    return tag("dl", *rows, cls=cls or False)


def whole(number: float) -> str:
    """A count: 12,345."""
    return f"{number:,.0f}"


def percent(share: float | None) -> str:
    """A share as a percentage, with a decimal where it is small."""
    if share is None:
        return UNKNOWN
    value = 100 * share
    return f"{value:.1f} %" if 0.05 <= abs(value) < 9.95 else f"{value:.0f} %"


def duration(days: float | None) -> str:
    """A time in days in the unit people would say it in."""
    if days is None or not math.isfinite(days):
        return UNKNOWN
    if days < 1 / 24:
        return f"{days * 1440:.0f} min"
    if days < 2:
        return f"{days * 24:.0f} h" if days * 24 >= 10 else f"{days * 24:.1f} h"
    if days < 90:
        return f"{days:.0f} days" if days >= 10 else f"{days:.1f} days"
    months = days / 30.4375
    return f"{months:.0f} months" if months >= 10 else f"{months:.1f} months"


def figure(value: float | None, unit: str) -> str:
    """A key figure in its unit."""
    if value is None:
        return UNKNOWN
    if unit == "share":
        return percent(value)
    if unit == "points":
        return f"{value:+.0f}"
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.2f} M"
    return whole(value) if unit == "customers" or abs(value) >= 1000 or value == round(value) else f"{value:,.2f}"


def stamp(moment: datetime) -> Html:
    """A moment as people read it, marked up for programs."""
    return join(tag("time", f"{moment:%-d %B %Y, %H:%M} UTC", datetime=moment.isoformat()))
