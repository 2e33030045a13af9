"""A generation of the scoreboard on disk: one sweep of all customers, and what was refreshed since.

    report.json             when and by what it was made, the insights
    revision-N.json         since the N-th refresh: up to which event, how many rows and customers, the segments
    customers.npy           int32[capacity], the customers' codes in the log
    columns.npy             float32[columns, capacity], features and probabilities, in the order the report names them
    SEGMENT-N.npy           int32[candidates], places in the columns, in the segment's order, since the N-th refresh
    reasons.json            why the probabilities of the first members are what they are, by target and row

Rows are only ever added: a customer who changed gets a new one, and the places of the next revision lead there. So a
reader in any process finds whole rows however long it reads, and a page of a segment goes on in the revision it began
in. The room for new rows costs nothing until it is used: the files have holes.

The one thing that is overwritten is the row of somebody who is not to be shown any more: `BLANK` in the place of the
code, NaN in all columns. What other processes have mapped is blank at the same moment.
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
"""In the place of the code of a customer who was erased, joined another or withdrew after the sweep, and of nobody."""

LAST_REVISION = 9999

SPARE, LEAST_SPARE = 1 / 4, 4096
"""Room for new rows, as a share of the customers and in rows: when it is used up, all are swept."""


def catalogue_digest() -> str:
    """What tells this release's segments and insights from those of another, hashed.

    Of a segment its name, rule and ordering; of an insight its name and the schema of its answer.
    """
    segments = [(each.name, str(each.rule), str(each.order_by), each.ordering, each.size) for each in SEGMENTS.values()]
    answers = [(each.name, _schema(each.schema)) for each in INSIGHTS.values()]
    return hashlib.sha256(json.dumps([segments, answers]).encode()).hexdigest()[:16]


@cache
def _schema(answer: type[Schema]) -> dict[str, Any]:
    """Its JSON schema, which takes milliseconds to make and is always the same."""
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
        """Where it stands."""
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
        """What a cursor calls it: eight digits for the sweep and, once refreshed, four for the revision."""
        return f"{self.folder.name}{self.revision:04d}" if self.revision else self.folder.name

    @property
    def as_of(self) -> int:
        """The moment of the sweep, microseconds UTC. What changed since speaks of a later one."""
        return int(self.report["as_of"])

    @property
    def refreshed(self) -> int:
        """The moment that the newest rows speak of, microseconds UTC."""
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
        """Codes of the customers, one per row, the newest row of each being the last; `BLANK` where nobody is shown."""
        return self.rows.customers[: self.used]

    @cached_property
    def columns(self) -> dict[str, NDArray[np.float32]]:
        """Every feature and probability by name, one value per row."""
        return dict(zip(self.report["columns"], self.rows.matrix[:, : self.used], strict=True))

    def members(self, segment: str, size: float | None = None) -> NDArray[np.int32]:
        """Places of a segment's members in the columns, in its order; of its own size when none is given.

        KeyError for an unknown segment, ValueError for a size that is none.
        """
        found = self.candidates(segment)
        return found[: SEGMENTS[segment].count(len(found), size)]

    def candidates(self, segment: str) -> NDArray[np.int32]:
        """Places of those for whom a segment's rule holds, in its order. KeyError for an unknown segment."""
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
    """The generation in a folder as it was after so many refreshes, on rows that are mapped already if there are some.

    Raises OSError or ValueError when it is gone or damaged.
    """
    told = [json.loads((folder / each).read_bytes()) for each in (REPORT, REVISION.format(revision))]
    return Generation(rows or Rows(folder), told[0] | told[1])


def blank_rows(folder: Path, places: NDArray[np.intp]) -> None:
    """Overwrite rows so that nothing is left of them.

    The codes go last: by them the rows are found again, should the process be killed in between.
    """
    if not len(places):
        return
    gone, before = set(places.tolist()), read_reasons(folder)
    kept = {target: {row: told for row, told in each.items() if row not in gone} for target, each in before.items()}
    if kept != before:
        write_reasons(folder, kept)
    customers, columns = opened(folder)
    columns[:, places] = np.nan
    columns.flush()
    customers[places] = BLANK
    customers.flush()


def read_reasons(folder: Path) -> Reasons:
    """The reasons in a generation's folder; none when none were made."""
    try:
        told = json.loads((folder / REASONS).read_bytes())
    except FileNotFoundError:
        return {}
    return {target: {int(row): each for row, each in rows.items()} for target, rows in told.items()}


def write_reasons(folder: Path, reasons: Reasons) -> None:
    """Put reasons in the place of those in a generation's folder, at once."""
    replace(folder / REASONS, json.dumps(reasons, allow_nan=False), durable=False)


def opened(folder: Path) -> tuple[np.memmap[Any, Any], np.memmap[Any, Any]]:
    """The rows of a generation, to be written: the codes, and the columns."""
    customers, columns = (np.load(folder / name, mmap_mode="r+") for name in (CUSTOMERS, COLUMNS))
    return customers, columns


def created(folder: Path, columns: int, customers: int) -> tuple[np.memmap[Any, Any], np.memmap[Any, Any]]:
    """Likewise of a new generation with room for so many customers, and for what changes."""
    capacity = customers + max(LEAST_SPARE, int(SPARE * customers))
    codes = np.lib.format.open_memmap(folder / CUSTOMERS, "w+", np.int32, (capacity,))
    codes[:] = BLANK
    return codes, np.lib.format.open_memmap(folder / COLUMNS, "w+", np.float32, (columns, capacity))
