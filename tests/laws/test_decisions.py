"""The law of deciding beside the writes: whatever comes in between, a decision is what it would be in its place."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import Event, Kind
from features.journey import JOURNEY
from models.bundle.loaded import Champions
from serving.engine.batch import Batch
from serving.engine.decisions import Judged
from serving.engine.engine import Engine
from serving.engine.state import open_states
from tests.examples import examples
from tests.serving.conftest import NOW
from tests.serving.deciding import EAGER, wrong_decisions
from tests.serving.shop import save_bundle

WHO = ("anna", "ben")
KINDS = (Kind.PAGE_VIEW, Kind.PURCHASE, Kind.UNSUBSCRIBE, Kind.CONSENT_WITHDRAW, Kind.CONSENT_GRANT)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("judge"), st.sampled_from(WHO)),
        st.tuples(st.just("settle"), st.integers(0, 5)),
        st.tuples(st.just("happen"), st.sampled_from(WHO), st.sampled_from(KINDS)),
        st.tuples(st.just("erase"), st.sampled_from(WHO)),
    ),
    min_size=5,
    max_size=40,
)


@pytest.fixture(scope="module")
def champions(tmp_path_factory: pytest.TempPathFactory) -> Champions:
    """A champion that writes to everybody as often as it may."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("models.bundle.loaded.Policy", lambda **_: EAGER)
        found = Champions(save_bundle(tmp_path_factory.mktemp("eager") / "champion", JOURNEY), JOURNEY)
        assert found.refresh()
    return found


@given(steps=STEPS)
@settings(max_examples=examples(40), deadline=None)
def test_every_decision_is_what_judging_at_its_place_in_the_log_gives(
    champions: Champions, steps: list[tuple[str, str | int, Kind]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{Path(folder) / 'waypost.db'}"
        engine, other = (Engine(open_states(store, JOURNEY, 1.0), JOURNEY, champions) for _ in range(2))
        waiting: list[Judged] = []
        for number, (what, which, *kind) in enumerate(steps):
            if what == "judge":
                waiting.append(engine.judge(str(which), f"d-{number}", NOW))
            elif what == "happen":
                other.take([Batch([Event(f"e-{number}", str(which), kind[0], NOW, NOW)])])
            elif what == "erase":
                other.states.erase(str(which), NOW - 1)
            elif waiting:
                judged = waiting.pop(int(which) % len(waiting))
                if other.settle(judged) == "changed":
                    other.decide(judged.state.customer, judged.decision.decision_id, NOW)
        assert not [fault for who in WHO for fault in wrong_decisions(engine, who, NOW)]
        engine.states.close()
        other.states.close()
