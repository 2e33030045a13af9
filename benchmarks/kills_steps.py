"""What the processes do that `benchmarks.kills` kills: steps that follow from a seed and a number, and files to import.

    python -m benchmarks.kills_steps steps URL SEED FIRST DIE_AT KIND
    python -m benchmarks.kills_steps import URL FOLDER 0 DIE_AT import

The first takes one step after the other, from the number FIRST, and prints the number of each that is done. The second
imports the files of a folder. With DIE_AT the process kills itself in a step of a kind, before so many things that such
steps do to the disk: a file gets its name, is removed, put away or copied, or a statement of SQLite changes something.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from features.events import HOUR, MINUTE, Channel, Event, Kind
from features.journey import JOURNEY
from features.log.contract import EventLog
from features.log.frame import frame_of
from features.log.sqlite import SqliteLog
from features.sources import import_file
from serving.engine.state import StateStore, open_states

START = 1_760_000_000_000_000
USERS = 60
APPENDED, IMPORTED = 60, 400
KINDS = {"append": 40, "import": 8, "seal": 22, "compact": 12, "erase": 10, "unmerge": 8}
"""The kinds of steps, and how often there is one of each."""

_TO_THE_DISK = ("os.rename", "os.remove", "os.mkdir", "shutil.copyfile")
_READS = ("SELECT", "BEGIN", "PRAGMA", "ROLLBACK", "--")


class Step(NamedTuple):
    """One thing that is done to a store."""

    kind: str
    now: int
    events: tuple[Event, ...] = ()
    customer: str = ""
    """Who is erased or unmerged."""
    before: int = 0
    """What is sealed was received before."""


def step(seed: int, number: int) -> Step:
    """The step of a number."""
    draw = random.Random(f"{seed}-{number}")
    now = START + number * HOUR
    kind = draw.choices(list(KINDS), list(KINDS.values()))[0] if number else "append"
    if kind == "append":
        return Step(kind, now, tuple(_live(draw, number, now)))
    if kind == "import":
        return Step(kind, now, tuple(_past(draw, number, now)))
    customer = draw.choice(_names(draw.randrange(USERS)))
    return Step(kind, now, customer=customer, before=now - draw.randrange(8) * HOUR)


def _names(user: int) -> tuple[str, str]:
    return f"user-{user:04}-of-shop", f"visitor-{user:04}-of-shop"


def _live(draw: random.Random, number: int, now: int) -> Iterator[Event]:
    """Live events; some log a visitor in, some name one, and some repeat messages of another step."""
    for place in range(APPENDED):
        user, visitor = _names(draw.randrange(USERS))
        event = _event(draw, number, place, draw.choice((user, visitor)), now)
        what = draw.random()
        if what < 0.05:
            event = replace(event, customer=user, kind=Kind.IDENTIFY, properties={"anonymous_id": visitor})
        elif what < 0.08:
            event = replace(event, customer=user, properties={"anonymous_id": visitor, "page": place})
        elif what < 0.12:
            event = replace(event, message_id=_message(draw.randrange(number + 1), place))
        yield event


def _past(draw: random.Random, number: int, now: int) -> Iterator[Event]:
    """Events of the past, some with a message of another step."""
    for place in range(IMPORTED):
        moment = now - draw.randrange(number * HOUR + MINUTE)
        event = _event(draw, number, place, draw.choice(_names(draw.randrange(USERS))), moment)
        yield replace(event, message_id=_message(draw.randrange(number + 1), place)) if draw.random() < 0.05 else event


def _event(draw: random.Random, number: int, place: int, customer: str, moment: int) -> Event:
    return Event(
        _message(number, place),
        customer,
        draw.choice((Kind.ITEM_VIEW, Kind.CART_ADD, Kind.PURCHASED_ITEM, Kind.SEARCH)),
        moment,
        moment,
        Channel.WEB,
        item=f"item-{draw.randrange(40)}",
        amount=draw.randrange(100, 9900) / 100,
        order_id=f"o{_message(number, place)[1:]}" if place % 3 == 0 else None,
        properties={"page": place} if place % 4 == 0 else {},
    )


def _message(number: int, place: int) -> str:
    return f"m{number:06}-{place:05}."


def take(states: StateStore, what: Step) -> None:
    """Take a step."""
    log = states.log
    if what.kind == "append":
        states.record(what.events)
    elif what.kind == "import":
        log.append_columns(frame_of(what.events, range(len(what.events))))
    elif what.kind == "seal":
        log.keeping.seal(what.before)
    elif what.kind == "compact":
        log.keeping.compact()
    elif what.kind == "erase":
        states.erase(what.customer, what.now)
    else:
        states.unmerge(what.customer, what.now)


def write_files(folder: Path, seed: int) -> None:
    """Files to import, that have records in common: views and purchases of REES46, and log-ins as JSON lines."""
    draw = random.Random(seed)
    folder.mkdir()
    lines = [_rees46(draw) for _ in range(6_000)]
    for number in range(4):
        part = [*lines[1000 * number : 1000 * number + 3000], "2026-03-01 08:00:00 UTC,gaze,1,1,,,1.0,1,s"]
        head = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
        (folder / f"{2 * number}.csv").write_text("\n".join([head, *part]) + "\n")
        (folder / f"{2 * number + 1}.jsonl").write_text("\n".join(_login(draw, place) for place in range(300)) + "\n")


def _rees46(draw: random.Random) -> str:
    moment = f"2025-10-{draw.randrange(1, 29):02} {draw.randrange(24):02}:{draw.randrange(60):02}:00 UTC"
    kind, item = draw.choice(("view", "view", "cart", "purchase")), draw.randrange(1000, 1100)
    return f"{moment},{kind},{item},20{item % 7},home.lamp,lumo,{draw.randrange(9900) / 100},{draw.randrange(500)},s"


def _login(draw: random.Random, place: int) -> str:
    user, visitor = _names(draw.randrange(USERS))
    kind = draw.choice(("IDENTIFY", "ITEM_VIEW"))
    properties = {"anonymous_id": visitor} if kind == "IDENTIFY" else {}
    moment = f"2025-11-{draw.randrange(1, 29):02}T08:00:00Z"
    record = {"message_id": f"w{draw.randrange(900)}", "customer": user, "kind": kind, "at": moment}
    return json.dumps(record | {"properties": properties, "amount": place} if properties else record)


def import_all(log: EventLog, folder: Path) -> None:
    """Import the files of a folder."""
    for file in sorted(folder.iterdir()):
        import_file(log, file, "rees46" if file.suffix == ".csv" else "waypost", received=START + 900 * HOUR)


class _Death:
    """Kills this process before it does so many things to the disk in steps of a kind."""

    def __init__(self, things: int, kind: str, log: EventLog) -> None:
        self._left = things
        self._kind = kind
        self.pending = ""
        sys.addaudithook(lambda name, _: self._count() if name in _TO_THE_DISK else None)
        if (connection := getattr(log, "connection", None)) is not None:
            connection.set_trace_callback(lambda text: None if text.startswith(_READS) else self._count())

    def _count(self) -> None:
        self._left -= self.pending == self._kind
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Do as the arguments say."""
    what, url, given, first, die_at, kind = sys.argv[1:]
    _warm()
    states = open_states(url, JOURNEY, 30.0)
    death = _Death(int(die_at), kind, states.log)
    print("ready", flush=True)
    if what == "import":
        death.pending = "import"
        import_all(states.log, Path(given))
        print("done", flush=True)
        return
    number = int(first)
    while True:
        following = step(int(given), number)
        death.pending = following.kind
        take(states, following)
        print(number, flush=True)
        number += 1


def _warm() -> None:
    """Do once what takes long the first time."""
    with tempfile.TemporaryDirectory() as folder, closing(SqliteLog(Path(folder) / "log.db")) as warm:
        warm.append_columns(frame_of(step(0, 0).events, range(APPENDED)))
        warm.append(step(0, 0).events)


if __name__ == "__main__":
    main()
