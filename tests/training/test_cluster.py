"""Training on a Dask cluster of two processes: the rows are those of one machine, the trees as good as its trees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import lightgbm
import numpy as np
import pytest
from distributed import Client, LocalCluster

from features.aggregates import count
from features.events import DAY, MINUTE, PURCHASE, Event, Kind
from features.fold.feature_set import FeatureSet
from features.fold.fold import Fold
from features.grouping import histories
from features.journey import JOURNEY, Journey
from features.log import open_log
from features.log.parquet.export import export
from features.log.parquet.exported import ExportedLog
from features.replay.snapshots import Past, read_past
from tests.worlds import OPENING
from tests.worlds import shop as simulated
from training.cluster import ClusterError, ClusterRows, GrownTrees, connected, connection, grown, replayed
from training.cluster.connection import check
from training.cluster.partitions import drawn
from training.cluster.rows import by_person
from training.cluster.trees import best_round, grow
from training.evaluation.evaluation import evaluate
from training.fitting.calibration import settings
from training.rows.dataset import Gathered, gathered, joined, willing
from training.rows.schedule import NotEnoughHistory, Schedule
from training.targets import TARGETS, Target

TARGET = TARGETS["conversion_7d"]
SLICES = ("fit", "stop", "calibrate", "test")
LOGIN = OPENING + 100 * DAY


def events() -> list[Event]:
    """A shop where every third customer was a visitor for 100 days, then logged in, every tenth takes leave, and some
    orders are looked at before, in the same visit or two days ago."""
    made = []
    for row in simulated(customers=300).rows():
        third = int(row.customer[1:]) % 3 == 0
        made.append(replace(row, customer=f"v{row.customer[1:]}") if third and row.at < LOGIN else row)
    for number in range(0, 300, 3):
        who = Event(
            f"login{number}", f"c{number}", Kind.IDENTIFY, LOGIN, LOGIN, properties={"anonymous_id": f"v{number}"}
        )
        made.append(who)
    for number in range(5, 300, 10):
        leave = OPENING + (150 + number // 3) * DAY
        made.append(Event(f"leave{number}", f"c{number}", Kind.CONSENT_WITHDRAW, leave, leave))
    orders = [event for event in made if event.kind is Kind.PURCHASE]
    for number, order in enumerate(orders[::3]):
        before = order.at - (10 * MINUTE if number % 2 else 2 * DAY)
        made.append(Event(f"view{number}", order.customer, Kind.ITEM_VIEW, before, before))
    return sorted(made, key=lambda event: event.received)


class Shop(NamedTuple):
    """A log, exported, and in memory as one machine trains on it."""

    exported: ExportedLog
    past: Past


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    place = tmp_path_factory.mktemp("shop")
    with closing(open_log(place / "waypost.db")) as log:
        log.append(events(), history=True)
        export(log, place / "export", partitions=5)
        exported = ExportedLog(place / "export")
        return Shop(exported, willing(JOURNEY, read_past(log), exported.manifest.end))


@pytest.fixture(scope="module")
def client(shop: Shop) -> Iterator[Client]:
    """Two worker processes of one thread each."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        connected(cluster.scheduler_address, shop.exported, seconds=60.0) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def rows(client: Client, shop: Shop) -> ClusterRows:
    return replayed(client, shop.exported, TARGET, seed=7)


@pytest.fixture(scope="module")
def trees(rows: ClusterRows) -> GrownTrees:
    return grown(rows, 7)


def of_one_machine(shop: Shop, past: Past, target: Target = TARGET) -> Gathered:
    """The rows of a target as one machine makes them, by person and then by moment."""
    manifest = shop.exported.manifest
    found = gathered(target, JOURNEY, past, manifest.start, manifest.end, seed=0)
    return replace(found, rows=by_person(found.rows))


def assert_same(found: Gathered, expected: Gathered) -> None:
    """Every number is the same bit for bit, in the same order, and is in the same slice."""
    for column in ("features", "labels", "customer", "cutoff"):
        assert getattr(found.rows, column).tobytes() == getattr(expected.rows, column).tobytes(), column
    for name in (*SLICES, "purged_fit"):
        assert len(getattr(found.dataset, name)) == len(getattr(expected.dataset, name)) > 0, name


def test_the_rows_of_a_cluster_are_those_of_one_machine_bit_for_bit(rows: ClusterRows, shop: Shop) -> None:
    expected = of_one_machine(shop, shop.past)
    assert len(shop.past.joined) and len(shop.exported.merges) == 100, "some have two ids"
    found = rows.gathered()
    assert_same(found, expected)
    assert len(found.rows) == len(rows) == found.counts.rows
    assert found.counts == replace(expected.counts, rows=len(rows))
    assert [rows.upto(name) for name in ("purged_fit", "fit")] == [
        len(each) for each in (expected.dataset.purged_fit, expected.dataset.fit)
    ]


def test_a_question_asked_within_visits_is_answered_alike(client: Client, shop: Shop) -> None:
    target = TARGETS["session_conversion"]
    assert_same(replayed(client, shop.exported, target, seed=7).gathered(), of_one_machine(shop, shop.past, target))


def test_each_worker_holds_some_partitions_and_arrays_are_their_oldest_rows(rows: ClusterRows) -> None:
    where = rows.client.who_has(rows.parts)
    assert len({worker for workers in where.values() for worker in workers}) == 2
    features, labels = rows.arrays("stop")
    assert features.shape == (rows.upto("stop"), len(JOURNEY.names)) and features.numblocks == (5, 1)
    data = rows.gathered().dataset
    assert int(labels.sum().compute()) == int(data.fit.labels.sum() + data.stop.labels.sum())


def test_with_more_rows_than_fit_some_customers_stand_for_all(client: Client, shop: Shop) -> None:
    some = replayed(client, shop.exported, TARGET, seed=3, most=6_000)
    share, seed = some.question.share, some.question.seed
    assert 0.3 < share < 0.7
    heads = shop.exported.partitioning.heads
    apart, both = (part[drawn(heads(part["customer"]), share, seed)] for part in shop.past.parts)
    assert_same(some.gathered(), of_one_machine(shop, Past(histories([apart]), both, shop.past.merges)))
    assert 0.5 < len(some) / 6_000 < 1.5


def test_here_as_many_people_as_one_machine_takes(rows: ClusterRows) -> None:
    some, whole = rows.gathered(most=len(rows) // 2, seed=1).rows, rows.gathered().rows
    assert 0.35 < len(some) / len(whole) < 0.65
    kept = np.isin(whole.customer, some.customer)
    assert kept.sum() == len(some), "a person's rows stay together"


def test_losses_after_each_tree_are_lightgbm_s_and_stop_where_it_stops(rows: ClusterRows) -> None:
    data = rows.gathered().dataset
    own, heard = (lightgbm.Dataset(each.features, each.labels) for each in (data.purged_fit, data.stop))
    told: dict[str, dict[str, list[float]]] = {}
    stopping = lightgbm.early_stopping(10, verbose=False)
    parameters = settings(len(data.fit), 7) | {"learning_rate": 0.1}
    booster = lightgbm.train(
        parameters, own, 150, valid_sets=[heard], callbacks=[stopping, lightgbm.record_evaluation(told)]
    )
    found, expected = rows.losses(booster.model_to_string()), np.array(told["valid_0"]["binary_logloss"])
    assert np.allclose(found, expected[: len(found)], rtol=0, atol=1e-12)
    assert best_round(expected, 10) == len(found) == booster.best_iteration < 150


@pytest.mark.parametrize(
    ("losses", "rounds"), [([3, 2, 1], 3), ([3, 1, 2, 2, 0], 2), ([3, 1, 2, 0.5, 2], 4), ([1, 1, 1], 1)]
)
def test_patience_ends_at_the_least_loss_so_far(losses: list[float], rounds: int) -> None:
    assert best_round(np.array(losses, float), 2) == rounds


def test_trees_of_a_cluster_are_as_good_as_those_of_one_machine(rows: ClusterRows, trees: GrownTrees) -> None:
    data = rows.gathered().dataset
    known = joined([data.fit, data.stop, data.calibrate])
    single = lightgbm.train(trees.parameters, lightgbm.Dataset(known.features, known.labels), trees.rounds)
    cluster = trees.fit(known)
    predictions = {"cluster": cluster.raw_many(data.test.features), "single": single.predict(data.test.features)}
    predictions["early"] = trees.early.raw_many(data.test.features)
    test = evaluate(
        {name: np.asarray(each) for name, each in predictions.items()},
        data.test.labels, data.test.customer, seed=1, replicates=200,
    )  # fmt: skip
    assert test.over["single"]["log_loss"].low < 0.002 and abs(test.over["single"]["roc_auc"].value) < 0.01
    assert test.figures["early"]["roc_auc"].value > 0.7
    # What was asked for is what they were grown with, and of the machines nothing is told.
    grown_here = lightgbm.Booster(model_str=cluster.text)
    assert grown_here.num_trees() == trees.rounds > 20
    for name in ("learning_rate", "num_leaves", "min_data_in_leaf", "feature_fraction", "lambda_l2", "seed"):
        assert f"[{name}: {trees.parameters[name]:g}]" in cluster.text
    assert "127.0.0.1" not in cluster.text
    assert grown_here.feature_name() == list(JOURNEY.names)


def test_trees_know_the_rows_up_to_the_newest_that_are_given(rows: ClusterRows, trees: GrownTrees) -> None:
    data = rows.gathered().dataset
    few = replace(trees, rounds=3)
    past, final = (few.fit(joined(known)) for known in ([data.fit, data.stop], [data.fit, data.stop, data.calibrate]))
    counts = [lightgbm.Booster(model_str=each.text).dump_model()["tree_info"][0] for each in (past, final)]
    known = [each["tree_structure"]["internal_count"] for each in counts]
    assert known == pytest.approx([0.7 * rows.upto("stop"), 0.7 * rows.upto("calibrate")], rel=0.02)


def test_a_worker_with_one_answer_is_refused_before_it_fits(rows: ClusterRows) -> None:
    with pytest.raises(ClusterError, match=r"conversion_7d, .* of them yes; expected both"):
        grow(replace(rows, yes=rows.counts), "stop", {}, 1)


def test_what_cannot_be_trained_says_why(client: Client, shop: Shop) -> None:
    everyone = replace(TARGET, scope=Journey.purchases_ever < 0)
    with pytest.raises(ClusterError, match=r"lifetime_value_90d .* 'amount', expected probability"):
        replayed(client, shop.exported, TARGETS["lifetime_value_90d"], seed=0)
    with pytest.raises(NotEnoughHistory, match=r"fit rows of conversion_7d are 0"):
        replayed(client, shop.exported, everyone, seed=0)
    with pytest.raises(NotEnoughHistory, match="waypost import"):
        replayed(client, shop.exported, TARGET, seed=0, schedule=Schedule(warm_up=400 * DAY))


def test_nobody_answers(shop: Shop) -> None:
    with (
        pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1 .*dask scheduler"),
        connected("tcp://127.0.0.1:1", shop.exported, seconds=0.5),
    ):
        raise AssertionError


def test_workers_must_see_the_export_and_know_the_features(
    client: Client, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(client, shop.exported, "here")
    older = ExportedLog(shop.exported.path)
    older.manifest = replace(older.manifest, generation=9)
    with pytest.raises(ClusterError, match=r"sees another export .* \(number 1, expected 9\)"):
        check(client, older, "here")
    copied = ExportedLog(shop.exported.path)
    copied.path = tmp_path
    with pytest.raises(ClusterError, match=r"cannot read the export: LogMissing"):
        check(client, copied, "here")

    class Small(FeatureSet):
        purchases = count(PURCHASE)

    monkeypatch.setattr(connection, "JOURNEY", Fold(Small))
    with pytest.raises(ClusterError, match=r"computes features with the fingerprint .*install there the release"):
        check(client, shop.exported, "here")
