"""Transactions within transactions on PostgreSQL: whatever fails undoes itself and nothing else, without waste."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.log.postgres import PostgresLog
from features.log.postgres.session import Session, Statement
from tests import postgres
from tests.examples import examples
from tests.features.log.samples import event

Act = Any
"""A word for something asked of the session, or what happens in an inner transaction and whether that fails."""

ACTS = st.recursive(
    st.sampled_from(["later", "now", "read", "fail"]),
    lambda act: st.tuples(st.lists(act, max_size=4), st.booleans()),
    max_leaves=12,
)


class Failed(Exception):
    """What a transaction in these tests ends in."""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PostgresLog]:
    """An empty log."""
    with closing(PostgresLog(postgres.place(tmp_path))) as log:
        yield log


def carry_out(log: PostgresLog, acts: list[Act], names: Iterator[int]) -> list[str]:
    """Do all this in the running transaction; what should be there of it. Raises Failed when it is to be undone."""
    there: list[str] = []
    for act in acts:
        match act:
            case "later" | "now":
                name = f"{next(names)}"
                tell = log.session.later if act == "later" else log.session.run
                tell("INSERT INTO trainings VALUES (%b::text, 1, 1)", (name,))
                there.append(name)
            case "read":
                log.session.run("SELECT version FROM trainings")
            case "fail":
                raise Failed
            case (inner, fails):
                try:
                    with log.transaction():
                        told = carry_out(log, inner, names)
                        if fails:
                            raise Failed
                    there += told
                except Failed:
                    pass
    return there


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(150))
@given(acts=st.lists(ACTS, max_size=6))
def test_what_fails_undoes_itself_and_nothing_else(log: PostgresLog, acts: list[Act]) -> None:
    log.session.run("DELETE FROM trainings")
    expected: list[str] = []
    try:
        with log.transaction():
            expected = carry_out(log, acts, count())
    except Failed:
        expected = []
    assert sorted(each.version for each in log.trainings()) == sorted(expected)
    assert log.session.depth == 0


def test_the_usual_transactions_within_transactions_cost_nothing(
    log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    send = Session._send

    def heard(session: Session, statements: list[Statement]) -> Any:
        sent.extend(statement for statement, _ in statements)
        return send(session, statements)

    monkeypatch.setattr(Session, "_send", heard)
    with log.transaction(), log.transaction():
        log.session.run("SELECT 1")
        with log.transaction():
            log.append([event(1)])
    assert log.count() == 1
    assert not [statement for statement in sent if "SAVEPOINT" in statement]
