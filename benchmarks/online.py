"""One customer online: fold one event into a state, read the features, score them, one at a time from Python.

python -m benchmarks.online [--rounds 20000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import percentile, print_claims, print_table
from benchmarks.shops import benchmark_model, events_of
from features.journey import JOURNEY
from models.prediction.calibration import Calibration
from models.prediction.scorer import Scorer

CUSTOMERS = 500
OWN, PEER = "score (Scorer)", "score (lightgbm.Booster.predict)"


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20_000)
    rounds = parser.parse_args().rounds
    events = events_of(rounds + 20 * CUSTOMERS, CUSTOMERS)
    states = JOURNEY.empty(CUSTOMERS)
    for index in range(20 * CUSTOMERS):
        JOURNEY.step(states, int(events["customer"][index]), events[index : index + 1])
    features = JOURNEY.sweep(states, int(events["received"][20 * CUSTOMERS]))
    booster = benchmark_model(features)
    scorer = Scorer.from_text("conversion_7d", booster.model_to_string(), Calibration.platt(1.0, 0.0), JOURNEY.names)
    timed = _timed(states, events[20 * CUSTOMERS :], scorer, booster)
    rows = [(name, f"{median(times):.1f}", f"{percentile(times, 0.99):.1f}") for name, times in timed.items()]
    print_table(
        f"{rounds:,} times, in turn; 200 trees x 31 leaves, {len(JOURNEY.names)} features",
        ("what", "p50 µs", "p99 µs"),
        rows,
    )
    mine, peer = median(timed[OWN]), median(timed[PEER])
    claims = {
        "update_read_score_us": median(timed["update, read and score"]),
        "update_read_score_p99_us": percentile(timed["update, read and score"], 0.99),
        "score_bitwise_mismatches": float(_mismatches(features, scorer, booster)),
        "score_ratio_to_booster_predict": peer / mine,
    }
    print_claims("online", claims)


def _timed(
    states: NDArray[np.void], events: NDArray[np.void], scorer: Scorer, booster: lightgbm.Booster
) -> dict[str, list[float]]:
    """Microseconds of every call, by its name."""
    timed: dict[str, list[float]] = {name: [] for name in ("update", "read", OWN, PEER)}

    def measure(name: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter_ns()
        result = call(*arguments, **options)
        timed[name].append((time.perf_counter_ns() - begun) / 1000)
        return result

    for index in range(len(events)):
        event = events[index : index + 1]
        customer, now = int(event["customer"][0]), int(event["received"][0])
        measure("update", JOURNEY.step, states, customer, event)
        row = measure("read", JOURNEY.read, states, customer, now)
        measure(OWN, scorer.score, row)
        measure(PEER, booster.predict, row.reshape(1, -1), num_threads=1)
    parts = zip(timed["update"], timed["read"], timed[OWN], strict=True)
    timed["update, read and score"] = [sum(times) for times in parts]
    return timed


def _mismatches(features: NDArray[np.float32], scorer: Scorer, booster: lightgbm.Booster) -> int:
    """The number of rows whose raw score differs from LightGBM's in any bit."""
    expected = np.asarray(booster.predict(features))
    raw = np.array([scorer.raw(row) for row in features])
    return int(np.sum(expected.view(np.int64) != raw.view(np.int64)))


if __name__ == "__main__":
    main()
