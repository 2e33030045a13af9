"""Features in plain words: what a declaration and a value say of a customer, as a marketer would put it.

`say` reads the expression behind a feature, so that a new line in `features/journey.py` speaks without further ado:
`count(PURCHASE, within=days(28))` of 3 is "3 purchases in the last 28 days", and the time since an order over the usual
time between orders is "no purchase for 34 days, usually every 9".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from features.aggregates.base import Aggregate, Reading
from features.aggregates.counts import Count, Total
from features.aggregates.stages import Stages
from features.aggregates.tempo import Gaps, Newest
from features.aggregates.times import Age, Earliest, Fading, Latest, Since
from features.aggregates.windows import CountWithin, DaysWithin, TotalWithin
from features.events import DAY, HOUR, MINUTE, Channel, Selection, Stage
from features.fold import Fold
from features.grammar import Binary, Constant, Expr, Unary, duration_text

_UNITS = {float(DAY): "day", float(HOUR): "hour", float(MINUTE): "minute"}
_CONDITIONS = frozenset({"<", "<=", ">", ">=", "==", "!=", "&", "|"})
_NOUNS = {
    "item view": "product view",
    "purchased item": "product bought",
    "message deliver": "message",
    "message open": "message opened",
    "message click": "message clicked",
    "coupon apply": "coupon used",
    "coupon deny": "coupon denied",
    "order cancel": "cancelled order",
    "support open": "support case",
    "support resolve": "solved support case",
    "payment fail": "failed payment",
    "out of stock": "product out of stock",
    "cart add": "product put in the cart",
    "wishlist add": "wish",
    "wishlist remove": "withdrawn wish",
    "checkout start": "checkout",
    "survey nps": "NPS answer",
    "survey csat": "satisfaction answer",
    "survey effort": "effort answer",
    "refer": "referral",
    "decision": "contact by us",
}
"""What kinds are called where their own name is no noun."""

_PAUSES = {"read_longest": "at the longest", "read_recent": "lately every"}

_STAGES = {"read_current": "in the {} stage", "read_previous": "in the {} stage before"}

_STRESSED = (" used", " denied", " bought", " opened", " clicked", " put in the cart", " out of stock", " by us")
"""Endings that the plural goes before."""


class Speaker:
    """Says the features of one fold."""

    def __init__(self, fold: Fold) -> None:
        self.expressions: Mapping[str, Expr] = fold.declarations.features
        self.families: Mapping[str, str] = fold.declarations.families
        self._silences = dict(self._found_silences())

    def say(self, name: str, row: Mapping[str, float]) -> str:
        """The feature `name` of a customer whose features are `row`, in words. KeyError for an unknown feature."""
        if name in self._silences:
            return _silence(row[name], *self._silences[name], row)
        return _sentence(name, self.expressions[name], row[name])

    def family(self, name: str) -> str:
        """What a feature is about: the first line of the set that declares it, up to a colon."""
        return self.families[name].partition(":")[0]

    def _found_silences(self) -> Iterator[tuple[str, tuple[str, str, str]]]:
        """The features that set a silence against a pause, each with the noun, the silence's own feature and the pause.

        Where no feature gives the silence alone there is nothing to say it with, and the ratio is said as a number.
        """
        named = {str(expr): name for name, expr in self.expressions.items()}
        for name, expr in self.expressions.items():
            match expr:
                case Binary(
                    operator="/",
                    left=Binary(operator="/", left=Reading(aggregate=Since() as since)) as silent,
                    right=Reading(aggregate=Gaps(), kernel=kernel),
                ) if str(silent) in named:
                    yield name, (_noun(since.selection), named[str(silent)], _PAUSES.get(kernel, "usually every"))


def _sentence(name: str, expr: Expr, value: float) -> str:
    match expr:
        case Binary(operator="/", left=Reading(aggregate=aggregate, kernel=kernel), right=Constant(value=unit)) if (
            unit in _UNITS
        ):
            return _time(name, aggregate, kernel, value, _UNITS[unit])
        case Binary(operator="/", left=Reading(aggregate=above), right=Reading(aggregate=below)):
            if isinstance(above, Count | CountWithin | Total) and isinstance(below, Count | CountWithin | Total):
                return _share(above, below, value)
        case Reading(aggregate=aggregate, kernel=kernel):
            return _reading(name, aggregate, kernel, value)
        case Binary(operator=operator) if operator in _CONDITIONS:
            return _condition(name, value)
        case Unary(operator="~" | "known"):
            return _condition(name, value)
    return _plain(name, value)


def _silence(value: float, noun: str, silent: str, pause: str, row: Mapping[str, float]) -> str:
    """How long nothing was heard, against how long it takes at other times."""
    days = row[silent]
    if math.isnan(value) or math.isnan(days):
        return f"no rhythm of {_plural(noun)} yet"
    if not value:
        return f"{_a(noun)} just now"
    heard = f"no {noun} for {_amount(days, 'day')}" if days >= 1 else f"{_a(noun)} within the last day"
    return f"{heard}, {pause} {max(days / value, 1.0):.0f}"


def _time(name: str, aggregate: Aggregate, kernel: str, value: float, unit: str) -> str:
    noun = _noun(aggregate.selection)
    if isinstance(aggregate, Newest):
        place = kernel.removeprefix("read_")
        return (
            f"no {place} {noun} yet" if math.isnan(value) else f"the {place} latest {noun} {_amount(value, unit)} ago"
        )
    if isinstance(aggregate, Since):
        if math.isnan(value):
            return f"no {noun} yet"
        return f"{_a(noun)} within the last {unit}" if value < 1 else f"no {noun} for {_amount(value, unit)}"
    if isinstance(aggregate, Age):
        return f"no {noun} yet" if math.isnan(value) else f"the first {noun} {_amount(value, unit)} ago"
    words = _label(name)
    return f"{words}: not known" if math.isnan(value) else f"{words}: {value:.3g}"


def _share(above: Aggregate, below: Aggregate, value: float) -> str:
    each, of = _plural(_noun(above.selection)), _noun(below.selection)
    if math.isnan(value):
        return f"no {of} yet"
    if above.selection.kinds == below.selection.kinds:
        where = " or ".join(channel.name.lower().replace("_", " ") for channel in above.selection.channels)
        return f"{value:.0%} of the {each} on {where}"
    if isinstance(above, Total):
        return f"{each} make up {value:.0%} of the money of {_plural(of)}"
    return f"{value:.2g} {each} for each {of}"


def _reading(name: str, aggregate: Aggregate, kernel: str, value: float) -> str:
    noun, when = _noun(aggregate.selection), _when(aggregate)
    match aggregate:
        case Stages() if kernel in _STAGES:
            return _stage(name, _STAGES[kernel], value)
        case Earliest() | Latest() if aggregate.selection.column == "channel":
            return f"{_label(name)}: {_channel(value)}"
        case _ if math.isnan(value):
            return f"{_label(name)}: not known"
        case Count() | CountWithin():
            return f"{_number(value, noun)} {when}"
        case Total() | TotalWithin():
            return f"{_plural(noun)} of {value:.2f} {when}" if value else f"no money from {_plural(noun)} {when}"
        case DaysWithin():
            return f"{_number(value, 'day')} with {_a(noun)} {when}"
        case Fading() if aggregate.selection.column == "amount":
            return f"recent {_plural(noun)} of {value:.2f}, halved every {_half_life(aggregate)}"
        case Fading():
            number = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
            return f"{number} recent {_plural(noun)}, halved every {_half_life(aggregate)}"
    text = aggregate.texts.get(kernel.removeprefix("read_"))
    return _plain(name, value) if text is None else f"{text.format(_described(aggregate.selection))}: {value:.3g}"


def _when(aggregate: Aggregate) -> str:
    span = getattr(aggregate, "span", None)
    return "so far" if span is None else f"in the last {duration_text(span).removeprefix('1 ')}"


def _half_life(aggregate: Fading) -> str:
    return duration_text(aggregate.half_life)


def _condition(name: str, value: float) -> str:
    if math.isnan(value):
        return f"{_label(name)}: not known"
    return _label(name) if value else f"not {_label(name)}"


def _stage(name: str, where: str, value: float) -> str:
    return f"{_label(name)}: not known" if math.isnan(value) else where.format(Stage(int(value)).name.lower())


def _channel(value: float) -> str:
    return "not known" if math.isnan(value) else Channel(int(value)).name.lower().replace("_", " ")


def _plain(name: str, value: float) -> str:
    return f"{_label(name)}: {'not known' if math.isnan(value) else f'{value:.3g}'}"


def _label(name: str) -> str:
    return name.replace("_", " ")


def _amount(value: float, unit: str) -> str:
    number = f"{value:.0f}" if value >= 1 else f"{value:.1g}"
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


def _number(value: float, noun: str) -> str:
    if value == 0:
        return f"no {noun}"
    return f"1 {noun}" if value == 1 else f"{value:.0f} {_plural(noun)}"


def _noun(selection: Selection) -> str:
    """What the selected events are called, in the singular."""
    if selection.label:
        return selection.label
    kinds = [kind.name.lower().replace("_", " ") for kind in selection.kinds]
    return " or ".join(_NOUNS.get(kind, kind) for kind in kinds)


def _described(selection: Selection) -> str:
    noun = _noun(selection)
    return f"{selection.column} of {_a(noun)}" if selection.column else noun


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" or noun.startswith("NPS") else f"a {noun}"


def _plural(noun: str) -> str:
    if " or " in noun:
        return " or ".join(map(_plural, noun.split(" or ")))
    for ending in _STRESSED:
        if noun.endswith(ending):
            return _plural(noun.removesuffix(ending)) + ending
    if noun.endswith(("sh", "ch", "s")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
