"""After an erasure no file beside the database holds anything of the customer, whatever happened to it before."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kills_steps import step
from features.events import Event
from features.log.frame import frame_of
from features.log.history import names
from features.log.sqlite import SqliteLog
from tests.features.log.erasure_suite import LATER
from tests.features.log.samples import event, identify
from tests.features.log.sealing import LATE
from tests.features.log.searching import holders, readable


def visits(name: str, first: int, number: int = 30) -> list[Event]:
    """Events whose message ids and order ids name no customer, and are found again by `own`."""
    return [
        event(place, name, message_id=f"{name[::-1]}-m{place}", order_id=f"{name[::-1]}-o{place}", properties={"p": 1})
        for place in range(first, first + number)
    ]


def own(*customers: str) -> list[str]:
    """What is theirs alone: their names, and how their message ids and order ids begin."""
    return [text for name in customers for text in (name, f"{name[::-1]}-")]


def imported(log: SqliteLog, events: list[Event]) -> None:
    log.append_columns(frame_of(events, range(len(events))))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        yield log


def test_a_customer_without_sealed_events_leaves_the_files_of_names(log: SqliteLog, tmp_path: Path) -> None:
    log.append(visits("live-customer", 0))
    imported(log, visits("sealed-customer", 100))
    assert "history/customers" in str(holders(tmp_path, ["live-customer"]))
    log.erase("live-customer", LATER)
    assert holders(tmp_path, own("live-customer")) == {}
    assert set(holders(tmp_path, own("sealed-customer"))) == set(own("sealed-customer"))


def test_an_import_of_what_stays_in_the_database_writes_no_names(log: SqliteLog, tmp_path: Path) -> None:
    imported(log, [identify(1, "some-customer")])
    log.erase("some-customer", LATER)
    assert holders(tmp_path, ["some-customer"]) == {}


def test_what_a_killed_import_wrote_is_gone_after_an_erasure(log: SqliteLog, tmp_path: Path) -> None:
    imported(log, visits("sealed-customer", 0))
    (segment,) = log.keeping.folder.glob("*.parquet")
    other = tmp_path / "other.db"
    with closing(SqliteLog(other)) as killed:
        killed.append([event(1, "sealed-customer")])
        killed.keeping.folder.mkdir()
        for file in (segment, segment.with_suffix(".index")):
            shutil.copy(file, killed.keeping.folder)
        shutil.copy(segment, killed.keeping.folder / f".{segment.name}.0a0b0c0d")
    log.close()
    with closing(SqliteLog(other)) as reopened:
        reopened.erase("sealed-customer", LATER)
        assert holders(reopened.keeping.folder, own("sealed-customer")) == {}


def test_a_draft_of_names_is_removed(log: SqliteLog) -> None:
    imported(log, visits("sealed-customer", 0))
    (file,) = (log.keeping.folder / "customers").iterdir()
    draft = file.with_name(f".{file.name}.0a0b0c0d")
    shutil.copy(file, draft)
    log.keeping.seal(LATE)
    assert not draft.exists()


def test_names_written_as_one_by_a_killed_process_are_kept_once(log: SqliteLog, tmp_path: Path) -> None:
    home = log.keeping.folder / "customers"
    for number in range(names.MOST_FILES):
        imported(log, visits(f"customer-number-{number:02}", 100 * number))
    before = tmp_path / "before"
    shutil.copytree(home, before)
    store = log.keeping.store
    names._rewrite(store, "customers", names._files(store, "customers"), ())
    shutil.copytree(before, home, dirs_exist_ok=True)
    log.erase("customer-number-05", LATER)
    shutil.rmtree(before)
    assert holders(tmp_path, own("customer-number-05")) == {}
    held = [path for path in home.iterdir() if b"customer-number-06" in readable(path)]
    assert len(held) == 1


def killed_after(log: SqliteLog, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(log.keeping, step, die)
        with pytest.raises(KeyboardInterrupt):
            log.erase("sealed-customer", LATER)


Change = Callable[[SqliteLog], object]

CHANGES: dict[str, Change] = {
    "import": lambda log: imported(log, visits("another-customer", 900)),
    "sealing": lambda log: log.keeping.seal(LATE),
    "compaction": lambda log: log.keeping.compact(),
    "erasure": lambda log: log.erase("nobody", LATER),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("step", ["finish_erasures", "_sweep", "unlist", "erased_from_history"])
def test_whoever_changes_the_history_next_finishes_an_erasure(
    log: SqliteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, change: Change
) -> None:
    for number in range(8):
        imported(log, [*visits("sealed-customer", 40 * number), *visits("another-customer", 40 * number + 30, 5)])
    assert log.keeping.compact() == 8
    imported(log, visits("sealed-customer", 500))
    killed_after(log, monkeypatch, step)
    log.close()
    with closing(SqliteLog(log.path)) as reopened:
        change(reopened)
        assert holders(reopened.keeping.folder, own("sealed-customer")) == {}
        assert reopened.count() == len(reopened.history("another-customer"))


def crowd(seed: int, number: int) -> list[Event]:
    """Events with ids in no order, which tell nothing of their customers, and texts of any length."""
    draw = np.random.default_rng(seed)
    return [
        event(
            place,
            f"customer-{draw.integers(60):04}-name",
            message_id=f"{draw.bytes(9).hex()}-message",
            order_id=f"{draw.bytes(9).hex()}-order",
            properties={"note": "n" * int(draw.integers(0, 120))},
        )
        for place in range(number)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_no_file_holds_a_name_or_an_id_of_the_erased(log: SqliteLog, tmp_path: Path, seed: int) -> None:
    events, draw = crowd(seed, 3000), np.random.default_rng(seed)
    imported(log, events[:500])
    for start in range(500, 3000, 250):
        log.append(events[start : start + 250])
        log.keeping.seal(LATE if draw.random() < 0.5 else event(start).received, most=int(draw.integers(1, 400)))
        log.keeping.compact()
    gone = [f"customer-{code:04}-name" for code in draw.choice(60, 12, replace=False).tolist()]
    for name in gone:
        texts = [
            text for each in events if each.customer == name for text in (name, each.message_id, f"{each.order_id}")
        ]
        assert set(holders(tmp_path, texts)) == set(texts)
        log.erase(name, LATER)
        assert holders(tmp_path, texts) == {}
    assert log.count() == sum(each.customer not in gone for each in events)


def ids_of(log: SqliteLog, customer: str) -> list[str]:
    """The message ids and order ids of a customer's profile."""
    events = log.events(customer, 10_000)
    return [text for each in events for text in (each.message_id, each.order_id) if text is not None]


def test_old_copies_of_moved_rows_are_recognised_by_their_ids(log: SqliteLog, tmp_path: Path) -> None:
    log.connection.execute("PRAGMA synchronous = OFF")
    for number in range(80):
        what = step(3001, number)
        if what.kind == "append":
            log.append(what.events)
        elif what.kind == "import":
            imported(log, list(what.events))
        elif what.kind == "seal":
            log.keeping.seal(what.before)
        elif what.kind == "compact":
            log.keeping.compact()
        elif what.kind == "erase":
            theirs = ids_of(log, what.customer)
            log.erase(what.customer, what.now)
            assert holders(tmp_path, theirs) == {}
