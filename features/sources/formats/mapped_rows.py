"""The records of a mapped table: how each field of an event is taken from a record, as a TOML mapping says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from features.events import Channel, Event, Kind
from features.sources.contract import BadRecord, Identity, Unread
from features.sources.fields import fields, numbers
from features.sources.fields.message_ids import content_id, of_values
from features.sources.fields.orders import purchased
from features.sources.fields.times import instant, time_zone

COLUMNS = {
    "message_id": "makes the event exactly-once; at most 100 characters",
    "customer": "who",
    "kind": "what happened, by a name of `[kinds]` or ours",
    "at": "when, in the unit of `[units]`",
    "channel": "by a name of `[channels]` or ours",
    "item": "the product; a `PURCHASE` with an item also makes its `PURCHASED_ITEM`",
    "category": "the product's category",
    "quantity": "pieces, multiplied by the unit",
    "amount": "money, multiplied by the unit",
    "order_id": "the order",
    "score": "the answer to a survey, or the stars of a review",
}
"""What a mapping can fill, and what it means."""

_SKIP = "SKIP"
THOUSANDS = re.compile(r"[1-9]\d{0,2}\.\d{3}")
PLACE = re.compile(r"\{([^{}]+)\}")

Value = Callable[[Mapping[str, Any]], Any]
"""Takes one value out of a record; None when absent."""


class Rows:
    """A mapping that is ready to parse records. `mapping.load_mapping` has checked its form."""

    def __init__(self, text: Mapping[str, Any]) -> None:
        """Raises LookupError, ValueError, BadRecord or re.error for a name, unit or pattern that means nothing."""
        self.name = str(text["name"])
        self.columns: dict[str, str] = dict(text["columns"])
        constants, units = text.get("constants", {}), text.get("units", {})
        self.patterns: dict[str, str] = dict(text.get("patterns", {}))
        self.constants: dict[str, Any] = dict(constants)
        self.value = {
            what: _constant(constants[what])
            if what in constants
            else _column_value(self.columns.get(what), self.patterns.get(what))
            for what in COLUMNS
        }
        self._kinds = {str(name): _kind(kind) for name, kind in text.get("kinds", {}).items()}
        self._channels = {str(name): fields.channel(of, "channel") for name, of in text.get("channels", {}).items()}
        self.unit = str(units.get("at", "iso"))
        self.zone = time_zone(str(units.get("time_zone", "UTC")))
        self.scales = {what: float(units.get(what, 1.0)) for what in ("quantity", "amount", "score")}
        self.where = {column: _allowed(wanted) for column, wanted in text.get("where", {}).items()}
        self.kept = list(dict.fromkeys(map(str, text.get("properties", []))))
        self.template = text.get("message_id")
        placed = PLACE.findall(self.template or "")
        named = {*self.columns.values(), *self.where, *self.kept, *placed}
        self.required = sorted(named)
        self.comma = units.get("decimal") == ","
        self.doubt = "decimal" not in units
        self.commas = False

    def parse(
        self,
        values: Mapping[str, Any],
        received: int,
        identity: Identity | None = None,
        history: bool = False,
        unread: Unread | None = None,
    ) -> list[Event]:
        """The event of one record, with its line when it is a purchase of an item; none when it is left out."""
        if self.where and not all(allows(_reach(values, column)) for column, allows in self.where.items()):
            return []
        of, columns = self.value, self.columns
        try:
            kind = self.kind_of(of["kind"](values))
            if kind is None:
                return []
            at = instant(of["at"](values), "at", self.unit, self.zone)
            item, category = fields.name(of["item"](values), "item"), fields.name(of["category"](values), "category")
            quantity, amount = self._number("quantity", values), self._number("amount", values)
            event = fields.admit(
                self._message_id(values, received, identity),
                fields.customer(of["customer"](values), "customer"),
                kind,
                at,
                received,
                history,
                self.channel_of(of["channel"](values)),
                None if kind is Kind.PURCHASE else item,
                None if kind is Kind.PURCHASE else category,
                quantity,
                amount,
                fields.name(of["order_id"](values), "order_id"),
                self._number("score", values),
                {name: value for name in self.kept if (value := _reach(values, name)) not in (None, "")},
            )
        except BadRecord as bad:
            raise bad.named(columns) from None
        return purchased(event, [(item, category, quantity, amount)]) if kind is Kind.PURCHASE and item else [event]

    __call__ = parse  # a mapping is itself how its records are parsed

    def _number(self, what: str, values: Mapping[str, Any]) -> float:
        value = self.value[what](values)
        if isinstance(value, str):
            if self.comma:
                number = numbers.with_decimal_comma(value)
                value = value if number is None else number
            elif "," in value:
                self.commas = True
            elif self.doubt and self.commas and THOUSANDS.fullmatch(value):
                reason = "can mean two numbers where other rows have commas; write [units] decimal"
                raise BadRecord(what, f"{value!r} {reason}", "ambiguous")
        return fields.number(value, what, self.scales[what])

    def kind_of(self, value: object) -> Kind | None:
        """The kind; None for a record to be left out."""
        text = text_of(value)
        if text in self._kinds:
            return self._kinds[text]
        return self._kinds["*"] if "*" in self._kinds else fields.kind(value, "kind")

    def channel_of(self, value: object) -> Channel:
        text = text_of(value)
        if text in self._channels:
            return self._channels[text]
        return self._channels["*"] if "*" in self._channels and text else fields.channel(value, "channel")

    def _message_id(self, values: Mapping[str, Any], received: int, identity: Identity | None) -> str:
        given = fields.name(self.value["message_id"](values), "message_id", fields.LONGEST_MESSAGE_ID)
        if given:
            return given
        if self.template:
            return self._composed(self.template, values)
        return identity() if identity else of_values(self.name, values, received)

    def _composed(self, template: str, values: Mapping[str, Any]) -> str:
        def place(match: re.Match[str]) -> str:
            text = text_of(_reach(values, match[1]))
            if not text:
                raise BadRecord(match[1], "missing: the message id is made of it")
            return text

        composed = f"{self.name}-{PLACE.sub(place, template)}"
        return composed if len(composed) <= fields.LONGEST_MESSAGE_ID else content_id(self.name, composed)


def _kind(name: object) -> Kind | None:
    return None if name == _SKIP else fields.kind(name, "kind")


def _constant(value: object) -> Value:
    return lambda values: value


def _column_value(column: str | None, pattern: str | None) -> Value:
    """Takes the value of a field from its column of a record, if it matches the pattern."""
    if column is None:
        return lambda values: None
    take: Value = partial(_reach, column=column) if "." in column else lambda values: values.get(column)
    if pattern is None:
        return take
    matches = re.compile(pattern).fullmatch
    return lambda values: value if matches(text_of(value := take(values))) else None


def _reach(values: Mapping[str, Any], column: str) -> Any:
    """The value of a column, or of a path within objects such as `context.page.url`."""
    if column in values or "." not in column:
        return values.get(column)
    value: Any = values
    for key in column.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _allowed(wanted: object) -> Callable[[object], bool]:
    if wanted == "*":
        return lambda value: text_of(value) != ""
    texts = {text_of(text).casefold() for text in (wanted if isinstance(wanted, list) else [wanted])}
    return lambda value: text_of(value).casefold() in texts


def text_of(value: object) -> str:
    """A value as a text file would hold it."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
