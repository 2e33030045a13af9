"""How the log in PostgreSQL reads: by which index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from features.log.postgres import PostgresLog
from features.log.postgres.session import Row
from tests import postgres
from tests.features.log.samples import event


def test_a_message_is_found_by_its_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = PostgresLog(postgres.place(tmp_path))
    log.append([event(1), event(2)])
    run_statement = log.session.run
    asked: list[tuple[str, Sequence[object]]] = []

    def noting(statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        asked.append((statement, parameters))
        return run_statement(statement, parameters)

    monkeypatch.setattr(log.session, "run", noting)
    assert repr(log.find("message-2")) == repr(event(2))
    ((statement, parameters),) = asked
    plan = " ".join(line for (line,) in run_statement(f"EXPLAIN {statement}", parameters))
    assert "events_message_id_key" in plan
    assert "Seq Scan" not in plan
    log.close()
