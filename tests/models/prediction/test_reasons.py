"""Reasons: families of contributions, in words."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.catalogues.words import Speaker
from features.journey import JOURNEY
from models.prediction.reasons import LEAST, MOST_FEATURES, Reasoner

SPEAKER = Speaker(JOURNEY)
REASONER = Reasoner(SPEAKER, JOURNEY.names)
WIDTH = len(JOURNEY.names)


def _row(**values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    row = np.full(WIDTH, np.nan, np.float32)
    for name, value in values.items():
        row[JOURNEY.index[name]] = value
    return row


def test_a_silence_is_said_against_the_usual_pause() -> None:
    added = np.zeros(WIDTH + 1)
    added[JOURNEY.index["silence_ratio"]], added[-1] = 1.2, -5.0
    (reason,) = REASONER.reasons(_row(days_since_purchase=34.0, silence_ratio=34 / 9), added)
    assert reason.words == "no purchase for 34 days, usually every 9 days"
    assert reason.effect == 1.2
    assert reason.about == "Tempo"
    assert list(reason.features) == ["silence_ratio"]


def test_a_family_speaks_through_what_moves_it_its_own_way() -> None:
    added = np.zeros(WIDTH)
    added[JOURNEY.index["purchases_28d"]] = -0.9
    added[JOURNEY.index["purchases_ever"]] = 1.0
    added[JOURNEY.index["purchases_90d"]] = -0.4
    (reason,) = REASONER.reasons(_row(purchases_28d=3.0, purchases_ever=9.0, purchases_90d=5.0), added)
    assert np.isclose(reason.effect, -0.3)
    assert reason.words == "3 purchases in the last 28 days"
    assert list(reason.features) == ["purchases_28d", "purchases_90d"]


@given(
    added=arrays(np.float64, WIDTH, elements=st.floats(-4, 4, width=32)),
    row=arrays(np.float32, WIDTH, elements=st.sampled_from([np.nan, 0.0, 1.0, 2.0])),
    limit=st.integers(1, 12),
)
def test_reasons_are_the_strongest_families_and_whole(
    added: np.ndarray[tuple[int], np.dtype[np.float64]],
    row: np.ndarray[tuple[int], np.dtype[np.float32]],
    limit: int,
) -> None:
    found = REASONER.reasons(row, added, limit)
    effects: dict[str, float] = {}
    for name, value in zip(JOURNEY.names, added.tolist(), strict=True):
        family = SPEAKER.family(name)
        effects[family] = effects.get(family, 0.0) + value
    sizes = [abs(reason.effect) for reason in found]
    assert sizes == sorted(sizes, reverse=True)
    assert len(found) <= limit
    for reason in found:
        assert np.isclose(reason.effect, effects[reason.about])
        assert 1 <= len(reason.features) <= MOST_FEATURES
        assert all(SPEAKER.family(name) == reason.about for name in reason.features)
    told = {reason.about for reason in found}
    rest = [abs(effect) for about, effect in effects.items() if about not in told]
    assert len(found) == limit or max(rest, default=0.0) <= LEAST + 1e-9
