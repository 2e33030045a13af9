"""The demo, run again, tells of the champion that it finds, whatever its targets stand on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from features.journey import JOURNEY
from models.manifest import TargetCard
from tests.serving.shop import bundle
from waypost.demonstration import report_champion


def test_a_champion_that_was_trained_before_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    made = bundle(JOURNEY).manifest
    untested = TargetCard("d", "s", 90.0, 487.5, "identity", form="amount", rung="buyers", evidence="C")
    report_champion(replace(made, targets={**made.targets, "lifetime_value_90d": untested}))
    told = " ".join(capsys.readouterr().out.split())
    assert made.version in told
    assert all(word in told for word in ("0.870", "35.0%", "buyers", "487.50"))
