"""The first training of a shop in which nothing can be foretold: what it says, how it ends, what a server answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from features.events import DAY
from models.bundle.bundle import read_manifest
from models.bundle.promotion_log import Promotions
from serving.http.resources.readiness import ReadinessAnswer
from serving.http.resources.recommendations import RecommendationsAnswer
from serving.http.resources.scores import ScoresAnswer
from tests.always import unrecorded
from tests.serving.answers import ok
from tests.serving.conftest import Place, serve
from training.fitting import candidates
from training.targets import TARGETS
from waypost import app

OPENING = datetime(2024, 1, 1, tzinfo=UTC)
CUSTOMERS, ORDERS, DAYS = 150, 4, 180
MAPPING = """
name = "shop"
message_id = "{order}"
[columns]
customer = "customer"
at = "created"
order_id = "order"
[constants]
kind = "PURCHASE"
"""


def orders() -> str:
    """Each customer orders at moments drawn evenly from half a year; nothing before says when. There are no totals."""
    draw, opened = np.random.default_rng(4), OPENING.timestamp()
    lines = ["order,created,customer"]
    for customer in range(CUSTOMERS):
        for number, day in enumerate(draw.uniform(0.0, DAYS, ORDERS).tolist()):
            at = datetime.fromtimestamp(opened + day * 86_400, UTC)
            lines.append(f"o{customer}-{number},{at.isoformat()},c{customer}")
    return "\n".join(lines) + "\n"


def waypost(*words: str) -> Result:
    """A command that ends with the exit code 0."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder of the shop after `waypost import` and `waypost train`, and what that printed."""
    folder = tmp_path_factory.mktemp("random")
    with pytest.MonkeyPatch.context() as patch, unrecorded():
        patch.chdir(folder)
        patch.setenv("WAYPOST_STORE", f"sqlite:///{folder}/waypost.db")
        patch.setenv("COLUMNS", "200")
        patch.setattr(candidates, "ROUNDS", 20)
        patch.setattr("waypost.learning.step_back", lambda: None)  # it would slow the tests that come after
        (folder / "orders.csv").write_text(orders(), encoding="utf-8")
        (folder / "shop.toml").write_text(MAPPING, encoding="utf-8")
        waypost("import", "orders.csv", "--source", "mapping", "--map", "shop.toml")
        yield folder, waypost("train").output


def test_the_report_ends_with_what_answers_and_the_next_command(trained: tuple[Path, str]) -> None:
    folder, printed = trained
    last = " ".join(printed[printed.index("the tier of each target") :].split())
    assert all(name in last for name in (*TARGETS, "recommender"))
    assert f"it answers all {len(TARGETS)} targets and recommendations" in last
    assert "serve it with `waypost serve`" in last
    (move,) = Promotions(folder / "data" / "promotions.jsonl").moves()
    assert set(move.targets) == {*TARGETS, "recommender"}
    assert move.targets["recommender"].startswith("nothing. No event in the log names an item")


def test_commands_tell_the_same_reasons(trained: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained[0])
    shown = json.loads(waypost("readiness", "--json").output)
    (move,) = Promotions(Path("data/promotions.jsonl")).moves()
    for each in shown["targets"]:
        told = move.targets[each["target"]]
        assert told.startswith(each["tier"]) and each["why"] in told
        assert each["why"] or each["next"] is None


def test_a_server_answers_base_rates_where_nothing_can_be_foretold(trained: tuple[Path, str]) -> None:
    folder = trained[0]
    with served(folder) as client:
        for who, known in (("c7", True), ("nobody", False)):
            answer = ok(client.post("/v1/scores", json={"customer": who}), ScoresAnswer)["results"][0]
            assert answer["known"] is known and set(answer["scores"]) == set(TARGETS)
            score = answer["scores"]["conversion_7d"]
            # A customer of 4 orders in 180 days orders within a week with the chance 1 - (1 - 7 / 180)^4 = 0.147.
            assert score["probability"] == pytest.approx(0.147, abs=0.09)
            told = ok(client.post("/v1/recommendations", json={"customer": who}), RecommendationsAnswer)
            assert told["items"] == [] and "names an item" in told["why"]
        ready = ok(client.get("/v1/readiness"), ReadinessAnswer)
    cards = read_manifest(folder / "data" / "champion").targets
    assert {each["target"]: each["tier"] for each in ready["targets"]} == {n: c.tier for n, c in cards.items()}


def served(folder: Path) -> TestClient:
    """A server at the shop, at the end of its half year."""
    now = int(OPENING.timestamp()) * 1_000_000 + DAYS * DAY
    return serve(Place(folder, folder / "data" / "champion", now))
