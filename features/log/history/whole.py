"""A log read as a whole: its history, and the live events of its database.

Live events come as rows of the columns of `EVENT` and the offset, and of their texts where a function says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from features.events import EVENT
from features.histories import Histories
from features.log.contract import Records
from features.log.history import customers, scanning
from features.log.history.history import Codes, History
from features.log.history.records import Piece, in_log_order
from features.log.history.scanning import NO_TEXTS, Run, batch_of
from features.log.rows import Selection

__all__ = ["batch_of", "by_customer", "piece_of_rows", "scan", "together"]

Rows = Sequence[tuple[Any, ...]]

_NUMBERED = np.dtype([*((name, EVENT[name]) for name in EVENT.names or ()), ("offset", np.int64)])


def scan(history: History, live: Iterable[Rows], selection: Selection, size: int, *, texts: bool) -> Iterator[Run]:
    """The selected events in log order, at most `size` each; `live` has them selected and in log order, with `texts`
    if so."""
    yield from scanning.scan(history, (_run(chunk, texts=texts) for chunk in live), selection, size=size, texts=texts)


def by_customer(history: History, live: Iterable[Rows], until: int | None) -> Iterator[Histories]:
    """The histories of some customers after the other; `live` is in log order."""
    pieces = list(map(piece_of_rows, live))
    yield from customers.by_customer(history, in_log_order(pieces), until)


def together(history: History | None, live: Iterable[Rows], codes: Codes, selection: Selection) -> Records:
    """The events of some customers in log order, of those that `live` has selected."""
    pieces = [piece.part(np.isin(piece.records["customer"], codes)) for piece in map(piece_of_rows, live)]
    sealed = [] if history is None else [history.of(codes)]
    whole = in_log_order([*sealed, *pieces]).records
    return whole[whole["received"] <= selection.last]


def piece_of_rows(live: Rows) -> Piece:
    """Live events as records."""
    numbered = np.array(live, _NUMBERED)
    records = np.empty(len(numbered), EVENT)
    for name in EVENT.names or ():
        records[name] = numbered[name]
    return Piece(records, numbered["offset"].copy())


def _run(live: Rows, *, texts: bool) -> Run:
    if not texts:
        return Run(*piece_of_rows(live), NO_TEXTS)
    held = np.empty((3, len(live)), object)
    for number in range(3):
        held[number] = [row[number - 3] for row in live]
    return Run(*piece_of_rows([row[:-3] for row in live]), held)
