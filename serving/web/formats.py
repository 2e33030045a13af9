"""How numbers, times and texts are formatted on a page."""

from __future__ import annotations

import math
from datetime import datetime

from markupsafe import Markup, escape

from features.times import moment
from insights import numbers

UNKNOWN = "\N{EN DASH}"


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
    """A duration in days, in the unit that people would use."""
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


def cell(value: object) -> str:
    """A cell of a table of an insight."""
    return numbers.shown(value) or UNKNOWN


def metric(value: float | None) -> str:
    """A metric of a model, with three decimals."""
    return UNKNOWN if value is None else f"{value:.3f}"


def stamp(at: int) -> Markup:
    """A moment, in microseconds since the epoch, as text with a machine-readable `datetime`."""
    when: datetime = moment(at)
    shown = f"{when:%-d %B %Y, %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(), shown)


def prose(text: str) -> Markup:
    """Text with `code` between backquotes."""
    parts = enumerate(text.split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in parts
    )


FILTERS = {function.__name__: function for function in (whole, percent, duration, figure, cell, metric, stamp, prose)}
"""The functions by name, as filters of the templates."""
