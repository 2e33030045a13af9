"""What the next tier of each target takes, and when it is expected."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from features.events import DAY
from models.bundle.manifest import Manifest, TargetCard
from models.bundle.readiness import Readiness, lacking_words, readiness

NOW = 1_700_000_000_000_000
NEEDED = {
    "prior": {},
    "stage_rate": {"rows": 1.0},
    "logistic": {"rows": 200.0, "yes": 40.0},
    "lightgbm": {"rows": 1000.0, "yes": 200.0, "history_days": 120.0},
}


def _of(tier: str, **counts: float) -> Readiness:
    card = TargetCard("d", "s", 7.0, 0.1, "identity", tier=tier, evidence="D", counts=counts, needed=NEEDED)
    manifest = Manifest("f", ("a",), {"conversion_7d": card}, "2026-01-01T00:00:00Z", NOW, 0, "", 0)
    (found,) = readiness(manifest)
    return found


def test_what_is_lacking_comes_at_the_pace_of_the_history() -> None:
    found = _of("stage_rate", rows=150.0, yes=10.0, history_days=30.0)
    assert found.next is not None
    assert found.next.tier == "logistic"
    assert found.next.lacking == {"rows": 50.0, "yes": 30.0}
    assert found.next.expected == NOW + 90 * DAY  # 30 more at one in three days


def test_history_grows_a_day_a_day() -> None:
    found = _of("logistic", rows=5000.0, yes=900.0, history_days=100.0)
    assert found.next is not None
    assert (found.next.tier, found.next.lacking) == ("lightgbm", {"history_days": 20.0})
    assert found.next.expected == NOW + 20 * DAY


def test_what_does_not_grow_is_not_expected() -> None:
    found = _of("stage_rate", rows=500.0, yes=0.0, history_days=30.0)
    assert found.next is not None
    assert (found.next.tier, found.next.expected) == ("logistic", None)


def test_what_takes_longer_than_anybody_can_foresee_is_not_expected() -> None:
    found = _of("stage_rate", rows=500.0, yes=1.0, history_days=1_000.0)  # 39 more at one in a thousand days
    assert found.next is not None
    assert (found.next.lacking, found.next.expected) == ({"yes": 39.0}, None)


def test_a_tier_that_lost_lacks_nothing() -> None:
    found = _of("logistic", rows=5000.0, yes=900.0, history_days=200.0)
    assert found.next is not None
    assert (found.next.tier, found.next.lacking, found.next.expected) == ("lightgbm", {}, None)


def test_above_the_top_is_nothing() -> None:
    assert _of("lightgbm", rows=5000.0, yes=900.0, history_days=200.0).next is None


def test_what_is_lacking_is_said_as_people_count() -> None:
    assert lacking_words({"yes": 1.0, "no": 1.0}) == "1 more row with a yes and 1 more row with a no"
    assert lacking_words({"customers": 1_200.0}) == "1,200 more customers"
    assert _of("logistic", rows=5000.0, yes=900.0, history_days=119.0).why == (
        "lightgbm is tried once there is 1 more day of history."
    )
    assert _of("prior", rows=0.0, yes=0.0).why == "stage_rate is tried once there is 1 more row."


@given(
    tier=st.sampled_from(list(NEEDED)),
    counts=st.fixed_dictionaries(
        {name: st.integers(0, 3000).map(float) for name in ("customers", "rows", "yes", "history_days")}
    ),
)
def test_with_what_is_lacking_the_tier_is_reached(tier: str, counts: dict[str, float]) -> None:
    found = _of(tier, **counts).next
    if found is None:
        assert tier == "lightgbm"
        return
    assert list(NEEDED).index(found.tier) > list(NEEDED).index(tier)
    reached = {what: counts[what] + found.lacking.get(what, 0.0) for what in counts}
    assert all(reached[what] >= number for what, number in found.needed.items())
    assert all(number > 0 for number in found.lacking.values())
    if found.expected is not None:
        assert found.lacking and found.expected > NOW
