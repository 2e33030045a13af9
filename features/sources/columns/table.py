"""Some records as columns: every check is the function of the row-by-row adapter, applied to each different value once,
or a proof that a value is plain. Records in which any check fails are left undecided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from features.events import Event, Kind
from features.log.rows import quoted
from features.sources.columns import plain
from features.sources.columns.texts import Texts, distinct, none_of, texts_of
from features.sources.contract import BadRecord
from features.sources.fields import fields
from features.sources.fields.privacy import Privacy
from features.sources.fields.times import SCALES, instant

Function = Callable[[str], Any]
"""What a value means. Raises BadRecord."""

_DIGITS = {"s": 12, "ms": 15, "us": 18}
"""Most digits of a plain count of time in each unit: it is no more than 64 bits of microseconds."""

_PROBE = "x"
_SPECIAL = np.ones(256, np.bool_)
_SPECIAL[32:127] = False
_SPECIAL[list(b'"\\@?#%')] = True
"""The bytes of which JSON escapes some and the rules of privacy look at the others."""


class Table:
    """The values of some records, by column, and which records are `undecided`: left to the row-by-row adapter."""

    def __init__(self, columns: Mapping[str, Texts], undecided: NDArray[np.bool_]) -> None:
        self._columns = columns
        self.undecided = undecided

    def __len__(self) -> int:
        return len(self.undecided)

    def texts(self, column: str | None) -> Texts:
        """The values of a column as they stand; none where there is no such column."""
        return none_of(len(self)) if column is None else self._columns.get(column) or none_of(len(self))

    def names(self, texts: Texts, field: str, longest: int = fields.LONGEST_NAME) -> Texts:
        """As `fields.name`."""
        texts, state = _trimmed(texts, longest)
        return self._asked(texts, state, lambda value: fields.name(value, field, longest))

    def customers(self, texts: Texts) -> Texts:
        """As `fields.customer`, and every record has one."""
        texts, state = _trimmed(texts, fields.LONGEST_NAME)
        plain.ask_of_customers(*texts, state)
        customers = self._asked(texts, state, lambda value: fields.customer(value, "customer"))
        self.undecided |= ~customers.present
        return customers

    def values(self, texts: Texts, function: Function, dtype: DTypeLike) -> NDArray[Any]:
        """What `function` makes of each value, an absent one being an empty text."""
        codes, values = distinct(texts)
        results = np.zeros(len(values), dtype)
        failing = np.zeros(len(values), np.bool_)
        for code, value in enumerate(values):
            try:
                results[code] = function(value)
            except BadRecord:
                failing[code] = True
        self.undecided |= failing[codes]
        return results[codes]

    def changed(self, texts: Texts, function: Function) -> Texts:
        """The text that `function` makes of each value, and none where it gives None."""
        return self._asked(texts, np.where(texts.present, plain.ASK, plain.PLAIN), function)

    def numbers(self, texts: Texts, function: Function) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Numbers as `function` reads them, which reads a plain number as `float` does; and the form of each."""
        numbers, form = np.empty(len(self)), np.empty(len(self), np.uint8)
        plain.read_numbers(*texts, numbers, form)
        rows = np.flatnonzero((form == plain.ASK) | (form == plain.COMMA))
        numbers[rows] = self._of_rows(texts, rows, function, np.float64)
        return numbers, form

    def instants(self, texts: Texts, received: int, unit: str = "iso", zone: tzinfo = UTC) -> NDArray[np.int64]:
        """As `instant`, for times that need no clamping."""
        times, form = np.zeros(len(self), np.int64), np.full(len(self), plain.ASK, np.uint8)
        if unit == "iso" and zone is UTC:
            plain.read_times(*texts, times, form)
        elif unit in SCALES:
            plain.read_counts(*texts, SCALES[unit], _DIGITS[unit], times, form)
        rows = np.flatnonzero(form != plain.PLAIN)
        times[rows] = self._of_rows(
            texts, rows, lambda value: _in_range(instant(value, "at", unit, zone), received), np.int64
        )
        self.undecided |= (times < fields.EARLIEST) | (times > received)
        return times

    def property_texts(self, name: str, texts: Texts, privacy: Privacy) -> Texts:
        """What stands between the quotes of a property in JSON, after the rules of privacy."""

        def kept(value: str) -> str:
            event, dropped = privacy.clean(Event("", "", Kind.OTHER, 0, 0, properties={name: value}))
            if dropped or not event.properties[name]:
                raise BadRecord(name, "left to the row-by-row adapter")
            return quoted(event.properties[name])[1:-1]

        state = np.full(len(self), plain.ASK, np.uint8)
        # The rules look at nothing of a value but these bytes, so what holds for one plain text holds for all.
        if _or_none(kept, _PROBE) == _PROBE:
            plain.find_special(*texts, _SPECIAL, state)
        state[~texts.present] = plain.PLAIN
        return self._asked(texts, state, kept)

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
        codes, values = distinct(texts.rows(rows))
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


def _in_range(at: int, received: int) -> int:
    if not fields.EARLIEST <= at <= received:
        raise BadRecord("at", "left to the row-by-row adapter")
    return at


def _or_none(function: Function, value: str, failed: object = None) -> Any:
    """What `function` makes of a value; `failed` where it raises BadRecord."""
    try:
        return function(value)
    except BadRecord:
        return failed
