"""The log in PostgreSQL on a server of its own: stopped and started, with roles and passwords, and its files read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from features.log.contract import LogDenied, LogError, LogMissing
from features.log.postgres import PostgresLog
from features.log.postgres.errors import LogUnavailable
from features.log.postgres.folder import VARIABLE
from tests import postgres
from tests.features.log.dead_letter_suite import LETTER
from tests.features.log.samples import event, identify
from tests.features.log.sealing import SealingPostgresLog
from tests.features.log.test_erasure import crowd
from tests.features.log.test_erasure import holding as held_in
from tests.postgres import run

LATER = event(10_000).received


@pytest.fixture(scope="module")
def own_server() -> Iterator[postgres.Server]:
    """A server that may be stopped, and whose files may be read."""
    server = postgres.Server(durable=False)
    yield server
    server.close()


def test_a_server_that_was_restarted_is_found_again(own_server: postgres.Server) -> None:
    with closing(PostgresLog(own_server.url, busy_seconds=1)) as log:
        log.append([event(1)])
        own_server.stop()
        for ask in (log.count, log.offset, lambda: log.append([event(2)])):
            with pytest.raises(LogUnavailable, match="pg_isready"):
                ask()
        own_server.start()
        assert log.append([event(1), event(2)]).accepted == [False, True]
        assert len(log.history("ann")) == 2
    run(own_server.url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


def test_a_role_without_rights_is_told(own_server: postgres.Server) -> None:
    run(own_server.url, "CREATE ROLE guest LOGIN", "GRANT USAGE ON SCHEMA public TO guest")
    with pytest.raises(LogDenied, match="needs rights to the schema"):
        PostgresLog(own_server.url.replace("postgres@", "guest@"))


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        (lambda url: url.replace("/postgres?", "/nowhere?"), LogMissing, "createdb"),
        (lambda url: url.replace(":geheim@", ":falschgeheim@"), LogDenied, "password authentication failed"),
        (lambda url: "postgresql://guarded:geheim@127.0.0.1:9/shop", LogUnavailable, "pg_isready -d 'postgresql://g"),
        (lambda url: "postgresql://guarded:geheim@no-host.invalid/shop", LogUnavailable, "pg_isready"),
        (lambda url: "postgresql://guarded:ge@heim@127.0.0.1/shop", LogError, "is not one of PostgreSQL"),
        (lambda url: "postgresql://guarded:geheim@127.0.0.1:port/shop", LogError, "is not one of PostgreSQL"),
        (lambda url: "postgresql://guarded:gehe/im@127.0.0.1/shop", LogError, "is not one of PostgreSQL"),
        (lambda url: "postgresql://guarded:geheim@127.0.0.1/shop?geheim=1", LogError, "is not one of PostgreSQL"),
    ],
)
def test_a_place_that_is_none_is_told_without_the_password(
    own_server: postgres.Server, change: Callable[[str], str], kind: type[LogError], told: str
) -> None:
    run(own_server.url, "DROP ROLE IF EXISTS guarded", "CREATE ROLE guarded LOGIN PASSWORD 'geheim'")
    rules = own_server.data / "pg_hba.conf"
    if "guarded" not in rules.read_text():
        rules.write_text(f"local all guarded scram-sha-256\n{rules.read_text()}")
    run(own_server.url, "SELECT pg_reload_conf()")
    with pytest.raises(kind, match=told) as failed:
        PostgresLog(change(own_server.url.replace("postgres@", "guarded:geheim@")), busy_seconds=1)
    error: BaseException | None = failed.value
    while error is not None:
        assert not re.search("geheim|falsch|heim@|ge@", str(error))
        error = error.__cause__ or error.__context__


def holding(server: postgres.Server, needle: str) -> list[Path]:
    """The files of the server that hold the text, but for the write-ahead log."""
    run(server.url, "CHECKPOINT")
    files = [path for path in server.data.rglob("*") if path.is_file() and "pg_wal" not in path.parts]
    return [path for path in files if needle.encode() in path.read_bytes()]


@pytest.mark.parametrize("open_log", [PostgresLog, SealingPostgresLog])
def test_no_file_holds_an_erased_customer(
    own_server: postgres.Server, open_log: type[PostgresLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    schema = open_log.__name__.lower()
    run(own_server.url, f"CREATE SCHEMA {schema}")
    with closing(open_log(postgres.with_options(own_server.url, options=f"-csearch_path={schema}"))) as log:
        events = list(crowd(1500, 100))
        for start in range(0, len(events), 500):
            log.append(events[start : start + 500])
        names = sorted({each.customer for each in events})
        log.append([identify(2000, names[-1], names[0]), identify(2001, "alone"), event(2002, "quiet-customer")])
        log.reject([replace(LETTER, raw=f'{{"user": "{name}"}}'.encode()) for name in names[:4]])
        log.reject([replace(LETTER, position=8, reason=f"{name} is blocked", customer=name) for name in names[:4]])
        log.session.run("ANALYZE")
        for name in (*names[:2], "quiet-customer"):
            assert holding(own_server, name) or held_in(tmp_path, name)
            log.erase(name, LATER)
            assert holding(own_server, name) == held_in(tmp_path, name) == []
        assert log.session.run("SELECT count(*) FROM remnants") == [(0,)]
        assert holding(own_server, names[3])
