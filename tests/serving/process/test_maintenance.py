"""Maintenance: states rebuilt in the background, customers audited, and every worker told how far it is."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from features.events import Event, Kind, days
from features.journey import JOURNEY
from serving.http.resources.operations import ReadyAnswer
from serving.process import sealing
from serving.process.maintenance import REPORT, Maintenance, Stopped
from serving.process.sealing import Sealing
from tests.serving.answers import ok
from tests.serving.conftest import NOW, Place, serve
from tests.serving.shop import customer


def upkeep_of(place: Place, audit_seconds: float = 1e-9, seed: int = 1) -> Maintenance:
    """Maintenance beside the scoreboard of a place."""
    return Maintenance(place.folder / "scoreboard", JOURNEY, audit_seconds, seed, Sealing(0, lambda: NOW))


def spoil(place: Place, who: str) -> int:
    """Change one byte of a customer's stored state; the customer's code."""
    with closing(sqlite3.connect(place.folder / "waypost.db", isolation_level=None)) as connection:
        code = connection.execute("SELECT code FROM customers WHERE name = ?", (who,)).fetchone()[0]
        state = bytearray(connection.execute("SELECT state FROM states WHERE customer = ?", (code,)).fetchone()[0])
        state[0] ^= 1
        connection.execute("UPDATE states SET state = ? WHERE customer = ?", (bytes(state), code))
    return int(code)


def rounds(maintenance: Maintenance, place: Place, number: int) -> None:
    """So many rounds."""
    engine = place.engine()
    for _ in range(number):
        maintenance.round(engine)
    engine.states.close()


def test_the_first_round_rebuilds_and_all_are_told(place: Place) -> None:
    one, other = upkeep_of(place), upkeep_of(place)
    assert not other.report().rebuilt
    rounds(one, place, 1)
    rounds(other, place, 3)  # one process does it: the other only looks
    assert one.report() == other.report()
    assert other.report().rebuilt and other.report().audited == 0
    with closing(sqlite3.connect(place.folder / "waypost.db")) as connection:
        assert connection.execute("SELECT count(*) FROM states").fetchone()[0] == 200
    one.release()
    rounds(other, place, 3)
    assert other.report().audited == 2  # the first round healed what there was: nothing
    other.release()


def test_a_large_shop_says_how_far_it_is(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    maintenance = upkeep_of(place)
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("serving.process.maintenance.PROGRESS_SECONDS", 0.0)
    engine = place.engine()

    def heal(progress: Any) -> int:
        for done in (50, 100, 200):
            progress(done, 200)
            told.append(json.loads((place.folder / "scoreboard" / REPORT).read_text()))
        return 200

    monkeypatch.setattr(engine.states, "heal", heal)
    maintenance.round(engine)
    assert [(each["rebuilt"], each["done"], each["total"]) for each in told] == [
        (False, 50, 200),
        (False, 100, 200),
        (False, 200, 200),
    ]
    assert maintenance.report().rebuilt
    engine.states.close()
    maintenance.release()


def test_a_rebuild_is_broken_off_when_the_server_stops(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    maintenance, engine = upkeep_of(place), place.engine()
    monkeypatch.setattr(engine.states, "heal", lambda progress: progress(1, 2))
    maintenance.stop()
    with pytest.raises(Stopped):
        maintenance.round(engine)
    assert not maintenance.report().rebuilt
    engine.states.close()
    maintenance.release()


def test_a_wrong_state_is_found_and_told_until_it_is_repaired(place: Place) -> None:
    maintenance = upkeep_of(place)
    rounds(maintenance, place, 1)
    assert not maintenance.report().mismatched
    codes = tuple(sorted(spoil(place, customer(number)) for number in range(0, 200)))
    rounds(maintenance, place, 4)
    found = maintenance.report()
    assert found.audited >= 4 and 1 <= len(found.mismatched) <= 4 and set(found.mismatched) <= set(codes)
    engine = place.engine()
    engine.states.rebuild()
    engine.states.close()
    rounds(maintenance, place, 1)
    assert not maintenance.report().mismatched
    maintenance.release()


def test_every_customer_is_drawn_some_time(place: Place) -> None:
    maintenance = upkeep_of(place)
    engine = place.engine()
    drawn = {maintenance._draw(engine.states.log.customers) for _ in range(4000)}
    assert drawn - {None} == set(engine.states.log.customers.names())
    engine.states.close()


def test_a_report_of_another_fold_or_none_is_not_taken(place: Place) -> None:
    maintenance = upkeep_of(place)
    folder = place.folder / "scoreboard"
    folder.mkdir()
    for text in ("", "{", "[]", '{"fingerprint": "0000", "rebuilt": true, "mismatched": []}', '{"mismatched": 3}'):
        (folder / REPORT).write_text(text)
        assert not maintenance.report().rebuilt


def test_readiness_tells_of_rebuild_audit_and_disk(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(place, WAYPOST_AUDIT_SECONDS="0.01") as client:
        told = ok(client.get("/readyz"), ReadyAnswer)
        assert told["ready"]
        assert {"serving", "model", "store", "rebuild", "audit", "disk", "scoreboard"} <= set(told["checks"])
        for number in range(200):
            spoil(place, customer(number))
        for _ in range(200):
            answer = client.get("/readyz")
            if answer.status_code == 503:
                break
            time.sleep(0.02)
        told = answer.json()["checks"]
        assert not told["audit"]["ok"] and "waypost rebuild" in told["audit"]["detail"]
        assert all(told[name]["ok"] for name in ("serving", "model", "store", "rebuild"))
        monkeypatch.setattr("serving.http.resources.operations.LEAST_FREE_BYTES", 2**62)
        assert not client.get("/readyz").json()["checks"]["disk"]["ok"]


def test_a_rebuild_under_way_is_not_ready_but_answers(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.process.worker.PROMPT_SECONDS", 0.01)
    monkeypatch.setattr(Maintenance, "round", lambda self, engine: 60.0)
    with serve(place) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        check = answer.json()["checks"]["rebuild"]
        assert (check["ok"], check["done"], check["total"]) == (False, 0, 0)
        assert client.post("/v1/scores", json={"customer": customer(1)}).json()["results"][0]["known"]


def test_what_is_written_while_auditing_is_no_mismatch(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    maintenance = upkeep_of(place)
    engine, other = place.engine(), place.engine()
    maintenance.round(engine)
    load = engine.states.load
    written = iter(range(20))

    def busy(who: str) -> Any:
        found = load(who)
        number = next(written, None)
        if number is not None:
            other.states.record([Event(f"w-{number}", who, Kind.PURCHASE, NOW, NOW, amount=1.0)])
        return found

    monkeypatch.setattr(engine.states, "load", busy)
    maintenance.round(engine)
    assert maintenance.report().audited == 1 and not maintenance.report().mismatched
    engine.states.close()
    other.states.close()
    maintenance.release()


def test_the_folder_holds_nothing_of_customers(place: Place) -> None:
    maintenance = upkeep_of(place)
    rounds(maintenance, place, 3)
    assert "household" not in Path(place.folder / "scoreboard" / REPORT).read_text()
    maintenance.release()


def test_events_that_are_old_enough_are_sealed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "LEAST", 1)
    monkeypatch.setattr(sealing, "PAUSE_SECONDS", 0.0)
    with closing(place.engine().states) as states:
        count, before = states.log.count(), {name: states.load(name).states.tobytes() for name in ("anna", customer(3))}
        span = states.log.span()
        assert span is not None
        maintenance = Maintenance(
            place.folder / "scoreboard", JOURNEY, 0.0, 1, Sealing(days(1), lambda: span[1] + days(1) - 1)
        )
        rounds(maintenance, place, 9)
        maintenance.release()
        with closing(sqlite3.connect(place.folder / "waypost.db")) as connection:
            newest = connection.execute("SELECT count(*) FROM events WHERE received = ?", (span[1],)).fetchone()[0]
            live = connection.execute("SELECT count(*) FROM events").fetchone()[0]
            sealed = connection.execute("SELECT sum(events) FROM segments").fetchone()[0]
        assert (live + sealed, states.log.count()) == (count, count)
        assert newest >= 1 and sealed > count / 2
        for name, state in before.items():
            assert states.load(name).states.tobytes() == state
