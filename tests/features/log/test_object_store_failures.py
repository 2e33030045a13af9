"""An object store that fails, or a process killed at any call: the log is whole, and no object is left over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from features.log.contract import HistoryUnreachable
from features.log.postgres import PostgresLog
from features.log.postgres.folder import COPIES, VARIABLE
from tests import postgres
from tests.features.log.erasure_suite import LATER
from tests.features.log.object_stores import Servers, add, objects, servers
from tests.features.log.samples import event, gathered, spelled
from tests.features.log.sealing import LATE

__all__ = ["servers"]


class Faults:
    """A store in memory that fails at the call to which `at` counts down, or the process that is killed at it."""

    OPERATIONS = ("put_file", "get_file", "cat_file", "pipe_file", "rm_file", "cp_file", "find", "info", "modified")

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.at = 0
        self.error: type[BaseException] = OSError
        self._within = False
        for name in self.OPERATIONS:
            patch.setattr(MemoryFileSystem, name, self._faulty(getattr(MemoryFileSystem, name)))

    def _faulty(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            if self._within:
                return operation(*given, **named)
            self.at -= 1
            if self.at == 0:
                raise self.error("no route to the store")
            self._within = True
            try:
                return operation(*given, **named)
            finally:
                self._within = False

        return counted


CHANGES: dict[str, Callable[[PostgresLog], object]] = {
    "import": lambda log: add(log, event(500), event(501, "bob-of-shop"), event(3)),
    "sealing": lambda log: log.keeping.seal(LATE),
    "compaction": lambda log: log.keeping.compact(),
    "erasure": lambda log: log.erase("ann-of-shop", LATER),
}


@pytest.mark.parametrize("change", CHANGES)
def test_wherever_the_store_fails_the_log_is_whole_and_the_next_change_finishes_it(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.place(tmp_path)  # the first one names a folder of histories for the process
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setenv(VARIABLE, "memory://bucket")
    monkeypatch.setenv(COPIES, str(tmp_path / "copies"))
    faults = Faults(monkeypatch)
    with closing(PostgresLog(url)) as log:
        for number in range(8):
            add(log, event(number), event(40 + number, "ann-of-shop"))
        log.append([event(90), event(91, "cid-of-shop")])
        expected = contents(log)
    reached, number = False, 0
    while not reached:
        number += 3 if change == "erasure" else 1  # one of them takes a tenth of a second
        with closing(PostgresLog(url)) as log:
            faults.at, faults.error = number, (OSError, KeyboardInterrupt)[number % 2]
            try:
                CHANGES[change](log)
                reached = faults.at > 0
            except (HistoryUnreachable, KeyboardInterrupt) as raised:
                assert isinstance(raised, KeyboardInterrupt) or "memory://bucket/history-of-" in str(raised)
            faults.at = 0
        expected = expected if change in ("sealing", "compaction") else contents_after(url, change, expected)
        monkeypatch.setenv(COPIES, str(tmp_path / f"copies-{number}"))
        with closing(PostgresLog(url)) as other:
            assert contents(other) == expected
    with closing(PostgresLog(url)) as other:
        CHANGES[change](other)
        other.keeping.finish_erasures()
        listed = {f"events-{entry.number:08}.{end}" for entry in other.keeping.view().entries
                  for end in ("parquet", "index")}  # fmt: skip
        names = {path.rpartition("/")[2] for path in MemoryFileSystem.store if "/retired/" not in path}
        assert {name for name in names if name.startswith("events-")} == listed
        assert change != "erasure" or not any(b"ann-of" in file.getvalue() for file in MemoryFileSystem.store.values())


def contents(log: PostgresLog) -> list[tuple[object, ...]]:
    """All events of a log, in log order."""
    return spelled(log, gathered(log.scan()))


def contents_after(url: str, change: str, before: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """What a log must hold that has taken a change or has not: the one of them that it holds."""
    with closing(PostgresLog(url)) as log:
        held = contents(log)
    gone = [row for row in before if row not in held]
    new = [row for row in held if row not in before]
    assert (len(gone), len(new)) in ([(0, 0), (8, 0)] if change == "erasure" else [(0, 0), (0, 2)])
    return held


def test_an_upload_that_arrives_in_part_is_not_listed(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    log = servers("a")
    log.append([event(1), event(2)])
    filesystem = type(fsspec.filesystem("file"))
    with monkeypatch.context() as patched:
        patched.setattr(filesystem, "put_file", lambda self, source, target: self.pipe_file(target, b"half"))
        with pytest.raises(HistoryUnreachable, match=r"file://.*events-00000001.parquet has 4 of \d+ bytes"):
            log.keeping.seal(LATE)
    assert (log.segments(), objects(servers.bucket)) == (None, [])
    assert (log.keeping.seal(LATE), log.count()) == (2, 2)


def test_a_download_that_fails_names_its_url(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    add(servers("a"), event(1), event(2))
    other = servers("b")

    def refuse(*_: object) -> None:
        raise PermissionError("expired token")

    with monkeypatch.context() as patched:
        patched.setattr(type(fsspec.filesystem("file")), "get_file", refuse)
        with pytest.raises(HistoryUnreachable, match=rf"file://{servers.bucket}/history-of-.* refuses .* credentials"):
            other.find("message-1")
    assert other.find("message-1") == event(1)


def test_what_was_copied_is_read_while_the_store_does_not_answer(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = servers("a")
    add(log, event(1), event(2))
    log.find("message-1")
    log.close()

    def silent(*_: object, **__: object) -> None:
        raise TimeoutError("no answer")

    for operation in ("find", "info", "get_file", "cat_file", "put_file", "pipe_file"):
        monkeypatch.setattr(type(fsspec.filesystem("file")), operation, silent)
    again = servers("a")
    assert again.append([event(1), event(3)]).accepted == [False, True]
    assert (len(again.history("ann")), again.count()) == (3, 3)
    for change in (lambda: add(again, event(4)), lambda: again.keeping.seal(LATE), again.keeping.look):
        with suppress(HistoryUnreachable):
            change()
        assert again.count() == 3
