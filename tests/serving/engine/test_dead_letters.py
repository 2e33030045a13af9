"""Dead letters read again: what parses by now is recorded once, whatever breaks off in between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from features.events import Event, Kind
from features.log.contract import DeadLetter, LogBusy
from features.sources.contract import SourceUnknown
from features.sources.fields.privacy import DEFAULT
from serving.engine import dead_letters
from serving.engine.batch import Batch
from serving.engine.dead_letters import DeadLetterReport, Replay
from serving.engine.engine import Engine
from tests.serving.conftest import NOW, Place


def letter(
    values: Mapping[str, Any] | bytes, position: int = 0, source: str = "api", received: int = NOW
) -> DeadLetter:
    """A record that was refused when it came."""
    raw = values if isinstance(values, bytes) else json.dumps(values).encode()
    return DeadLetter(source, position, "kind", "unknown kind", raw, received)


@pytest.fixture
def empty(place: Place) -> Iterator[Engine]:
    """An engine over a store without dead letters."""
    engine = place.engine()
    yield engine
    engine.states.close()


def replayed(engine: Engine, source: str | None = None) -> DeadLetterReport:
    """What a replay gives an hour later."""
    return Replay(engine, NOW + 3_600_000_000, DEFAULT, source).run()


def told(engine: Engine, who: str) -> list[tuple[str, int]]:
    """Message id and `at` of the customer's events, newest first."""
    return [(event.message_id, event.at) for event in engine.states.log.events(who, 100)]


def test_what_parses_now_becomes_events_and_the_rest_stays(empty: Engine) -> None:
    log = empty.states.log
    log.reject(
        [
            letter({"customer": "anna", "kind": "PURCHASE", "amount": 5, "message_id": "a-1"}),
            letter({"customer": "anna", "kind": "DANCE"}, 1),
            letter(b"{broken", 2),
            letter(b"[1]", 3),
            letter({"type": "track", "userId": "anna", "event": "Product Viewed", "messageId": "s-1"}, 0, "segment"),
            letter({"customer": "anna", "kind": "LOGIN"}, 0, "gone-source"),
        ]
    )
    assert replayed(empty) == DeadLetterReport(letters=6, settled=2, accepted=2, remaining=4)
    assert {identity for identity, _ in told(empty, "anna")} == {"a-1", "s-1"}
    assert [each.position for each in log.dead_letters(10)] == [1, 2, 3, 0]
    assert empty.profile("anna", NOW).known
    assert replayed(empty) == DeadLetterReport(letters=4, remaining=4)


def test_a_live_record_happened_when_it_came(empty: Engine) -> None:
    empty.states.log.reject([letter({"customer": "anna", "kind": "LOGIN"})])
    assert replayed(empty).accepted == 1
    assert [at for _, at in told(empty, "anna")] == [NOW]


def test_a_record_of_a_file_is_of_the_past_and_the_file_may_come_again(empty: Engine) -> None:
    record = {"customer": "anna", "kind": "LOGIN", "at": "2020-01-01T00:00:00Z"}
    empty.states.log.reject([letter(record, 7, "waypost")])
    assert replayed(empty).accepted == 1
    (event,) = empty.states.log.events("anna", 10)
    assert event.received == event.at < NOW
    empty.states.log.reject([letter(record, 8, "waypost")])
    assert replayed(empty).duplicates == 1


def test_ids_come_from_the_letter_so_that_a_crash_adds_nothing(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    log = empty.states.log
    same = {"customer": "anna", "kind": "PURCHASE", "amount": 5}
    log.reject([letter(same, position) for position in range(10)])
    monkeypatch.setattr(dead_letters, "BATCH", 4)
    settle, calls = log.settle, iter(range(10))

    def breaks(letters: Sequence[DeadLetter]) -> int:
        if next(calls) == 1:
            raise LogBusy("another process")
        return settle(letters)

    monkeypatch.setattr(log, "settle", breaks)
    with pytest.raises(LogBusy):
        replayed(empty)
    assert len(told(empty, "anna")) == 4 and len(log.dead_letters(100)) == 6  # the second batch left no trace
    assert replayed(empty).accepted == 6
    assert len({identity for identity, _ in told(empty, "anna")}) == 10
    log.reject([letter(same, position) for position in range(10)])  # sent again, and refused again
    assert replayed(empty) == DeadLetterReport(letters=10, settled=10, duplicates=10)


def test_one_source_alone(empty: Engine) -> None:
    empty.states.log.reject(
        [
            letter({"customer": "anna", "kind": "LOGIN"}),
            letter({"type": "page", "userId": "anna", "messageId": "s"}, 0, "segment"),
        ]
    )
    assert replayed(empty, "segment") == DeadLetterReport(letters=1, settled=1, accepted=1)
    with pytest.raises(SourceUnknown, match="nothing"):
        replayed(empty, "nothing")


def test_who_withdrew_consent_is_withheld(empty: Engine) -> None:
    empty.take([Batch([Event("w", "anna", Kind.CONSENT_WITHDRAW, NOW, NOW)])])
    empty.states.log.reject([letter({"customer": "anna", "kind": "LOGIN"})])
    assert replayed(empty) == DeadLetterReport(letters=1, settled=1, withheld=1)
    assert [identity for identity, _ in told(empty, "anna")] == ["w"]


def test_personal_properties_do_not_enter(empty: Engine) -> None:
    properties = {"email": "jane@example.com", "price": 3}
    empty.states.log.reject([letter({"customer": "anna", "kind": "LOGIN", "properties": properties})])
    assert replayed(empty).accepted == 1
    assert empty.states.log.events("anna", 1)[0].properties == {"price": 3}
