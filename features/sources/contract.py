"""What a source is: how a known format is read record by record, and how a record becomes events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from features.events import Event

SAMPLES = Path(__file__).with_name("samples")
"""Where the samples of every source lie, good (`NAME.*`) and broken (`NAME.broken.*`)."""


class SourceError(Exception):
    """An import cannot start, or cannot go on; the message says why, and what to do."""


class SourceUnknown(SourceError):
    """No source has this name."""


class FileUnreadable(SourceError):
    """The file is missing, damaged, or not in the form the source expects."""


class MappingInvalid(SourceError):
    """The TOML mapping says something that no mapping may say."""


class NothingAccepted(SourceError):
    """A file was read to its end, and no record of it became an event."""


class BadRecord(Exception):
    """One record cannot become events: `field` names the field at fault, `reason` says why and shows the value.

    `field` is empty when the record could not be read at all. `code` is one of a few words for the kind of fault, used
    as a label of the metrics.
    """

    def __init__(self, field: str, reason: str, code: str = "unreadable") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason
        self.code = code

    def named(self, fields: Mapping[str, str]) -> BadRecord:
        """The same fault, with the name that the field has in the record itself."""
        return BadRecord(fields.get(self.field, self.field), self.reason, self.code)


Unread = list[BadRecord]
"""Values that could not be read and were left out, while the rest of their record became events."""


def shown(value: object) -> str:
    """A value as an error message shows it: short, on one line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class Record(NamedTuple):
    """One record of a file, before it is parsed into events."""

    position: int
    """Line or row in the file, from 1."""
    raw: bytes
    """The record as it came; empty when only `values` exist, as for tables joined in memory."""
    values: Mapping[str, Any]
    """The value of each column; empty when `fault` is given."""
    fault: BadRecord | None = None
    """Why the record could not be read."""
    odd: bool = False
    """Whether the record is not strict JSON, so that its texts may hold half characters (lone surrogates)."""


class Reading(Protocol):
    """A pass over one file, record by record, in bounded memory."""

    @property
    def total(self) -> int:
        """How much there is to read: bytes of a text file, rows of a table."""
        ...

    def done(self) -> int:
        """How much of `total` has been read so far."""
        ...

    def __iter__(self) -> Iterator[Record]:
        """The records, in a single pass. Raises FileUnreadable where the file breaks off."""
        ...


Identity = Callable[[], str]
"""Makes the message id of a record that has none; called once per record at most."""


class Parse(Protocol):
    """How the values of one record become events; an empty list leaves the record out on purpose."""

    def __call__(
        self,
        values: Mapping[str, Any],
        received: int,
        identity: Identity | None = None,
        history: bool = False,
        unread: Unread | None = None,
    ) -> list[Event]:
        """Raises BadRecord naming the field at fault. `received` is when the record arrived, microseconds UTC.

        With `history` (an import of the past) events are `received` when they happened. Without `identity`, a record
        that has no id gets one from its content and `received`. A value that cannot be read, and that the event can do
        without, is left out and added to `unread`; records of tables are refused instead: their file can be corrected.
        """
        ...


class Column(NamedTuple):
    """One column of a source's records, for its documentation and for the check of a file's header."""

    name: str
    meaning: str
    required: bool = False


def required(columns: Iterable[Column]) -> tuple[str, ...]:
    """The names of the columns that every file must have."""
    return tuple(column.name for column in columns if column.required)


@dataclass(frozen=True)
class Source:
    """One known format of raw records."""

    name: str
    doc: str
    """What the format is and how it becomes events: Markdown, for the catalogue."""
    columns: tuple[Column, ...]
    customer: tuple[str, ...]
    """The columns that may name the customer, the best first: a rejected record is kept under its customer."""
    read: Callable[[Path], Reading]
    parse: Parse
    sample: Path
    """File or folder of which every record parses. Beside `NAME.csv` are `NAME.broken.csv`, of which every record has a
    fault, and `NAME.broken.faults`, which gives the position and the field of each fault."""
    keeps: tuple[str, ...] = ()
    """Names of properties that a mapping keeps, beyond those that are always kept (`privacy.NAMES`)."""
    whole_folder: bool = False
    """Whether a folder is one input, as tables that are joined, and not one file after the other."""
