"""What became of the records of a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from features.sources.contract import BadRecord

EXAMPLES = 3
"""Most rejected records, and most values left out, that a report lists one by one."""

_COUNTS = ("records", "accepted", "duplicates", "repeated", "skipped", "rejected", "dropped")


@dataclass
class ImportReport:
    """What became of a file. Every record is accepted, skipped or rejected; one record may make several events."""

    source: str
    records: int = 0
    """Records read."""
    accepted: int = 0
    """Events new in the log."""
    duplicates: int = 0
    """Events the log already had, by message id."""
    repeated: int = 0
    """Of the duplicates, those whose message id another record of the same batch of the file has."""
    skipped: int = 0
    """Records left out on purpose, by the source's or the mapping's own rule."""
    rejected: int = 0
    """Records kept as dead letters, those included that an earlier import kept already."""
    dropped: int = 0
    """Properties dropped, because no list allows their names (`features.sources.fields.privacy`)."""
    faults: Counter[str] = field(default_factory=Counter)
    """How many records were rejected for each field; the empty name counts those that could not be read at all."""
    examples: list[str] = field(default_factory=list)
    """The first few rejected records: where each stood, its field at fault and the reason."""
    unread: Counter[str] = field(default_factory=Counter)
    """How many values were left out of accepted records, by what is wrong with them."""
    unread_examples: list[str] = field(default_factory=list)
    """The first few of these values: where each stood, and the reason."""

    def add(self, part: ImportReport, where: str = "") -> None:
        """Add the report on a part of what this one is on; `where` names the part before each of its examples."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(part, name))
        self.faults += part.faults
        self.unread += part.unread
        self.examples += [where + line for line in part.examples]
        self.unread_examples += [where + line for line in part.unread_examples]
        del self.examples[EXAMPLES:], self.unread_examples[EXAMPLES:]

    def reject(self, position: int, bad: BadRecord) -> None:
        """Count a rejected record, and list it when it is among the first."""
        self.rejected += 1
        self.faults[bad.field] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{self.source}:{position} {bad.field}: {bad.reason}")

    def leave_out(self, position: int, bad: BadRecord, reason: str) -> None:
        """Count a value that was left out of a record, and list it when it is among the first."""
        self.unread[bad.code] += 1
        if len(self.unread_examples) < EXAMPLES:
            self.unread_examples.append(f"{self.source}:{position} {bad.field}: {reason}")
