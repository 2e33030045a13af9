"""Maintenance while the server answers: the rebuild of the states after a change of features, the audit, and sealing.

The process that holds the lock does all of it for all workers on a machine, and reports to the others through a file
beside the scoreboard.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from features import files
from features.fold.fold import Fold
from features.log.contract import Vocabulary
from features.replay.audit import Oracle, audit
from serving import metrics
from serving.engine.engine import Engine
from serving.engine.leader import LeaderLock
from serving.process.sealing import PAUSE_SECONDS, Sealing

LOCK = "UPKEEP"
REPORT = "upkeep.json"

HEARTBEAT_SECONDS = 1.0
"""Longest pause between two checks whether the store was replaced, or the process that leads is gone."""

PROGRESS_SECONDS = 0.5
"""Least time between two reports of the progress of a rebuild."""

MOST_EVENTS = 2_000
"""Customers with more events are left to `waypost audit`: the oracle would take too much of a worker's time."""

DRAWS = 20
"""Codes drawn at most to find one that has a name."""


class Stopped(Exception):
    """A rebuild was interrupted because the server stops."""


@dataclass(frozen=True)
class MaintenanceReport:
    """How far the rebuild is, and what the audit found."""

    fingerprint: str
    rebuilt: bool = False
    done: int = 0
    total: int = 0
    """Customers replayed, and customers in all; 0 of 0 before that is known."""
    audited: int = 0
    mismatched: tuple[int, ...] = ()
    """Codes of the customers whose states the audit found wrong and that are not corrected yet."""


class Maintenance:
    """The maintenance of one store, with its report in `folder`. Only one thread may call `round`, any `report`.

    Every `audit_seconds` a customer is audited; 0 audits nobody.
    """

    def __init__(self, folder: Path, fold: Fold, audit_seconds: float, seed: int, sealing: Sealing) -> None:
        self._folder = folder
        self._fold = fold
        self._audit_seconds = audit_seconds
        self._random = random.Random(seed)
        self._sealing = sealing
        self._leader = LeaderLock(folder / LOCK)
        self._rebuilt: object = None
        self._own = MaintenanceReport(fold.fingerprint)
        self._oracle: Oracle | None = None
        self._width = 1
        self._reported = 0.0
        self._due = 0.0
        self._stopping = False

    def report(self) -> MaintenanceReport:
        """The newest report of the process that leads; an empty one when it is about another fold."""
        try:
            fields = json.loads((self._folder / REPORT).read_text(encoding="utf-8"))
            report = MaintenanceReport(**{**fields, "mismatched": tuple(fields["mismatched"])})
        except (OSError, ValueError, TypeError, KeyError):
            return MaintenanceReport(self._fold.fingerprint)
        return report if report.fingerprint == self._fold.fingerprint else MaintenanceReport(self._fold.fingerprint)

    def round(self, engine: Engine) -> float:
        """Do what is due. Returns the seconds to pause. Raises a `LogError`."""
        if not self._leader.held():
            return HEARTBEAT_SECONDS
        if self._rebuilt != engine.states.identity:
            self._rebuild(engine)
        elif self._audit_seconds and time.monotonic() >= self._due:
            self._due = time.monotonic() + self._audit_seconds
            self._audit(engine)
        elif self._sealing.round(lambda: engine.states.log):
            return PAUSE_SECONDS
        return min(self._audit_seconds or HEARTBEAT_SECONDS, HEARTBEAT_SECONDS)

    def stop(self) -> None:
        """Interrupt a rebuild at its next step; it continues from there when the server is started again."""
        self._stopping = True

    def release(self) -> None:
        """Let another process do the maintenance."""
        self._leader.release()

    def _rebuild(self, engine: Engine) -> None:
        """Replay every customer whose state is missing or does not fit."""
        self._tell(MaintenanceReport(self._fold.fingerprint))
        engine.states.heal(self._progress)
        self._tell(replace(self._own, rebuilt=True))
        self._rebuilt = engine.states.identity

    def _progress(self, done: int, total: int) -> None:
        if self._stopping:
            raise Stopped
        if time.monotonic() - self._reported > PROGRESS_SECONDS:
            self._reported = time.monotonic()
            self._tell(replace(self._own, done=done, total=total))

    def _audit(self, engine: Engine) -> None:
        """Audit one more customer, and again those whose states were wrong."""
        log, states = engine.states.log, engine.states
        self._oracle = self._oracle or Oracle(self._fold)
        names = []
        for code in self._own.mismatched:
            name = _named(log.customers, code)
            names += [] if name is None else [name]  # erased, and its state with it
        drawn = self._draw(log.customers)
        if drawn is not None and len(log.history(drawn)) <= MOST_EVENTS:
            names.append(drawn)
        if not names:
            return
        audits = [audit(self._oracle, log, lambda who: states.load(who).states, name) for name in names]
        wrong = sorted({mismatch.code for mismatch in audits if mismatch is not None})
        metrics.AUDITED.inc(len(names))
        self._tell(replace(self._own, audited=self._own.audited + len(names), mismatched=tuple(wrong)))

    def _draw(self, customers: Vocabulary) -> str | None:
        """A random customer, all equally likely. Does not read all names: there may be millions."""
        while any(_named(customers, self._width + step) for step in range(4)):
            self._width *= 2
        codes = (self._random.randrange(self._width + 4) for _ in range(DRAWS))
        return next((name for name in (_named(customers, code) for code in codes) if name is not None), None)

    def _tell(self, report: MaintenanceReport) -> None:
        self._own = report
        metrics.MISMATCHES.set(len(report.mismatched))
        metrics.REBUILT.set(1.0 if report.rebuilt else report.done / max(report.total, 1))
        files.replace(self._folder / REPORT, json.dumps(asdict(report)), durable=False)


def _named(customers: Vocabulary, code: int) -> str | None:
    try:
        return customers.name(code)
    except LookupError:
        return None
