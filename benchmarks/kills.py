"""Is an event ever lost or there twice, when a process is killed while it moves events between database and history?

    python -m benchmarks.kills [--rounds 60] [--stores sqlite postgresql] [--postgres URL] [--objects] [--seed 1]

In every round a process works on a store: it appends live events, imports, seals, merges segments, erases, merges
customers and takes them apart (`benchmarks.kills_steps`). It is killed with SIGKILL at a random time, or before one of
the things that it does to the disk. The store is opened again and must be, event by event and in log order, what a list
in plain Python says after the steps that were acknowledged, with or without the one that was under way. Then the files
are searched: once another change of the history has finished what was begun, nothing of an erased customer may be in
any column of any file, or in the bytes of the database. States must equal the ones that an audit recomputes.

Every fourth round imports files instead, is killed as often as three times, and then runs through: the log must be the
one that an import without a kill makes.
"""

from __future__ import annotations

import argparse
import copy
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.kills_steps import KINDS, Step, import_all, step, write_files
from benchmarks.report import console, print_claims, print_table
from benchmarks.stores import places
from features.events import Event
from features.journey import JOURNEY
from features.log import is_postgres, open_log
from features.log.contract import EventLog
from features.replay.audit import Oracle, audit, sample
from serving.engine.state import StateStore, open_states
from tests.features.log.samples import Ledger, spelled_batches, spelled_with_texts
from tests.features.log.searching import readable

ROUNDS_OF_A_STORE = 12
"""After so many rounds a store is left, and an empty one begun."""

KILL_WITHIN = 3.0
"""Seconds within which a process is killed, and the most things that another one does to the disk."""
DIE_WITHIN = 40
AUDITED = 25
PATIENCE_SECONDS = 40.0

SEGMENTS, COPIES = "WAYPOST_SEGMENTS", "WAYPOST_SEGMENTS_COPIES"
"""Name the place of the histories of PostgreSQL logs and that of copies, for this process and those that it kills."""

_IDS = re.compile(rb"[mo]\d{6}-\d{5}\.")
_NAMES = re.compile(rb"(?:user|visitor)-\d{4}-of-shop")


@dataclass
class Damage:
    """What was wrong, and how often processes were killed, by what they did."""

    lost: int = 0
    twice: int = 0
    mismatches: int = 0
    remnants: int = 0
    acknowledged: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Keep and print something wrong."""
        self.wrong.append(what)
        console.print(what, style="red", markup=False)


@dataclass
class SentLedger(Ledger):
    """A ledger that knows besides which customers sent something since they were erased: a name of theirs may be kept,
    whatever became of it."""

    sent: set[str] = field(default_factory=set)


class Truth(NamedTuple):
    """What a store must be: the list, and the number of the first step that was not acknowledged."""

    ledger: SentLedger
    following: int


def main() -> None:
    """Kill, compare, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--stores", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite"])
    parser.add_argument("--postgres")
    parser.add_argument("--objects", action="store_true", help="histories of PostgreSQL logs lie in an object store")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    JOURNEY.compile()
    damage: dict[str, Damage] = {}
    with tempfile.TemporaryDirectory() as folder, places(Path(folder), asked.postgres, asked.stores) as stores:
        os.environ[SEGMENTS] = f"{'file://' if asked.objects else ''}{folder}/segments"
        os.environ[COPIES] = f"{folder}/copies"
        write_files(Path(folder) / "files", asked.seed)
        for store in asked.stores:
            damage[store] = torment(stores[store].new, Path(folder) / "files", asked.rounds, asked.seed)
    _report(damage, asked.rounds)


def torment(new: Callable[[], str], files: Path, rounds: int, seed: int) -> Damage:
    """Kill so many processes, every fourth of which imports `files`; `new` gives the URL of an empty store."""
    draw, damage = random.Random(seed), Damage()
    url, truth = new(), Truth(SentLedger(), 0)
    with closing(open_log(reference := new())) as log:
        import_all(log, files)
    for number in range(1, rounds + 1):
        if number % 4 == 0:
            _import_again(new(), reference, files, draw, damage)
        else:
            truth = _round(url, seed, truth, draw, damage)
        console.print(f"round {number} of {rounds}: {damage.acknowledged:,} steps acknowledged, {dict(damage.killed)}")
        if number % ROUNDS_OF_A_STORE == 0:
            url, truth, seed = new(), Truth(SentLedger(), 0), seed + 1000
    return damage


def _killed(what: str, url: str, given: str, first: int, draw: random.Random) -> list[str]:
    """What a process printed until it was killed, after it was ready, or was done."""
    kind = draw.choice(list(KINDS)) if what == "steps" else "import"
    die_at = draw.randrange(1, DIE_WITHIN) if draw.random() < 0.7 else 0
    command = [sys.executable, "-m", "benchmarks.kills_steps", what, url, given, str(first), str(die_at), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            sys.exit(f"a process that should be killed did not begin: {' '.join(command)}")
        if not die_at:
            time.sleep(draw.random() * KILL_WITHIN)
            process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_SECONDS)
        process.kill()
        return process.stdout.read().split()


def _round(url: str, seed: int, truth: Truth, draw: random.Random, damage: Damage) -> Truth:
    """Kill a process that takes steps, and compare."""
    done = len(_killed("steps", url, str(seed), truth.following, draw))
    ledger, following = truth.ledger, truth.following + done
    for number in range(truth.following, following):
        apply(ledger, step(seed, number))
    damage.acknowledged += done
    pending = step(seed, following)
    damage.killed[pending.kind] += 1
    after = copy.deepcopy(ledger)
    apply(after, pending)
    with closing(open_states(url, JOURNEY, 30.0)) as states:
        left = _compared(states.log, ledger, after, damage)
        states.log.keeping.compact()
        _audited(states, draw, damage)
        _searched([*_files_of(url), states.log.keeping.folder], left, pending, damage)
    return Truth(ledger, following)


def apply(ledger: SentLedger, what: Step) -> None:
    """Take a step in plain Python."""
    if what.kind in ("append", "import"):
        ledger.append(what.events, what.kind == "import")
        ledger.sent |= {
            event.customer for event in what.events if event.received >= ledger.erased.get(event.customer, 0)
        }
    elif what.kind == "erase":
        names = ledger.erase(what.customer, what.now)
        ledger.sent -= names
        ledger.events = [(offset, _without(event, names)) for offset, event in ledger.events]
    elif what.kind == "unmerge":
        ledger.unmerge(what.customer, what.now)


def _without(event: Event, names: Collection[str]) -> Event:
    """An event that names none of these as another id of its customer."""
    if event.properties.get("anonymous_id") not in names:
        return event
    return replace(event, properties={key: said for key, said in event.properties.items() if key != "anonymous_id"})


def _spelled(events: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Spelled events without the other ids that some name: an erasure removes them in a transaction of its own."""
    return [(*event[:-1], {key: said for key, said in event[-1].items() if key != "anonymous_id"}) for event in events]


def _compared(log: EventLog, before: SentLedger, after: SentLedger, damage: Damage) -> SentLedger:
    """Compare a log with what it must be before or after the step that was under way. Returns which of them it is."""
    batches = list(log.scan_with_properties())
    there = _spelled(spelled_batches(log, batches))
    for ledger in (after, before):
        if there == _spelled(spelled_with_texts(ledger.in_log_order())) and _members(log, ledger):
            break
    else:
        damage.note("the log is neither what was acknowledged nor that and the step under way")
        damage.mismatches += 1
    ids = Counter(message for batch in batches for message in batch.message_ids)
    surely = {event.message_id for _, event in before.events} & {event.message_id for _, event in after.events}
    damage.lost += len(surely - ids.keys())
    damage.twice += sum(number - 1 for number in ids.values())
    received = [int(moment) for batch in batches for moment in batch.records["received"]]
    if (log.count(), log.span()) != (len(there), (received[0], received[-1]) if received else None):
        damage.note(f"count {log.count()} and span {log.span()} are not those of {len(there)} events")
        damage.mismatches += 1
    return ledger


def _members(log: EventLog, ledger: SentLedger) -> bool:
    known = [name for name in log.customers.names() if name]
    return all(set(log.profile(name)) == ledger.profile(name) for name in known)


def _audited(states: StateStore, draw: random.Random, damage: Damage) -> None:
    oracle = Oracle(JOURNEY)
    names = sample(states.log.customers, AUDITED, draw.randrange(1000))
    wrong = [name for name in names if audit(oracle, states.log, lambda who: states.load(who).states, name)]
    if wrong:
        damage.note(f"the states of {wrong} differ from their events")
    damage.mismatches += len(wrong)


def _files_of(url: str) -> list[Path]:
    """The files and folders of a store, of a PostgreSQL database the folder of its history."""
    if is_postgres(url):
        return [Path(os.environ[SEGMENTS].removeprefix("file://")) / f"history-of-{urlsplit(url).path[1:]}"]
    database = Path(url.removeprefix("sqlite:///"))
    return sorted(database.parent.glob(f"{database.stem}.*"))


def _searched(paths: Sequence[Path], left: SentLedger, pending: Step, damage: Damage) -> None:
    """Search all files for what no event has any more: in the history always, in the database if no erasure was cut."""
    cut = pending.kind == "erase"
    known = [event for _, event in left.events] + ([] if cut else list(pending.events))
    ids = {text.encode() for event in known for text in (event.message_id, event.order_id) if text}
    names = {text for event in known for text in (event.customer, *map(str, event.properties.values()))}
    names |= left.sent | {*left.profiles, *left.profiles.values(), *(name for pair in left.apart for name in pair)}
    for file in paths:
        for part in [file] if file.is_file() else sorted(filter(Path.is_file, file.rglob("*"))):
            if cut and file.is_file():
                continue
            content = readable(part)
            remnants = {*_IDS.findall(content)} - ids | {
                name for name in _NAMES.findall(content) if name.decode() not in names and name.decode() in left.erased
            }
            if remnants:
                damage.note(f"{len(remnants)} remnants in {part.name}: {sorted(remnants)[:3]}")
                damage.remnants += len(remnants)


def _import_again(url: str, reference: str, files: Path, draw: random.Random, damage: Damage) -> None:
    """Kill an import some times, let it run through, and compare with the one that was not killed."""
    for _ in range(draw.randrange(1, 4)):
        if "done" not in _killed("import", url, str(files), 0, draw):
            damage.killed["import of files"] += 1
    with closing(open_log(url)) as log, closing(open_log(reference)) as whole:
        import_all(log, files)
        there, expected = (spelled_batches(store, store.scan_with_properties()) for store in (log, whole))
        damage.lost += (Counter(map(str, expected)) - Counter(map(str, there))).total()
        damage.twice += (Counter(map(str, there)) - Counter(map(str, expected))).total()
        if log.digest() != whole.digest() or there != expected:
            damage.note("an import that was killed made another log than one that was not")
            damage.mismatches += 1


def _report(damage: dict[str, Damage], rounds: int) -> None:
    rows: list[tuple[str, ...]] = [
        (name.replace("_", " "), *(f"{getattr(result, name):,}" for result in damage.values()))
        for name in ("acknowledged", "lost", "twice", "mismatches", "remnants")
    ]
    kinds = sorted({kind for result in damage.values() for kind in result.killed})
    rows += [(f"killed during {kind}", *(f"{result.killed[kind]}" for result in damage.values())) for kind in kinds]
    print_table("After the last round", ("what", *damage), rows)
    claims = {"rounds": rounds, "steps": sum(result.acknowledged for result in damage.values())}
    names = ("lost", "twice", "mismatches", "remnants")
    print_claims("kills", claims | {name: sum(getattr(result, name) for result in damage.values()) for name in names})


if __name__ == "__main__":
    main()
