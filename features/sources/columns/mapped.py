"""The records of a mapped table in columns, as `features.sources.formats.mapped_rows.Rows` reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from features.events import IDENTIFY, SCALES, Kind
from features.sources.columns import plain
from features.sources.columns.event_fields import LEFT_OUT, EventFields, json_objects, with_lines
from features.sources.columns.portions import Columnar
from features.sources.columns.row_by_row import RowByRow
from features.sources.columns.table import Column, Table
from features.sources.columns.texts import Texts, joined, texts_of
from features.sources.contract import BadRecord
from features.sources.fields import fields, numbers
from features.sources.formats.mapped_rows import PLACE, THOUSANDS, Rows, text_of

Doubtful = Callable[[NDArray[np.bool_]], NDArray[np.bool_]]

_NUMBERS = ("quantity", "amount", "score")
_CODE = re.compile(r"[A-Z]{3}")


def columnar(mapping: Rows) -> Columnar | None:
    """How the records of a mapping are read in columns; None where a number is the same text in every record."""
    if any(isinstance(mapping.constants.get(what), str) for what in _NUMBERS):
        return None
    return Columnar(
        tuple(mapping.required),
        lambda table, rows: _Mapped(mapping, table, rows).event_fields(),
        partial(with_lines, numbered=False),
    )


class _Mapped:
    """A mapping at some records."""

    def __init__(self, mapping: Rows, table: Table, rows: RowByRow) -> None:
        self._mapping = mapping
        self._table = table
        self._rows = rows
        self._forms: list[NDArray[np.uint8]] = []
        """The forms of the texts of each column of numbers."""

    def event_fields(self) -> EventFields:
        """The fields of each record's event."""
        table, mapping = self._table, self._mapping
        kind = self._kinds()
        quantity, amount, score = map(self._numbers, _NUMBERS)
        kept = {
            name: table.properties(name, table.column(name), self._rows.privacy, lambda value: value in (None, ""))
            for name in mapping.kept
        }
        properties = json_objects(len(table), kept)
        table.undecided |= (kind == int(IDENTIFY)) & properties.present
        self._check_scores(kind, score)
        return EventFields(
            customer=self._customers(),
            kind=kind,
            at=table.instants(self._column("at"), self._rows.received, mapping.unit, mapping.zone),
            channel=self._values("channel", mapping.channel_of, np.uint8),
            item=self._names("item"),
            category=self._names("category"),
            quantity=quantity,
            amount=amount,
            order_id=self._names("order_id"),
            score=score,
            properties=properties,
            message_id=self._message_ids(),
            doubtful=self._doubtful(amount, kind),
        )

    def _column(self, what: str) -> Column:
        """The values of the column of a field; none where it has no column."""
        return self._table.column(None if what in self._mapping.constants else self._mapping.columns.get(what))

    def _values(self, what: str, function: Callable[[object], object], dtype: DTypeLike) -> NDArray[Any]:
        """What `function` makes of the values of a field."""
        take, column = self._mapping.value[what], self._mapping.columns.get(what, "")
        return self._table.values(self._column(what), lambda value: function(take({column: value})), dtype)

    def _matching(self, what: str, function: Callable[[object], object]) -> Texts:
        """What `function` makes of the values of a field that has a pattern."""
        take, column = self._mapping.value[what], self._mapping.columns[what]
        return self._table.changed(self._column(what), lambda value: function(take({column: value})))

    def _customers(self) -> Texts:
        if "customer" not in self._mapping.patterns:
            return self._table.customers(self._column("customer"))
        customers = self._matching("customer", lambda value: fields.customer(value, "customer"))
        self._table.undecided |= ~customers.present
        return customers

    def _names(self, what: str, longest: int = fields.LONGEST_NAME) -> Texts:
        if what not in self._mapping.constants:
            if what in self._mapping.patterns:
                return self._matching(what, lambda value: fields.name(value, what, longest))
            return self._table.names(self._column(what), what, longest)
        try:
            name = fields.name(self._mapping.constants[what], what, longest)
        except BadRecord:
            self._table.undecided[:] = True
            name = None
        return texts_of([name or ""], np.zeros(len(self._table), np.int32))

    def _kinds(self) -> NDArray[np.uint8]:
        """The kinds, and which records are left out: by their kind, or by another column."""

        def kind_of(value: object) -> int:
            kind = self._mapping.kind_of(value)
            return LEFT_OUT if kind is None else int(kind)

        kind = self._values("kind", kind_of, np.uint8)
        for column, allows in self._mapping.where.items():
            kind[~self._table.values(self._table.column(column), allows, np.bool_)] = LEFT_OUT
        return kind

    def _numbers(self, what: str) -> NDArray[np.float64]:
        """As `Rows` reads them, but for those that depend on other rows: with commas, they are undecided."""
        mapping, table, values = self._mapping, self._table, self._column(what)
        take, column, scale = mapping.value[what], mapping.columns.get(what, ""), mapping.scales[what]

        def number(given: object) -> float:
            value = take({column: given})
            if isinstance(value, str) and mapping.comma:
                written = numbers.with_decimal_comma(value)
                value = value if written is None else written
            elif isinstance(value, str) and ("," in value or (THOUSANDS.fullmatch(value) and not value.isascii())):
                raise BadRecord(what, "left to the row-by-row adapter")
            return fields.number(value, what, scale)

        self._forms.append(table.forms(values))
        if mapping.comma or scale != 1.0 or what in mapping.patterns or what in mapping.constants:
            return table.values(values, number, np.float64)
        return table.numbers(values, number)

    def _check_scores(self, kind: NDArray[np.uint8], score: NDArray[np.float64]) -> None:
        for scored, (low, high) in SCALES.items():
            within = (low <= score) & (score <= high)
            absent = np.isnan(score) & (scored is Kind.REVIEW)
            self._table.undecided |= (kind == int(scored)) & ~(within | absent)

    def _message_ids(self) -> Texts:
        """The ids that the records have, or that the mapping composes."""
        table, template = self._table, self._mapping.template
        given = self._names("message_id", fields.LONGEST_MESSAGE_ID)
        if not template:
            return given
        wanted = ~given.present
        parts: list[bytes | Texts] = [f"{self._mapping.name}-".encode()]
        for place, part in enumerate(PLACE.split(template)):
            if place % 2:
                column = table.column(part)
                texts = column if isinstance(column, Texts) else table.changed(column, text_of)
                parts.append(texts)
                table.undecided |= wanted & ~texts.present
            else:
                parts.append(part.encode())
        composed = joined(len(table), parts).only(wanted)
        table.undecided |= composed.ends - composed.begins > fields.LONGEST_MESSAGE_ID
        return given.otherwise(composed)

    def _doubtful(self, amount: NDArray[np.float64], kind: NDArray[np.uint8]) -> Doubtful:
        """Numbers that may mean another one beside those with commas; amounts in another currency than the first."""
        mapping, rows, forms = self._mapping, self._rows, self._forms
        commas = np.logical_or.reduce([form == plain.COMMA for form in forms])
        thousands = np.logical_or.reduce([form == plain.THOUSANDS for form in forms])
        codes, values = self._table.column("currency" if "currency" in mapping.kept else None).distinct()
        currencies = np.array([_code(value) for value in values], np.object_)
        given = np.array([value not in (None, "") for value in values], np.bool_)
        priced = given[codes] & ~np.isnan(amount) & (kind != LEFT_OUT)

        def doubtful(undecided: NDArray[np.bool_]) -> NDArray[np.bool_]:
            more = np.asarray(thousands & (mapping.doubt and bool(mapping.commas or commas.any())))
            if not priced.any():
                return more
            first = int(np.argmax(priced))
            if not rows.currencies.first and not (undecided | more)[: first + 1].any():
                rows.currencies.first = currencies[codes[first]] or ""
            return np.asarray(more | (priced & (currencies != rows.currencies.first)[codes]))

        return doubtful


def _code(currency: object) -> str | None:
    """The three letters of a currency; None for what is no currency."""
    code = currency.strip().upper() if isinstance(currency, str) else ""
    return code if _CODE.fullmatch(code) else None
