"""Shared by the benchmarks of scoring: events as records, a model of the usual size, a store and a bundle on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.synthetic import by_appearance, columns_of
from features.events import EVENT, NO_CODE, Channel, Event, Kind
from features.journey import JOURNEY
from features.log import open_log
from features.log.frame import SCHEMA
from models.bundle.bundle import Bundle
from models.bundle.manifest import Manifest, TargetCard
from models.decisions.policy import Policy
from models.prediction.calibration import Calibration
from models.prediction.scorer import Scorer
from models.recommenders.item_item import ItemItem, Neighbours

APPENDED = 1_000_000
"""Events of one append, some 200 MB: an import hands over about as many."""

TREES, LEAVES = 200, 31
EVERYONE = "customers with days_since_last <= 3650"
TARGETS = {"conversion_7d": EVERYONE, "churn_28d": EVERYONE}


def events_of(number: int, customers: int, seed: int = 1) -> NDArray[np.void]:
    """Synthetic events in arrival order as EVENT records."""
    columns = columns_of(number, customers, seed)
    events = np.zeros(len(columns["at"]), EVENT)
    for name, values in columns.items():
        events[name] = values
    return events


def coded_as_logged(events: NDArray[np.void]) -> NDArray[np.void]:
    """The events with the codes of items and categories that a log will give them: by first appearance."""
    for name in ("item", "category"):
        present = events[name] != NO_CODE
        events[name][present] = by_appearance(events[name][present])
    return events


def frames_of(events: NDArray[np.void]) -> Iterator[pl.DataFrame]:
    """The events with names in the place of codes, as an import hands them to a log."""
    for first in range(0, len(events), APPENDED):
        part = events[first : first + APPENDED]
        number = {name: pl.Series(part[name]) for name in part.dtype.names or ()}
        record = pl.int_range(len(part), dtype=pl.Int64, eager=True)
        yield pl.DataFrame(
            {
                **number,
                "record": record,
                "message_id": "m" + (record + first).cast(pl.String),
                "customer": "customer-" + number["customer"].cast(pl.String),
            }
        ).select(
            *(
                pl.lit(None, dtype).alias(name) if name in ("order_id", "properties")
                else pl.when(pl.col(name) != NO_CODE).then(pl.col(name).cast(pl.String)) if name in ("item", "category")
                else pl.col(name).cast(dtype)
                for name, dtype in SCHEMA.items()
            )
        )  # fmt: skip


def benchmark_model(features: NDArray[np.float32], seed: int = 1) -> lightgbm.Booster:
    """200 trees of 31 leaves over all features, grown on noisy labels so that every tree is full."""
    random = np.random.default_rng(seed)
    rows = features[random.integers(0, len(features), 20_000)]
    known = np.nan_to_num(rows)
    rows = (rows * random.normal(1.0, 0.2, rows.shape)).astype(np.float32)
    signal = np.log1p(np.abs(known[:, JOURNEY.index["purchases_ever"]])) + np.sin(
        known[:, JOURNEY.index["days_since_first"]]
    )
    labels = (signal + random.normal(0, 1, len(rows)) > np.median(signal)).astype(np.float32)
    settings = {
        "objective": "binary", "num_leaves": LEAVES, "min_data_in_leaf": 20, "learning_rate": 0.02,
        "feature_fraction": 0.5, "seed": seed, "num_threads": 1, "verbosity": -1, "deterministic": True,
        "force_col_wise": True,
    }  # fmt: skip
    return lightgbm.train(settings, lightgbm.Dataset(rows, labels, feature_name=list(JOURNEY.names)), TREES)


def write_shop(folder: Path, customers: int, events: int, store: str | None = None) -> list[str]:
    """A store (`waypost.db` unless another is named) of synthetic customers, and a bundle `champion` with two models.

    Returns the customers' names.
    """
    records = events_of(events, customers)
    log = open_log(store or folder / "waypost.db")
    named = [row(index, record) for index, record in enumerate(records)]
    log.append(named, history=True)
    log.close()
    states = JOURNEY.empty(customers)
    for record in records[:20_000]:
        JOURNEY.step(states, int(record["customer"]), record.reshape(1))
    write_bundle(folder, JOURNEY.sweep(states, int(records["received"][-1])))
    return sorted({event.customer for event in named})


def write_bundle(folder: Path, features: NDArray[np.float32], targets: Mapping[str, str] = TARGETS) -> None:
    """A bundle `champion` with a model of the usual size for each target, by its scope, trained on some features."""
    scorers, cards = {}, {}
    for seed, (target, scope) in enumerate(targets.items()):
        text = benchmark_model(features, seed).model_to_string()
        scorers[target] = Scorer.from_text(target, text, Calibration.platt(1.0, 0.0), JOURNEY.names)
        cards[target] = TargetCard("benchmark", scope, 7.0, 0.5, "platt")
    manifest = Manifest(
        fingerprint=JOURNEY.fingerprint, features=JOURNEY.names, targets=cards, created="2026-01-01T00:00:00Z", now=0,
        log_offset=0, git_commit="", seed=1, policy=Policy().parameters,
    )  # fmt: skip
    Bundle(scorers, [_recommender()], manifest).save(folder / "champion")


def row(index: int, record: np.void) -> Event:
    item, category = int(record["item"]), int(record["category"])
    return Event(
        message_id=f"m{index}",
        customer=f"customer-{record['customer']}",
        kind=Kind(int(record["kind"])),
        at=int(record["at"]),
        received=int(record["received"]),
        channel=Channel(int(record["channel"])),
        item=None if item == NO_CODE else str(item),
        category=None if category == NO_CODE else str(category),
        quantity=float(record["quantity"]),
        amount=float(record["amount"]),
        score=float(record["score"]),
    )


def _recommender() -> ItemItem:
    size = 1_000
    ring = (np.arange(size, dtype=np.int32) + 1) % size
    neighbours = Neighbours(np.arange(size + 1, dtype=np.int64), ring.astype(np.int32), np.ones(size, np.float32))
    return ItemItem([str(number) for number in range(size)], neighbours, np.linspace(1, 0, size, dtype=np.float32))
