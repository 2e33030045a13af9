"""The journal of a log, kept in files: a question reads them, and only what changed since is read from the log.

    Kept(folder).journal(log)  ->  Journal

The files hold the journal at one offset of the log, in the columns of `Journal`, mapped into memory when they are used.
Customers with anything written since are read anew and take the place of what the files say of them. When these are
many, or somebody was erased, the files are written anew. They hold codes and no names, and may be deleted at any time.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features import files
from features.events import EVENT
from features.grouping import histories
from features.identity.periods import connected_components
from features.log.contract import EventLog
from features.log.membership import NO_MERGES
from features.replay.snapshots import Past
from insights.journal.answer import Answer
from insights.journal.answers import answer
from insights.journal.columns import Journal, journal_of, spliced
from insights.journal.question import Question

MANY = 0.05
"""Share of the customers that may be read anew for each question; with more, the files are written anew."""

_MANIFEST = "journal.json"


@dataclass(frozen=True)
class Mark:
    """Which log a kept journal is of, and how far it goes."""

    log: str
    """Its `identity`."""
    offset: int
    erasures: int
    folder: str
    """The folder of its columns, beside the manifest."""


class Kept:
    """The journal of a log, kept in `folder`, and its answers, kept in memory while the log stays the same.

    Any number of processes may use one folder. Of two that write at once, the later one counts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark: Mark | None = None
        self._base: Journal | None = None
        self._generation = ""
        self._journal: Journal | None = None
        self._answers: dict[Question, Answer] = {}

    def answer(self, log: EventLog, question: Question) -> Answer:
        """The answer to a question about the log as it is now."""
        journal = self.journal(log)
        if question not in self._answers:
            self._answers[question] = answer(journal, question)
        return self._answers[question]

    def journal(self, log: EventLog) -> Journal:
        """The journal of the log as it is now."""
        generation = log.digest()
        if self._journal is None or generation != self._generation:
            self._journal, self._generation = self._current(log), generation
            self._answers.clear()
        return self._journal

    def forget(self) -> None:
        """Delete the files: they are made anew for the next question."""
        self._journal = self._base = self._mark = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _current(self, log: EventLog) -> Journal:
        now = Mark(log.identity(), log.offset(), log.erasures(), "")
        mark, base = self._load()
        known = mark is not None and (mark.log, mark.erasures) == (now.log, now.erasures) and mark.offset <= now.offset
        if mark is None or base is None or not known:
            return self._write(whole_journal(log), now)
        if mark.offset == now.offset:
            return base
        codes = _touched(log, mark.offset)
        if len(codes) > MANY * len(base.customers):
            return self._write(whole_journal(log), now)
        return spliced(base, _of(log, codes), codes)

    def _load(self) -> tuple[Mark | None, Journal | None]:
        """The mark of the files, and their journal; None twice when there is none that can be read."""
        try:
            mark = Mark(**json.loads((self._folder / _MANIFEST).read_text(encoding="utf-8")))
            if mark != self._mark:
                columns = self._folder / mark.folder
                arrays = [np.load(columns / f"{field.name}.npy", mmap_mode="r") for field in fields(Journal)]
                self._mark, self._base = mark, Journal(*arrays)
        except (OSError, ValueError, TypeError):
            return None, None
        return self._mark, self._base

    def _write(self, journal: Journal, now: Mark) -> Journal:
        """Keep a journal in place of the one before."""
        columns = self._folder / f"{now.offset:012}-{now.erasures:06}"
        columns.mkdir(mode=0o700, parents=True, exist_ok=True)
        for field in fields(Journal):
            draft = columns / f"{files.draft_prefix(field.name)}npy"
            np.save(draft, getattr(journal, field.name))
            draft.replace(columns / f"{field.name}.npy")
        mark = replace(now, folder=columns.name)
        files.replace(self._folder / _MANIFEST, json.dumps(vars(mark)), durable=False)
        self._mark, self._base = mark, journal
        for other in self._folder.iterdir():
            if other.is_dir() and other != columns:
                shutil.rmtree(other, ignore_errors=True)  # mapped files stay readable until they are closed
        return journal


def whole_journal(log: EventLog) -> Journal:
    """The journal of a whole log, from some millions of events at a time."""
    merges = log.merges()
    named = connected_components(merges)[0]
    parts = [journal_of(Past(part.without(named), np.empty(0, EVENT), merges)) for part in log.by_customer()]
    return spliced(_joined(parts), _of(log, named), named)


def _touched(log: EventLog, offset: int) -> NDArray[np.int32]:
    """The codes of the customers with anything written above an offset, and of all they were ever merged with."""
    codes = log.changed(offset)
    named, components = connected_components(log.merges())
    touched = np.unique(components[np.isin(named, codes)])
    return np.union1d(codes, named[np.isin(components, touched)]).astype(np.int32)


def _of(log: EventLog, codes: NDArray[np.int32]) -> Journal:
    """The journal of some ids, and of all they were ever merged with."""
    return journal_of(Past(histories([]), log.together(codes), log.merges()))


def _joined(parts: list[Journal]) -> Journal:
    """Journals of different customers, by rising code, as one."""
    empty = journal_of(Past(histories([]), np.empty(0, EVENT), NO_MERGES))
    whole = [empty, *parts]
    starts = np.concatenate([[0], *(np.diff(part.starts) for part in whole)]).cumsum()
    columns = (np.concatenate([getattr(part, field.name) for part in whole]) for field in fields(Journal)[2:])
    return Journal(np.concatenate([part.customers for part in whole]), starts, *columns)
