"""The files of a history are read by other engines, without our code, and say what the log says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl
import pytest

from features.events import Event, Kind
from features.log.frame import frame_of
from features.log.sqlite import SqliteLog
from tests.features.log.samples import event, identify, shop
from tests.features.log.sealing import LATE, check_what_is_due

IMPORTED = [*shop(400, seed=1), *(identify(number, f"u{number}", f"a{number}") for number in range(5))]
SEALED = shop(150, seed=2)
LIVE = [event(10_000 + number, "late", kind=Kind.PAGE_VIEW) for number in range(7)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    """Some events imported in two parts, one of them twice, some sealed, some merged into one file, and some live."""
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        for part in (IMPORTED[:300], IMPORTED[200:]):
            log.append_columns(frame_of(part, range(len(part))))
        log.append(SEALED, history=True)
        while log.keeping.seal(LATE, most=20):
            log.keeping.compact()
        log.append(LIVE)
        yield log


def test_events_are_due_when_enough_of_the_oldest_are_old(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        check_what_is_due(log)


def scanned(log: SqliteLog) -> Counter[str]:
    return Counter(Kind(kind).name for chunk in log.scan() for kind in chunk["kind"].tolist())


def live(log: SqliteLog) -> Counter[str]:
    rows = log.connection.execute("SELECT kind, count(*) FROM events GROUP BY kind").fetchall()
    return Counter({Kind(kind).name: number for kind, number in rows})


def test_duckdb_and_polars_count_what_the_log_has(log: SqliteLog, tmp_path: Path) -> None:
    files = f"{tmp_path / 'log.history'}/events-*.parquet"
    expected = Counter(given.kind.name for given in [*IMPORTED, *SEALED, *LIVE])
    of_duckdb = dict(duckdb.execute(f"select kind, count(*) from '{files}' group by kind").fetchall())
    of_polars = dict(pl.scan_parquet(files).group_by("kind").len().collect().iter_rows())
    assert scanned(log) == expected
    assert of_polars == of_duckdb == dict(expected - live(log))
    assert live(log) == {"IDENTIFY": 5, "PAGE_VIEW": 7}


def test_duckdb_reads_the_names_behind_the_codes(log: SqliteLog, tmp_path: Path) -> None:
    history = tmp_path / "log.history"
    rows = duckdb.execute(
        f"select c.name, i.name, count(*), sum(amount) from '{history}/events-*.parquet' e "
        f"join '{history}/customers/names-*.parquet' c on c.code = e.customer "
        f"join '{history}/items/names-*.parquet' i on i.code = e.item group by all"
    ).fetchall()
    expected: dict[tuple[str, str | None], list[Event]] = {}
    for given in [*shop(400, seed=1), *SEALED]:
        expected.setdefault((given.customer, given.item), []).append(given)
    assert {(customer, item): number for customer, item, number, _ in rows} == {
        key: len(events) for key, events in expected.items()
    }
    for customer, item, _, total in rows:
        amounts = [each.amount for each in expected[customer, item] if each.amount == each.amount]
        assert (total is None) == (not amounts)
        assert total is None or total == pytest.approx(sum(amounts))
