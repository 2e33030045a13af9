"""The journey's golden files: a review shows exactly what a changed feature does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.aggregates.base import Reading
from features.catalogues.dictionary import UnknownFeature, explain, page
from features.events import (
    CART_ADD,
    DAY,
    EVENT,
    HOUR,
    ITEM_VIEW,
    PURCHASE,
    PURCHASED_ITEM,
    SEARCH,
    SHARE,
    SURVEY_NPS,
    Channel,
    Kind,
    Stage,
)  # fmt: skip
from features.journey import JOURNEY, Journey

GOLDEN = Path(__file__).parents[1] / "golden"
ROOT = Path(__file__).parents[2]
START = 1_700_000_000_000_000


Happening = tuple[Kind, int, dict[str, float]]


def happening(*events: Happening) -> np.ndarray:
    """Events of one customer from (kind, microseconds after START, columns)."""
    made = np.zeros(len(events), EVENT)
    made["item"] = made["category"] = -1
    made["amount"] = made["quantity"] = made["score"] = np.nan
    for row, (kind, offset, columns) in zip(made, events, strict=True):
        row["kind"], row["at"], row["received"], row["channel"] = kind, START + offset, START + offset, Channel.WEB
        for name, value in columns.items():
            row[name] = value
    return made


def features_of(events: np.ndarray, now: int) -> dict[str, float]:
    """The features of one customer by name."""
    states = JOURNEY.empty()
    JOURNEY.step(states, 0, events)
    return dict(zip(JOURNEY.names, JOURNEY.read(states, 0, START + now).tolist(), strict=True))


@pytest.mark.parametrize(
    ("name", "text"),
    [("fold.txt", JOURNEY.source), ("state.txt", "\n".join(map(str, JOURNEY.state.descr)) + "\n")],
    ids=["fold", "state"],
)
def test_golden(name: str, text: str) -> None:
    golden = GOLDEN / name
    assert golden.read_text() == text, "the fold changed; if that is meant: python -m tests.golden.write fold"


def test_the_page_is_true() -> None:
    assert (ROOT / "docs" / "features.md").read_text() == page() + "\n", "run `make docs`"


def test_there_are_features_enough_and_aggregates_enough() -> None:
    assert len(JOURNEY.names) >= 60
    assert len({type(each) for each in JOURNEY.aggregates}) >= 12


@pytest.mark.parametrize("name", JOURNEY.names)
def test_every_feature_is_explained(name: str) -> None:
    explanation = explain(name)
    assert explanation.parts
    assert all(part.update.startswith("def update(") and part.size > 0 for part in explanation.parts)
    readings = [leaf for leaf in Journey.features[name].walk() if isinstance(leaf, Reading)]
    assert {part.name for part in explanation.parts} == {leaf.aggregate.name for leaf in readings}


def test_an_unknown_feature_gets_the_closest() -> None:
    with pytest.raises(UnknownFeature, match="days_since_purchase"):
        explain("days_since_purchases")


def test_a_customer_walks_the_journey() -> None:
    story: list[Happening] = [
        (SEARCH, 0, {}),
        (ITEM_VIEW, HOUR, {"item": 7}),
        (CART_ADD, 2 * HOUR, {"item": 7, "amount": 30.0, "quantity": 2.0}),
    ]
    order: list[Happening] = [
        (PURCHASE, 3 * HOUR, {"amount": 30.0}),
        (PURCHASED_ITEM, 3 * HOUR, {"item": 7, "amount": 30.0}),
    ]
    praise: list[Happening] = [(SURVEY_NPS, 5 * DAY, {"score": 10.0})]
    blame: list[Happening] = [(SHARE, 6 * DAY, {}), (SURVEY_NPS, 7 * DAY, {"score": 2.0})]
    stages: list[tuple[list[Happening], int, Stage]] = [
        (story[:1], HOUR, Stage.CONSIDERATION),
        (story, 3 * HOUR, Stage.PURCHASE),
        (story, 8 * DAY, Stage.CONSIDERATION),
        (story + order, 4 * HOUR, Stage.RETENTION),
        (story + order + praise, 6 * DAY, Stage.ADVOCACY),
        (story + order + praise, 400 * DAY, Stage.RETENTION),
        (story + order + praise + blame, 8 * DAY, Stage.RETENTION),
    ]
    for events, now, stage in stages:
        assert features_of(happening(*events), now)["stage"] == stage
    features = features_of(happening(*story), 3 * HOUR)
    assert features["cart_items"] == 2
    assert features["cart_value"] == 30
    assert features["cart_age_hours"] == pytest.approx(1)
    after = features_of(happening(*story, *order), 3 * HOUR + 10 * DAY)
    assert after["cart_items"] == 0
    assert after["spend_gross_ever"] == after["basket_value_mean"] == 30
    assert after["days_since_purchase"] == 10
    assert after["previous_stage"] == Stage.PURCHASE


def test_memories_hold_the_latest_things() -> None:
    events = happening((ITEM_VIEW, 0, {"item": 3}), (ITEM_VIEW, DAY, {"item": 5}), (ITEM_VIEW, 2 * DAY, {"item": 3}))
    states = JOURNEY.empty()
    JOURNEY.step(states, 0, events)
    assert JOURNEY.memory(states, 0, "recent_views") == [(3, START + 2 * DAY), (5, START + DAY)]
    many = JOURNEY.memory_many(states, "stages")
    assert many["transitions"].shape == (1, 25)
    assert many["stay_days"].shape == (1, 5)
    with pytest.raises(LookupError, match="recent_views"):
        JOURNEY.memory(states, 0, "wishes")
