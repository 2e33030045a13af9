"""Numbers with their nouns, as people write them: a singular after 1 and 0, a plural after others."""

from __future__ import annotations

from typing import Final

_TAIL: Final = (" used", " denied", " bought", " opened", " clicked", " seen", " shared", " by us", " this week")
_HIDDEN: Final = (*_TAIL, " put in the cart", " out of stock")
"""Endings behind the noun that takes the plural."""


def plural(noun: str) -> str:
    """More than one of it: "product views", "products put in the cart", "visits or purchases"."""
    if " or " in noun:
        return " or ".join(map(plural, noun.split(" or ")))
    for ending in _HIDDEN:
        if noun.endswith(ending):
            return plural(noun.removesuffix(ending)) + ending
    if noun.endswith(("sh", "ch", "s")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"


def article(noun: str) -> str:
    """One of it: "a purchase", "an error"."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def digits(value: float) -> str:
    """A number of at most three digits that matter: "0.4", "2.5", "12", "1,300"."""
    if abs(value) >= 9.95:
        return f"{value:,.0f}"
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def quantity(value: float, noun: str) -> str:
    """So many of something: "no visit", "1 visit", "2.5 visits", "fewer than 0.1 visits"."""
    if value == 0:
        return f"no {noun}"
    number = digits(value)
    if number in ("0", "-0"):
        return f"fewer than 0.1 {plural(noun)}"
    return f"{number} {noun}" if number == "1" else f"{number} {plural(noun)}"


def time_words(value: float, unit: str) -> str:
    """A duration: "less than a day", "1 day", "34 days"."""
    if value < 1:
        return f"less than {'an' if unit == 'hour' else 'a'} {unit}"
    number = f"{value:,.0f}"
    return f"{number} {unit}" if number == "1" else f"{number} {plural(unit)}"


def often_times(value: float) -> str:
    """How often something happened: "never", "once", "3 times"."""
    number = f"{value:,.0f}"
    return {"0": "never", "1": "once"}.get(number, f"{number} times")


def often(rate: float, noun: str) -> str:
    """A rate per day: "hardly any purchase", "about 1 purchase in 12 days", "about 3 purchases a day"."""
    if rate <= 1 / 730:
        return f"hardly any {noun}"
    if rate < 0.75:
        return f"about 1 {noun} in {time_words(1 / rate, 'day')}"
    number = f"{rate:,.0f}"
    return f"about {number} {noun if number == '1' else plural(noun)} a day"


def money(value: float) -> str:
    """An amount in the shop's currency: "nothing", "120.50"."""
    return "nothing" if value == 0 else f"{value:,.2f}"


def percent(share: float) -> str:
    """A share: "none", "less than 1%", "25%"."""
    if share == 0:
        return "none"
    return "less than 1%" if 0 < share < 0.005 else f"{share:.0%}"
