"""A log is opened by a URL or a path."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from features.log import open_log, shown
from features.log.contract import LogError, LogMissing
from features.log.parquet import ParquetLog
from features.log.sqlite import SqliteLog
from tests.features.log.samples import event


@pytest.mark.parametrize("place", ["sqlite:///data/log", "data/log.db", "data/log.sqlite", Path("data/log.db")])
def test_sqlite_by_url_and_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str | Path) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(open_log(place)) as log:
        assert isinstance(log, SqliteLog)
        assert log.path.parent == tmp_path / "data"


def test_four_slashes_are_an_absolute_path(tmp_path: Path) -> None:
    with closing(open_log(f"sqlite:///{tmp_path}/log.db")) as log:
        assert isinstance(log, SqliteLog)
        assert log.path == tmp_path / "log.db"


def test_parquet_by_url_and_folder(tmp_path: Path) -> None:
    with closing(open_log(f"parquet:{tmp_path}/history")) as log:
        log.append([event(1)])
    with closing(open_log(tmp_path / "history", create=False)) as log:
        assert isinstance(log, ParquetLog)
        assert log.count() == 1


@pytest.mark.parametrize("place", ["mysql://localhost/shop", "history", "mysql:x"])
def test_other_places_are_refused(place: str) -> None:
    with pytest.raises(LogError, match=r"does not say what kind of log it is; expected sqlite:///"):
        open_log(place)


@pytest.mark.parametrize("place", ["sqlite:///{}/log.db", "parquet:{}/log"])
def test_a_log_that_must_exist(tmp_path: Path, place: str) -> None:
    with pytest.raises(LogMissing, match="waypost import"):
        open_log(place.format(tmp_path), create=False)


def test_a_place_is_shown_without_its_password() -> None:
    assert (
        shown("postgresql://ann:secret@db.example:5433/shop?sslmode=require") == "postgresql://ann@db.example:5433/shop"
    )
    assert shown("sqlite:///data/log.db") == "sqlite:///data/log.db"
