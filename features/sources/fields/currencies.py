"""Amounts in several currencies: converted by the shop's rates, and never added up without a report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan

from features.events import Event
from features.sources.contract import BadRecord, Unread, shown

_CODE = re.compile(r"[A-Z]{3}")
_FIELD = "properties.currency"


class BadRates(ValueError):
    """A text is not a currency or not a list of rates; the message says what it must look like."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The currency settings of a shop: its own currency, and the worth of one unit of each other one in it."""

    shop: str = ""
    """The shop's own currency; empty when it is not set."""
    worth: Mapping[str, float] = field(default_factory=dict)


def read_rates(shop: str, rates: str) -> Rates:
    """The rates in a text such as `USD=0.92, JPY=0.0061`, for a shop whose currency is `shop`. Raises BadRates."""
    shop = shop.strip().upper()
    if shop and not _CODE.fullmatch(shop):
        raise BadRates(f"{shop!r} is no currency; expected three letters such as EUR")
    worth: dict[str, float] = {}
    for text in filter(None, map(str.strip, rates.split(","))):
        code, _, number = text.partition("=")
        code = code.strip().upper()
        try:
            worth[code] = float(number)
        except ValueError:
            worth[code] = nan
        if not _CODE.fullmatch(code) or not 0 < worth[code] < float("inf"):
            raise BadRates(f"{text!r} is no rate; expected such as USD=0.92, separated by commas")
    if worth and not shop:
        raise BadRates("there are rates, but not the shop's own currency")
    return Rates(shop, worth)


class Currencies:
    """The currencies of one worker, or of one import. Without a setting, the first one seen is the shop's own."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self.first = rates.shop
        """The currency that amounts are compared with; empty when none was seen."""

    def convert(self, events: Sequence[Event], unread: Unread) -> None:
        """Convert the amounts of a record's events into the shop's currency; the first event names the record's own.

        An amount without a rate becomes unknown, and is reported in `unread`. Without a currency of the shop, amounts
        stay as they are, and each one in another currency than the first is reported.
        """
        given = events[0].properties.get("currency") if events else None
        if given is None or given == self.first or all(isnan(event.amount) for event in events):
            return
        code = given.strip().upper() if isinstance(given, str) else ""
        if not _CODE.fullmatch(code):
            unread.append(BadRecord(_FIELD, f"expected three letters such as EUR, got {shown(given)}", "no_currency"))
        elif not self._rates.shop:
            self._compare(code, unread)
        elif code != self._rates.shop:
            self._multiply(code, events, unread)

    def _compare(self, code: str, unread: Unread) -> None:
        self.first = self.first or code
        if code != self.first:
            reason = f"{code} beside {self.first}: amounts of both are added up as one currency"
            advice = "set WAYPOST_CURRENCY and WAYPOST_CURRENCY_RATES"
            unread.append(BadRecord(_FIELD, f"{reason}; {advice}", "second_currency"))

    def _multiply(self, code: str, events: Sequence[Event], unread: Unread) -> None:
        rate = self._rates.worth.get(code, nan)
        if isnan(rate):
            said = f"no rate for {code}, so the amount is unknown; add it to WAYPOST_CURRENCY_RATES"
            unread.append(BadRecord(_FIELD, said, "no_rate"))
        for event in events:
            event.amount = round(event.amount * rate, 9)
