"""A generation of the scoreboard on disk: one sweep of all customers, and what was refreshed since.

    report.json             when and by what it was made, the insights
    revision-N.json         since the N-th refresh: up to which event, how many rows and customers, the segments
    customers.npy           int32[capacity], the customers' codes in the log
    columns.npy             float32[columns, capacity], features and probabilities, in the order the report names them
    SEGMENT-N.npy           int32[candidates], places in the columns, in the segment's order, since the N-th refresh
    reasons.json            why the probabilities of the first members are what they are, by target and row

Rows are only ever added: a customer who changed gets a new row, and the places of the next revision point to it. So a
reader in any process sees whole rows however long it reads, and all pages of a segment come from one revision. Room for
new rows takes no disk space until it is used: the files are sparse.

Only the row of a customer who must not be shown any more is overwritten: the code by `BLANK`, all columns by NaN. Other
processes that have mapped the files see this at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.files import replace
from insights.catalogue import INSIGHTS
from insights.insight import Schema
from insights.segments import SEGMENTS

REPORT = "report.json"
REVISION = "revision-{}.json"
CUSTOMERS = "customers.npy"
COLUMNS = "columns.npy"
PLACES = "{}-{}.npy"
REASONS = "reasons.json"

BLANK = -1
"""The code in unused rows, and in rows of customers who were erased, were merged or withdrew after the sweep."""

LAST_REVISION = 9999

SPARE, LEAST_SPARE = 1 / 4, 4096
"""Room for new rows, as a share of the customers and in rows: when it is used up, all are swept."""


def catalogue_digest() -> str:
    """A hash that differs between releases with different segments or insights.

    Of a segment it covers name, rule, ordering and size; of an insight name and schema of the answer.
    """
    segments = [
        (segment.name, str(segment.rule), str(segment.order_by), segment.ordering, segment.size)
        for segment in SEGMENTS.values()
    ]
    answers = [(insight.name, _schema(insight.schema)) for insight in INSIGHTS.values()]
    return hashlib.sha256(json.dumps([segments, answers]).encode()).hexdigest()[:16]


@cache
def _schema(answer: type[Schema]) -> dict[str, Any]:
    """The JSON schema of an answer, which takes milliseconds to make and is always the same."""
    return answer.model_json_schema()


Reasons = dict[str, dict[int, list[dict[str, Any]]]]
"""By target and row: the reasons of the row's probability, strongest first."""


class Rows:
    """The rows of a generation, mapped into memory when they are first looked at: all processes share them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def customers(self) -> NDArray[np.int32]:
        """int32[capacity]."""
        codes: NDArray[np.int32] = np.load(self.folder / CUSTOMERS, mmap_mode="r")
        return codes

    @cached_property
    def matrix(self) -> NDArray[np.float32]:
        """float32[columns, capacity]."""
        values: NDArray[np.float32] = np.load(self.folder / COLUMNS, mmap_mode="r")
        return values


@dataclass(frozen=True)
class Generation:
    """One sweep of all customers with what was refreshed until some moment, read from its folder."""

    rows: Rows
    report: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self.rows.folder

    @property
    def revision(self) -> int:
        """How often it was refreshed."""
        return int(self.report["revision"])

    @property
    def oldest(self) -> int:
        """The oldest revision that is kept."""
        return int(self.report["oldest"])

    @property
    def name(self) -> str:
        """Its name in a cursor: eight digits for the sweep and, once refreshed, four for the revision."""
        return f"{self.folder.name}{self.revision:04d}" if self.revision else self.folder.name

    @property
    def as_of(self) -> int:
        """The moment of the sweep, microseconds UTC. Rows refreshed since are of a later moment."""
        return int(self.report["as_of"])

    @property
    def refreshed(self) -> int:
        """The moment of the newest rows, microseconds UTC."""
        return int(self.report["refreshed"])

    @property
    def offset(self) -> int:
        """Every event of the log up to this offset is in it."""
        return int(self.report["offset"])

    @property
    def count(self) -> int:
        """How many customers there are."""
        return int(self.report["customers"])

    @property
    def used(self) -> int:
        """How many rows there are, those included that were replaced since."""
        return int(self.report["rows"])

    @cached_property
    def customers(self) -> NDArray[np.int32]:
        """Codes of the customers, one per row; a customer's last row is the newest. `BLANK` where nobody is shown."""
        return self.rows.customers[: self.used]

    @cached_property
    def columns(self) -> dict[str, NDArray[np.float32]]:
        """Every feature and probability by name, one value per row."""
        return dict(zip(self.report["columns"], self.rows.matrix[:, : self.used], strict=True))

    def members(self, segment: str, size: float | None = None) -> NDArray[np.int32]:
        """Places of a segment's members in the columns, in its order; of its own size when none is given.

        KeyError for an unknown segment, ValueError for an invalid size.
        """
        candidates = self.candidates(segment)
        return candidates[: SEGMENTS[segment].count(len(candidates), size)]

    def candidates(self, segment: str) -> NDArray[np.int32]:
        """Places of the customers for whom a segment's rule holds, in its order. KeyError for an unknown segment."""
        made = self.report["places"][segment]
        places: NDArray[np.int32] = np.load(self.folder / PLACES.format(segment, made), mmap_mode="r")
        return places

    def reasons(self) -> Reasons:
        """Why the probabilities of the first members of the segments are what they are."""
        return read_reasons(self.folder)

    def everyone(self) -> NDArray[np.int64]:
        """The place of every customer's row, by rising code."""
        placed = placed_by_code(self.customers)
        return placed[placed >= 0]


def placed_by_code(customers: NDArray[np.int32]) -> NDArray[np.int64]:
    """The place of the newest row of each code, -1 where there is none: int64[highest code + 1]."""
    placed = np.full(int(customers.max(initial=-1)) + 1, -1)
    shown = np.flatnonzero(customers != BLANK)
    placed[customers[shown]] = shown  # of equal codes the last counts
    return placed


def read_generation(folder: Path, revision: int, rows: Rows | None = None) -> Generation:
    """The generation in a folder as of one revision; `rows` are used instead of mapping the files again.

    Raises OSError or ValueError when it is gone or damaged.
    """
    report, changes = (json.loads((folder / name).read_bytes()) for name in (REPORT, REVISION.format(revision)))
    return Generation(rows or Rows(folder), report | changes)


def blank_rows(folder: Path, places: NDArray[np.intp]) -> None:
    """Overwrite rows so that nothing is left of them.

    The codes go last: should the process be killed in between, they show which rows are left to blank.
    """
    if not len(places):
        return
    gone, before = set(places.tolist()), read_reasons(folder)
    kept = {
        target: {row: reasons for row, reasons in rows.items() if row not in gone} for target, rows in before.items()
    }
    if kept != before:
        write_reasons(folder, kept)
    customers, columns = opened(folder)
    columns[:, places] = np.nan
    columns.flush()
    customers[places] = BLANK
    customers.flush()


def read_reasons(folder: Path) -> Reasons:
    """The reasons in a generation's folder; empty when there are none."""
    try:
        stored = json.loads((folder / REASONS).read_bytes())
    except FileNotFoundError:
        return {}
    return {target: {int(row): reasons for row, reasons in rows.items()} for target, rows in stored.items()}


def write_reasons(folder: Path, reasons: Reasons) -> None:
    """Replace the reasons in a generation's folder atomically."""
    replace(folder / REASONS, json.dumps(reasons, allow_nan=False), durable=False)


def opened(folder: Path) -> tuple[np.memmap[Any, Any], np.memmap[Any, Any]]:
    """The codes and the columns of a generation, writable."""
    customers, columns = (np.load(folder / name, mmap_mode="r+") for name in (CUSTOMERS, COLUMNS))
    return customers, columns


def created(folder: Path, columns: int, customers: int) -> tuple[np.memmap[Any, Any], np.memmap[Any, Any]]:
    """The codes and the columns of a new generation, with room for `customers` and for refreshed rows."""
    capacity = customers + max(LEAST_SPARE, int(SPARE * customers))
    codes = np.lib.format.open_memmap(folder / CUSTOMERS, "w+", np.int32, (capacity,))
    codes[:] = BLANK
    return codes, np.lib.format.open_memmap(folder / COLUMNS, "w+", np.float32, (columns, capacity))
