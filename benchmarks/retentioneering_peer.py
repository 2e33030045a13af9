"""A funnel and the transitions of events as retentioneering 3 counts them, in an interpreter that has it.

    python benchmarks/retentioneering_peer.py COLUMNS.npz ROUNDS STEP [STEP...]

It needs numpy below 2 and pandas below 2, so it cannot live in the environment of the benchmarks: this file imports
nothing of ours, and answers with one line of JSON, the counts and the seconds of every round. `COLUMNS.npz` has
`customer`, `at` (nanoseconds) and `kind` (the name). Making its stream of events is shown apart.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

os.environ["RETE_TRACKER_ENABLED"] = "false"  # it sends what is called to its makers otherwise


def main(path: str, rounds: int, steps: list[str]) -> None:
    """Make the stream, count in every round, print."""
    library = importlib.import_module("retentioneering.eventstream")  # not a dependency of ours
    columns = np.load(path)
    events = pd.DataFrame(
        {
            "user_id": columns["customer"],
            "event": columns["kind"],
            "timestamp": columns["at"].astype("datetime64[ns]"),
        }
    )
    began = time.perf_counter()
    stream = library.Eventstream(events, add_start_end_events=False)
    made = time.perf_counter() - began
    funnel, funnel_seconds = _timed(rounds, lambda: stream.funnel(stages=list(steps), show_plot=False).values)
    matrix, matrix_seconds = _timed(rounds, lambda: stream.transition_matrix(weight_col="event_id"))
    cells = matrix.stack()
    answer = {
        "made": made,
        "funnel": [int(number) for number in funnel["unique_users"]],
        "funnel_seconds": funnel_seconds,
        "transitions": [[*pair, int(number)] for pair, number in cells[cells > 0].items()],
        "transitions_seconds": matrix_seconds,
    }
    print(json.dumps(answer))


def _timed(rounds: int, question: Callable[[], Any]) -> tuple[Any, float]:
    """The answer, and the least seconds."""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = question()
        seconds.append(time.perf_counter() - began)
    return answer, min(seconds)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
