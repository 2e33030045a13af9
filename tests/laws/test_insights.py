"""Laws of every insight: it asks a question, and answers it in the form that it declares, for any shop."""

from __future__ import annotations

import json

import numpy as np
import pytest

from features.events import EVENT, Kind, days
from features.journey import JOURNEY
from insights.catalogue import INSIGHTS
from insights.insight import Insight, Shop
from insights.kpis import TARGETS
from serving.web.page import environment

Histories = tuple[tuple[tuple[int, Kind], ...], ...]
NOW = days(20_000)
VISIT = ((30, Kind.PAGE_VIEW),)
BUYER = ((30, Kind.ITEM_VIEW), (20, Kind.CART_ADD), (20, Kind.PURCHASE), (3, Kind.CART_ADD))
SHOPS: dict[str, Histories] = {
    "empty": (),
    "one visitor": (VISIT,),
    "one buyer": (BUYER,),
    "several": (VISIT, BUYER, BUYER, VISIT),
}


def shop(histories: Histories) -> Shop:
    """Customers with these events, each so many days ago, folded and without a model."""
    states = JOURNEY.empty(len(histories))
    for row, history in enumerate(histories):
        events = np.zeros(len(history), EVENT)
        for event, (days_ago, kind) in zip(events, history, strict=True):
            event["at"] = event["received"] = NOW - days(days_ago)
            event["kind"], event["item"], event["category"] = kind, 1, -1
            event["amount"] = event["quantity"] = event["score"] = np.nan
        JOURNEY.step(states, row, events)
    columns = dict(zip(JOURNEY.names, JOURNEY.sweep(states, NOW).T, strict=True))
    columns |= {name: np.full(len(histories), np.nan, np.float32) for name in TARGETS}
    return Shop(columns, JOURNEY.memory_many(states, "stages"), NOW)


@pytest.fixture(params=list(INSIGHTS.values()), ids=list(INSIGHTS))
def insight(request: pytest.FixtureRequest) -> Insight:
    """Each insight."""
    found: Insight = request.param
    return found


def test_it_asks_a_question_and_says_what_its_answer_is(insight: Insight) -> None:
    assert insight.question.endswith("?") and insight.doc.endswith(".")
    assert INSIGHTS[insight.name] is insight


@pytest.mark.parametrize("histories", SHOPS.values(), ids=SHOPS)
def test_its_answer_has_the_form_that_it_declares(insight: Insight, histories: Histories) -> None:
    computed = insight.compute(shop(histories))
    answer = json.loads(json.dumps(computed.model_dump(mode="json"), allow_nan=False))
    assert insight.schema.model_validate(answer, strict=True) == computed
    assert all(len(row) == len(insight.columns) for row in insight.rows(answer))


@pytest.mark.parametrize("histories", SHOPS.values(), ids=SHOPS)
def test_its_template_shows_any_answer(insight: Insight, histories: Histories) -> None:
    answer = insight.compute(shop(histories)).model_dump(mode="json")
    section = environment().get_template(insight.template).render(insight=insight, answer=answer)
    assert section.lstrip().startswith("<section") and "nan" not in section
