"""Features in plain words: what a declaration and a value say of a customer, as a marketer would put it.

`say` takes the phrase of a feature from `features/catalogues/phrases.py`, and where there is none, reads the expression
behind the feature, so that a new line in `features/journey.py` needs no phrase: `count(PURCHASE, within=days(28))` of 3
is "3 purchases in the last 28 days", and the time since an order over the usual time between orders is "no purchase for
34 days, usually every 9 days".
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
from features.catalogues.phrases import PHRASES
from features.catalogues.plurals import article, digits, money, often, percent, plural, quantity, time_words
from features.events import DAY, HOUR, MINUTE, Channel, Selection, Stage
from features.fold.fold import Fold
from features.grammar import Binary, Constant, Expr, Unary, duration_text

_UNITS = {float(DAY): "day", float(HOUR): "hour", float(MINUTE): "minute"}
_CONDITIONS = frozenset({"<", "<=", ">", ">=", "==", "!=", "&", "|"})
_NOUNS = {
    "item view": "product view",
    "list view": "product list seen",
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
    "survey nps": "survey answer",
    "survey csat": "survey answer",
    "survey effort": "survey answer",
    "refer": "referral",
    "share": "product shared",
    "decision": "contact by us",
}
"""The nouns of kinds whose own name is no noun."""

_CHANNELS = {
    Channel.WEB: "the web",
    Channel.APP: "the app",
    Channel.STORE: "a store",
    Channel.ONSITE: "our own pages",
    Channel.SMS: "text message",
    Channel.PUSH: "message in the app",
    Channel.DIRECT: "the address itself",
    Channel.ORGANIC_SEARCH: "search",
    Channel.ORGANIC_SOCIAL: "social media",
    Channel.PAID_SOCIAL: "paid social media",
    Channel.DISPLAY: "a picture ad",
    Channel.AFFILIATE: "a partner",
    Channel.MARKETPLACE: "a marketplace",
    Channel.CHAT: "a chat",
    Channel.CALL_CENTRE: "telephone",
    Channel.DIRECT_MAIL: "letter",
    Channel.UNKNOWN: "a way we do not know",
}
"""The names of channels whose own name is no everyday word."""

_PAUSES = {"read_longest": "never more than {} before", "read_recent": "every {} before that"}

_STAGES = {"read_current": "in the {} stage", "read_previous": "in the {} stage before"}

LATELY = ((14 * DAY, "lately"), (56 * DAY, "in the last weeks"), (math.inf, "in the last months"))
"""The longest half-life, and the words for the period that a sum fading by it covers."""


class Speaker:
    """Puts the features of one fold into words."""

    def __init__(self, fold: Fold) -> None:
        self.expressions: Mapping[str, Expr] = fold.declarations.features
        self.families: Mapping[str, str] = fold.declarations.families
        self._silences = dict(self._silence_features())

    def say(self, name: str, row: Mapping[str, float]) -> str:
        """The feature `name` of a customer whose features are `row`, in words. KeyError for an unknown feature."""
        if name in self._silences:
            return _silence(row[name], *self._silences[name], row)
        expression = self.expressions[name]
        if name in PHRASES:
            return PHRASES[name].of(row[name])
        return _sentence(name, expression, row[name])

    def family(self, name: str) -> str:
        """What a feature is about: the first line of the set that declares it, up to a colon."""
        return self.families[name].partition(":")[0]

    def _silence_features(self) -> Iterator[tuple[str, tuple[str, str, str]]]:
        """The features that divide a silence, the time since the last event, by the customer's usual pause.

        Each comes with the noun of the events, the name of the feature that is the silence alone, and the words for the
        pause. Without a feature for the silence alone, the ratio is put into words as a number.
        """
        named = {str(expr): name for name, expr in self.expressions.items()}
        for name, expr in self.expressions.items():
            match expr:
                case Binary(
                    operator="/",
                    left=Binary(operator="/", left=Reading(aggregate=Since() as since)) as silent,
                    right=Reading(aggregate=Gaps(), kernel=kernel),
                ) if str(silent) in named:
                    yield name, (_noun(since.selection), named[str(silent)], _PAUSES.get(kernel, "usually every {}"))


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
    """How long the silence is, compared with the usual pause."""
    days = row[silent]
    if math.isnan(value) or math.isnan(days):
        return f"too few {plural(noun)} to tell how often they come"
    if not value:
        return f"{article(noun)} just now"
    heard = f"no {noun} for {time_words(days, 'day')}" if days >= 1 else f"{article(noun)} within the last day"
    usual = pause.format(time_words(max(days / value, 1.0), "day")).replace("every 1 day", "every day")
    return f"{heard}, {usual}"


def _time(name: str, aggregate: Aggregate, kernel: str, value: float, unit: str) -> str:
    noun = _noun(aggregate.selection)
    if isinstance(aggregate, Newest):
        place = kernel.removeprefix("read_")
        if math.isnan(value):
            return f"no {place} {noun} yet"
        return f"the {place} latest {noun} {time_words(value, unit)} ago"
    if isinstance(aggregate, Since):
        if math.isnan(value):
            return f"no {noun} yet"
        within = f"{article(noun)} within the last {unit}"
        return within if value < 1 else f"no {noun} for {time_words(value, unit)}"
    if isinstance(aggregate, Age):
        return f"no {noun} yet" if math.isnan(value) else f"the first {noun} {time_words(value, unit)} ago"
    return _plain(name, value)


def _share(above: Aggregate, below: Aggregate, value: float) -> str:
    noun, base = _noun(above.selection), _noun(below.selection)
    if math.isnan(value):
        return f"no {base} yet"
    if above.selection.kinds == below.selection.kinds:
        where = " or ".join(_channel(int(channel)) for channel in above.selection.channels)
        return f"{percent(value)} of the {plural(noun)} by {where}"
    if isinstance(above, Total):
        return f"{plural(noun)} make up {percent(value)} of the money of {plural(base)}"
    return f"{quantity(value, noun)} for each {base}" if value else f"no {noun} so far"


def _reading(name: str, aggregate: Aggregate, kernel: str, value: float) -> str:
    noun, when = _noun(aggregate.selection), _when(aggregate)
    match aggregate:
        case Stages() if kernel in _STAGES:
            return _stage(_STAGES[kernel], value)
        case Earliest() | Latest() if aggregate.selection.column == "channel":
            place = "first" if isinstance(aggregate, Earliest) else "last"
            return f"{place} came by {_channel(value)}"
        case _ if math.isnan(value):
            return f"{plural(noun)}: not known"
        case Count() | CountWithin():
            return f"{quantity(round(value), noun)} {when}"
        case Total() | TotalWithin():
            return f"{plural(noun)} of {money(value)} {when}" if value else f"no money from {plural(noun)} {when}"
        case DaysWithin():
            return f"{quantity(round(value), 'day')} with {article(noun)} {when}"
        case Fading():
            return _fading(aggregate, noun, value)
    return _plain(name, value)


def _fading(aggregate: Fading, noun: str, value: float) -> str:
    """A fading sum as a rate: that of regular events that would keep the sum at this value."""
    rate = value * math.log(2.0) * DAY / aggregate.half_life
    when = next(words for longest, words in LATELY if aggregate.half_life <= longest)
    if aggregate.selection.column == "amount":
        return f"{when} {plural(noun)} of about {money(rate * 28)} in four weeks"
    return f"{when} {often(rate, noun)}"


def _when(aggregate: Aggregate) -> str:
    span = getattr(aggregate, "span", None)
    return "so far" if span is None else f"in the last {duration_text(span).removeprefix('1 ')}"


def _condition(name: str, value: float) -> str:
    if math.isnan(value):
        return f"{_label(name)}: not known"
    return _label(name) if value else f"not {_label(name)}"


def _stage(where: str, value: float) -> str:
    return "in no stage yet" if math.isnan(value) else where.format(Stage(int(value)).name.lower())


def _channel(value: float) -> str:
    channel = Channel.UNKNOWN if math.isnan(value) else Channel(int(value))
    return _CHANNELS.get(channel, channel.name.lower().replace("_", " "))


def _plain(name: str, value: float) -> str:
    return f"{_label(name)}: {'not known' if math.isnan(value) else digits(value)}"


def _label(name: str) -> str:
    return name.replace("_", " ")


def _noun(selection: Selection) -> str:
    """What the selected events are called, in the singular."""
    if selection.label:
        return selection.label
    kinds = [kind.name.lower().replace("_", " ") for kind in selection.kinds]
    return " or ".join(dict.fromkeys(_NOUNS.get(kind, kind) for kind in kinds))
