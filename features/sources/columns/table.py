"""Some records as columns: every check is the function of the row-by-row adapter, applied to each different value once,
or a proof that a value is plain. Records in which any check fails are left undecided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from features.events import Event, Kind
from features.log.rows import quoted
from features.sources.columns import plain
from features.sources.columns.texts import Texts, none_of, texts_of
from features.sources.columns.values import Values
from features.sources.contract import BadRecord
from features.sources.fields import fields
from features.sources.fields.privacy import Privacy
from features.sources.fields.times import SCALES, instant

Column = Texts | Values
"""The values of a column: texts, of which an empty one counts as absent, or values of any type."""

Function = Callable[[Any], Any]
"""What a value means. Raises BadRecord."""


class Property(NamedTuple):
    """A property of each record as JSON, none where a record does not have it."""

    texts: Texts
    are_texts: bool
    """Whether the value is a text: quotes stand around it, and are not part of these texts."""


_DIGITS = {"s": 12, "ms": 15, "us": 18}
"""Most digits of a plain count of time in each unit: it is no more than 64 bits of microseconds."""

_PROBE = "x"
_SPECIAL = np.ones(256, np.bool_)
_SPECIAL[32:127] = False
_SPECIAL[list(b'"\\@?#%')] = True
"""The bytes of which JSON escapes some and the rules of privacy look at the others."""


class Table:
    """The values of some records, by column, and which records are `undecided`: left to the row-by-row adapter."""

    def __init__(self, columns: Mapping[str, Column], undecided: NDArray[np.bool_]) -> None:
        self._columns = columns
        self.undecided = undecided

    def __len__(self) -> int:
        return len(self.undecided)

    def column(self, name: str | None) -> Column:
        """The values of a column as they stand; none where there is no such column."""
        return none_of(len(self)) if name is None else self._columns.get(name) or none_of(len(self))

    def names(
        self, column: Column, field: str, longest: int = fields.LONGEST_NAME, where: NDArray[np.bool_] | None = None
    ) -> Texts:
        """As `fields.name`; none of the rows that are not `where`."""
        return self._plain_or(column, lambda value: fields.name(value, field, longest), longest, where)

    def customers(self, column: Column) -> Texts:
        """As `fields.customer`, and every record has one."""
        customers = self._plain_or(
            column, lambda value: fields.customer(value, "customer"), fields.LONGEST_NAME, asking=plain.ask_of_customers
        )
        self.undecided |= ~customers.present
        return customers

    def values(self, column: Column, function: Function, dtype: DTypeLike) -> NDArray[Any]:
        """What `function` makes of each value."""
        codes, values = column.distinct()
        results = np.zeros(len(values), dtype)
        failing = np.zeros(len(values), np.bool_)
        for code, value in enumerate(values):
            try:
                results[code] = function(value)
            except BadRecord:
                failing[code] = True
        self.undecided |= failing[codes]
        return results[codes]

    def changed(self, column: Column, function: Function) -> Texts:
        """The text that `function` makes of each value, and none where it gives None."""
        codes, values = column.distinct()
        results = [_or_none(function, value, BadRecord) for value in values]
        self.undecided |= np.array([result is BadRecord for result in results], np.bool_)[codes]
        return texts_of(["" if result in (None, BadRecord) else str(result) for result in results], codes)

    def numbers(self, column: Column, function: Function) -> NDArray[np.float64]:
        """Numbers as `function` reads them, which reads a plain number as `float` does."""
        if not isinstance(column, Texts):
            numbers = column.numbers()
            return self.values(column, function, np.float64) if numbers is None else numbers
        numbers, form = np.empty(len(self)), np.empty(len(self), np.uint8)
        plain.read_numbers(*column, numbers, form)
        rows = np.flatnonzero((form == plain.ASK) | (form == plain.COMMA))
        numbers[rows] = self._of_rows(column, rows, function, np.float64)
        return numbers

    def forms(self, column: Column) -> NDArray[np.uint8]:
        """The forms of texts that may be numbers: `THOUSANDS`, `COMMA`, or others."""
        form = np.full(len(self), plain.PLAIN, np.uint8)
        if isinstance(column, Texts):
            plain.read_numbers(*column, np.empty(len(self)), form)
        return form

    def instants(self, column: Column, received: int, unit: str = "iso", zone: tzinfo = UTC) -> NDArray[np.int64]:
        """As `instant`, for times that need no clamping."""
        times = column.times() if not isinstance(column, Texts) and zone is UTC else None
        if times is None:
            times = self._read_instants(column, received, unit, zone)
        self.undecided |= (times < fields.EARLIEST) | (times > received)
        return times

    def _read_instants(self, column: Column, received: int, unit: str, zone: tzinfo) -> NDArray[np.int64]:
        def read(value: object) -> int:
            at = instant(value, "at", unit, zone)
            if not fields.EARLIEST <= at <= received:  # it may not fit into 64 bits
                raise BadRecord("at", "left to the row-by-row adapter")
            return at

        if not isinstance(column, Texts):
            return self.values(column, read, np.int64)
        times, form = np.zeros(len(self), np.int64), np.full(len(self), plain.ASK, np.uint8)
        if unit == "iso" and zone is UTC:
            plain.read_times(*column, times, form)
        elif unit in SCALES:
            plain.read_counts(*column, SCALES[unit], _DIGITS[unit], times, form)
        rows = np.flatnonzero(form != plain.PLAIN)
        times[rows] = self._of_rows(column, rows, read, np.int64)
        return times

    def properties(self, name: str, column: Column, privacy: Privacy, is_absent: Callable[[Any], bool]) -> Property:
        """A property as JSON, after the rules of privacy; what they leave out is left to the row-by-row adapter."""

        are_texts = isinstance(column, Texts) or column.are_texts

        def kept(value: object) -> str | None:
            if is_absent(value):
                return None
            try:
                event, dropped = privacy.clean(Event("", "", Kind.OTHER, 0, 0, properties={name: value}))
                text = "" if dropped else quoted(event.properties[name])
            except TypeError:  # no JSON holds it: the row-by-row adapter says so, if all else is right
                text = ""
            if text in ("", '""', "null"):
                raise BadRecord(name, "left to the row-by-row adapter")
            return text[1:-1] if are_texts else text

        if not isinstance(column, Texts):
            return Property(self.changed(column, kept), are_texts)
        state = np.full(len(self), plain.ASK, np.uint8)
        # The rules look at nothing of a value but these bytes, so what holds for one plain text holds for all.
        if _or_none(kept, _PROBE) == _PROBE:
            plain.find_special(*column, _SPECIAL, state)
        state[~column.present] = plain.PLAIN
        return Property(self._asked(column, state, kept), are_texts)

    def _plain_or(
        self,
        column: Column,
        function: Function,
        longest: int,
        where: NDArray[np.bool_] | None = None,
        asking: Callable[..., None] | None = None,
    ) -> Texts:
        """The names of a column: those that are plain, but for those that `asking` excepts; and of others what
        `function` makes."""
        texts = column if isinstance(column, Texts) else column.digits()
        if texts is None:
            part = Table({}, np.zeros(len(self), np.bool_))
            names = part.changed(column, function)
            self.undecided |= part.undecided if where is None else part.undecided & where
            return names if where is None else names.only(where)
        texts, state = _trimmed(texts if where is None else texts.only(where), longest)
        if asking is not None:
            asking(*texts, state)
        return self._asked(texts, state, function)

    def _of_rows(self, texts: Texts, rows: NDArray[np.intp], function: Function, dtype: DTypeLike) -> NDArray[Any]:
        """As `values`, of these rows alone."""
        part = Table({}, np.zeros(len(rows), np.bool_))
        results = part.values(texts.rows(rows), function, dtype)
        self.undecided[rows] |= part.undecided
        return results

    def _asked(self, texts: Texts, state: NDArray[np.integer[Any]], function: Function) -> Texts:
        """The texts with what `function` makes of those whose state is not `PLAIN`."""
        rows = np.flatnonzero(state != plain.PLAIN)
        if not len(rows):
            return texts
        codes, values = texts.rows(rows).distinct()
        results = [_or_none(function, value, BadRecord) for value in values]
        failing = np.array([result is BadRecord for result in results])
        self.undecided[rows] |= failing[codes]
        settled = texts_of(["" if result in (None, BadRecord) else str(result) for result in results], codes)
        return texts.replaced(rows, settled)


def _trimmed(texts: Texts, longest: int) -> tuple[Texts, NDArray[np.uint8]]:
    trimmed = Texts(texts.memory, texts.begins.copy(), texts.ends.copy())
    state = np.empty(len(trimmed.begins), np.uint8)
    plain.trim_names(*trimmed, longest, state)
    return trimmed, state


def _or_none(function: Function, value: object, failed: object = None) -> Any:
    """What `function` makes of a value; `failed` where it raises BadRecord."""
    try:
        return function(value)
    except BadRecord:
        return failed
