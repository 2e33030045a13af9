"""A small simulated shop: customers at every stage of the journey, and a bundle trained on them in a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.events import DAY, HOUR, MINUTE, Channel, Event, Kind
from features.fold.fold import Fold
from models.bundle.bundle import Bundle
from models.bundle.manifest import Manifest, TargetCard
from models.decisions.policy import Policy
from models.prediction.calibration import Calibration
from models.prediction.scorer import Scorer
from models.recommenders.item_item import ItemItem, Neighbours

ITEMS = tuple(f"item-{number}" for number in range(40))
TARGETS = {
    "conversion_7d": ("PURCHASE within 7 days after the cutoff", "customers with days_since_last <= 90", 7.0),
    "churn_28d": ("no PURCHASE within 28 days after the cutoff", "customers with days_since_purchase <= 56", 28.0),
}


def customer(number: int) -> str:
    """The id of a customer of the shop."""
    return f"household-{number}"


def shop(now: int, customers: int = 200, seed: int = 7) -> list[Event]:
    """Histories that end before `now`, in the order in which they happened; the same for the same seed."""
    random = np.random.default_rng(seed)
    events = [event for number in range(customers) for event in _history(number, now, random)]
    return sorted(events, key=lambda event: (event.received, event.message_id))


def _history(number: int, now: int, random: np.random.Generator) -> Iterator[Event]:
    who, made = customer(number), 0
    first = now - int(random.integers(2, 300)) * DAY
    keenness = random.beta(1.2, 2.0)

    def happens(kind: Kind, at: int, **fields: object) -> Event:
        nonlocal made
        made += 1
        return Event(f"{who}-{made}", who, kind, at, at, **{"channel": Channel.WEB, **fields})  # type: ignore[arg-type]

    for visit in range(int(random.integers(1, 12))):
        at = first + int((now - HOUR - first) * random.random())
        item = ITEMS[int(random.integers(len(ITEMS)))]
        yield happens(Kind.PAGE_VIEW, at)
        if random.random() < 0.8:
            yield happens(Kind.ITEM_VIEW, at + MINUTE, item=item, category="food")
        if random.random() < 0.3 + 0.5 * keenness:
            yield happens(Kind.CART_ADD, at + 2 * MINUTE, item=item, category="food", quantity=1.0, amount=9.5)
            if random.random() < keenness:
                order = f"order-{number}-{visit}"
                yield happens(Kind.PURCHASE, at + 3 * MINUTE, amount=float(random.gamma(3, 12)), order_id=order)
                yield happens(Kind.PURCHASED_ITEM, at + 3 * MINUTE, item=item, quantity=1.0, amount=9.5, order_id=order)
                if random.random() < 0.25:
                    yield happens(Kind.REVIEW, at + 30 * MINUTE, item=item, score=5.0)
        if random.random() < 0.3:
            yield happens(Kind.MESSAGE_DELIVER, at + 10 * MINUTE, channel=Channel.EMAIL)
    if number % 9 == 0:
        yield happens(Kind.SURVEY_NPS, now - 2 * HOUR, score=float(random.integers(0, 11)))


def bundle(fold: Fold, rounds: int = 20, seed: int = 1) -> Bundle:
    """A bundle with both targets for the features of `fold`."""
    random = np.random.default_rng(seed)
    matrix = random.gamma(1.0, 5.0, (600, len(fold.names))).astype(np.float32)
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    scorers, cards = {}, {}
    for target, (definition, scope, horizon) in TARGETS.items():
        labels = (matrix[:, fold.index["days_since_purchase"]] < 4).astype(np.int64)
        scorers[target] = _scorer(
            target, matrix, labels if target == "conversion_7d" else 1 - labels, fold.names, rounds
        )
        metrics = {"roc_auc": 0.87, "pr_auc": 0.44, "calibration_error": 0.012}
        cards[target] = TargetCard(definition, scope, horizon, 0.2 if target == "churn_28d" else 0.35, "platt", metrics)
    manifest = Manifest(
        fingerprint=fold.fingerprint,
        features=fold.names,
        targets=cards,
        created="2026-06-01T12:00:00Z",
        now=1_780_000_000_000_000,
        log_offset=0,
        git_commit="0123abc",
        seed=seed,
        recommender={"ndcg_at_20": 0.21, "recall_at_20": 0.33},
        policy=Policy().parameters,
    )
    return Bundle(scorers, [_recommender()], manifest)


def save_bundle(directory: Path, fold: Fold) -> Path:
    """A bundle in `directory`, trained there when it is not there yet."""
    if not directory.exists():
        bundle(fold).save(directory)
    return directory


def _scorer(
    target: str, matrix: NDArray[np.float32], labels: NDArray[np.int64], names: tuple[str, ...], rounds: int
) -> Scorer:
    dataset = lightgbm.Dataset(matrix, labels, feature_name=list(names))
    settings = {"objective": "binary", "num_leaves": 15, "verbosity": -1, "num_threads": 1, "seed": 1}
    text = lightgbm.train(settings, dataset, num_boost_round=rounds).model_to_string()
    return Scorer.from_text(target, text, Calibration.platt(1.0, 0.0), names)


def _recommender() -> ItemItem:
    """Every item's neighbour is the next one; the first items are the most popular."""
    size = len(ITEMS)
    neighbours = Neighbours(
        np.arange(size + 1, dtype=np.int64),
        ((np.arange(size) + 1) % size).astype(np.int32),
        np.ones(size, np.float32),
    )
    return ItemItem(list(ITEMS), neighbours, np.linspace(1.0, 0.0, size, dtype=np.float32))
