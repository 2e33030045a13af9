"""Which rows count as realised, what is made of them, and the reference that the log gives at any time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from features.events import DAY, days
from features.journey import JOURNEY
from features.log import open_log
from features.replay.snapshots import Past, read_past, replay_profiles
from tests.serving.shop import shop
from tests.training.monitoring.shops import ASKED, TRAINED, known, trained_shop
from training.monitoring import reference_of, watch
from training.monitoring.realised import CUTOFFS, deciles, realised, ripened, worse_by
from training.monitoring.samples import STEP
from training.rows.labels import label
from training.targets import TARGETS, InVisit, Target

NOW = 1_780_000_000_000_000
IN_VISITS = next(
    target for target in TARGETS.values() if isinstance(target.timing, InVisit) and target.form == "probability"
)
AMOUNT = next(target for target in TARGETS.values() if target.form == "amount")


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """A shop that is visited on the web."""
    log = open_log(tmp_path_factory.mktemp("shop") / "waypost.db")
    log.append(shop(NOW, customers=150), history=True)
    past = read_past(log)
    log.close()
    return past


@pytest.mark.parametrize("target", list(ASKED.values()), ids=list(ASKED))
@pytest.mark.parametrize("age", [29, 40, 130])
def test_rows_are_of_moments_after_the_training_whose_answers_are_known(target: Target, age: int) -> None:
    past, now = trained_shop().past(TRAINED + age * DAY), TRAINED + age * DAY
    rows = known(ripened(JOURNEY, past, target, TRAINED, now))
    moments = np.unique(rows.cutoff)
    assert moments.min() >= TRAINED and moments.max() == now - target.horizon and len(moments) <= CUTOFFS
    assert set(np.diff(moments)) <= {STEP}
    snapshots = replay_profiles(JOURNEY, past, moments.tolist())
    labels = label(target, past, snapshots, now)
    assert np.array_equal(labels[labels >= 0], rows.labels)
    assert np.array_equal(snapshots.features[labels >= 0], rows.features, equal_nan=True)


def test_within_visits_every_moment_counts(visited: Past) -> None:
    rows = known(ripened(JOURNEY, visited, IN_VISITS, NOW - days(60), NOW))
    assert rows.cutoff.min() >= NOW - days(60) and rows.cutoff.max() <= NOW - IN_VISITS.horizon
    assert len(np.unique(rows.cutoff)) > CUTOFFS


def test_what_cannot_be_judged_says_why(visited: Past) -> None:
    target = ASKED["churn_28d"]
    assert (
        ripened(JOURNEY, visited, target, NOW - days(27), NOW) == "the first answers ripen 28 days after the training"
    )
    assert "expected at least 100" in str(ripened(JOURNEY, visited, target, NOW - days(28), NOW))
    assert "no probability but an amount" in str(ripened(JOURNEY, visited, AMOUNT, NOW - days(200), NOW))


def test_tenths_are_what_plain_python_says() -> None:
    past, now = trained_shop().past(TRAINED + 60 * DAY), TRAINED + 60 * DAY
    rows = known(ripened(JOURNEY, past, ASKED["conversion_7d"], TRAINED, now))
    given = trained_shop().watched.scorers["conversion_7d"].score_many(rows.features)
    found = deciles(given, rows)
    assert sum(part.rows for part in found) == len(rows) and len(found) == 10
    ordered = sorted(range(len(rows)), key=lambda row: given[row])
    first = ordered[: found[0].rows]
    assert found[0].predicted == pytest.approx(sum(given[row] for row in first) / len(first))
    assert found[0].realised.value == pytest.approx(sum(rows.labels[row] for row in first) / len(first))
    assert [part.predicted for part in found] == sorted(part.predicted for part in found)
    assert worse_by(given, given, rows).value == 0.0
    without = realised("conversion_7d", "v", rows, np.full(len(rows), rows.labels.mean()))
    assert without.loss_ratio.value == pytest.approx(1.0) and math.isnan(without.base_rate)


def test_the_log_gives_the_reference_of_the_training_at_any_later_time() -> None:
    made = trained_shop()
    later = reference_of(JOURNEY, made.past(TRAINED + 100 * DAY), TRAINED, ASKED, made.watched.scorers)
    assert later.files() == made.reference.files()


def test_a_young_log_raises_no_alarm_of_drift() -> None:
    made = trained_shop()
    start = int(made.world.events["received"][0])
    watched_now = start + 5 * DAY
    past = made.past(start + 40 * DAY)
    reference = reference_of(JOURNEY, past, watched_now, ASKED, made.watched.scorers)
    assert reference.span == 0 and all(math.isnan(each.usual_psi) for each in reference.features.values())
    young = type(made.watched)("young", watched_now, made.watched.scorers)
    report = watch(JOURNEY, past, young, start + 40 * DAY, ASKED, reference=reference)
    assert not [alarm for alarm in report.alarms if alarm.kind == "drift"]
