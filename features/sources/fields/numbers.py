"""Numbers as people and shop systems write them: `$12.00`, `1,299.00`, `12,50 €`, `1 234,50`.

A text in the form of programs, such as `1.234`, is parsed before and does not come here. A number as people write it is
read where it can mean one number only; `1,234` and `1.234 €` can mean two.
"""

from __future__ import annotations

import re

_CODES = (
    "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|TRY|RUB|UAH|INR|PKR|BRL|MXN|ARS|CLP|COP|PEN"
    "|ZAR|NGN|KES|EGP|ILS|AED|SAR|KRW|THB|SGD|HKD|TWD|MYR|IDR|PHP|VND"
)
_CURRENCY = rf"(?:[A-Z]{{0,2}}[$£€¥₹₽₩₺₴₫฿₪₦₱¢]|{_CODES}|kr\.?|zł|Kč|Rs\.?|Ft|lei)"
_WRITTEN = re.compile(
    rf"(?P<minus>[-\u2212])?\s*(?P<before>{_CURRENCY})?\s*(?P<minus_within>[-\u2212])?"
    rf"(?P<digits>\d[\d.,'\u2019\u00a0\u202f ]*?)\s*(?P<after>{_CURRENCY})?",
    re.IGNORECASE,
)
_SPACED = re.compile(r"\d{1,3}(?:[ '\u2019\u00a0\u202f]\d{3})+(?:[.,]\d+)?")
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*")
_ENGLISH = ("$", "£")
_LONGEST = 40


class Ambiguous(ValueError):
    """The text can mean two numbers."""


def written(text: str) -> float | None:
    """The number that a text written by people means; None when it means none. Raises Ambiguous."""
    match = _WRITTEN.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        return None
    before = match["before"] or ""
    number = _value(match["digits"], bool(before or match["after"]), before.endswith(_ENGLISH))
    return -number if number is not None and (match["minus"] or match["minus_within"]) else number


def with_decimal_comma(text: str) -> float | None:
    """The number that a text means where a comma is the decimal mark and a point separates thousands."""
    match = _WRITTEN.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        return None
    digits = re.sub(r"[.'\u2019\u00a0\u202f ]", "", match["digits"])
    if digits.count(",") > 1:
        return None
    number = float(digits.replace(",", "."))
    return -number if match["minus"] or match["minus_within"] else number


def _value(digits: str, money: bool, english: bool) -> float | None:
    """What digits with marks between them mean. `money` says whether a currency stands beside them."""
    if _SPACED.fullmatch(digits):
        return float(re.sub(r"[ '\u2019\u00a0\u202f]", "", digits).replace(",", "."))
    commas, points = digits.count(","), digits.count(".")
    if re.search(r"[^\d.,]", digits):
        return None
    if commas and points:
        decimal = max(",", ".", key=digits.rfind)
        whole, _, rest = digits.rpartition(decimal)
        return float(f"{re.sub(r'[.,]', '', whole)}.{rest}") if _GROUPED.fullmatch(whole) and rest else None
    grouped = _GROUPED.fullmatch(digits)
    if grouped and commas + points > 1:
        return float(re.sub(r"[.,]", "", digits))
    if grouped and (commas or money):
        if commas and english:
            return float(digits.replace(",", ""))
        raise Ambiguous(digits)
    return float(digits.replace(",", ".")) if commas + points <= 1 and digits[-1].isdigit() else None
