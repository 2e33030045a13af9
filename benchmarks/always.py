"""Three hundred generated shops: does every import and training end with a champion that answers every target?

    python -m benchmarks.always [--shops 300] [--first 0] [--most 3000] [--rounds 10] [--recorded 50] [--done FILE]

Two thirds of each shop are imported, trained, and trained again; then the rest is imported, and trained. The model that
should answer is recomputed from the recorded gates in plain Python. One shop in `--recorded` is recorded in MLflow as
well. With `--done`, shops that are in the file already are skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.report import print_claims, print_table
from features.events import DAY
from tests.always import faults, trainings, unrecorded
from tests.odd_shops import Plan, plan_of
from training.fitting import candidates


@dataclass(frozen=True)
class Shown:
    """The result of one shop: the number of trainings, the faults, and the number of answers from each tier."""

    plan: Plan
    trainings: int
    wrong: list[str]
    tiers: dict[str, int]
    seconds: float


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shops", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--recorded", type=int, default=50)
    parser.add_argument("--done", type=Path)
    asked = parser.parse_args()
    known = _read(asked.done)
    shown: list[Shown] = []
    for number in range(asked.first, asked.first + asked.shops):
        plan = plan_of(number, asked.most)
        if (key := str(plan)) not in known:
            known[key] = asdict(shop(plan, asked.rounds, recorded=asked.recorded > 0 and number % asked.recorded == 0))
            if asked.done is not None:
                with asked.done.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": key, **known[key]}) + "\n")
        fields = known[key]
        shown.append(Shown(plan, fields["trainings"], fields["wrong"], fields["tiers"], fields["seconds"]))
        print(f"{number + 1}: {fields['seconds']:.0f} s, {fields['wrong'] or 'answered'}, {plan}", flush=True)
    _report(shown)


def shop(plan: Plan, rounds: int, *, recorded: bool) -> Shown:
    """Import and train one shop in a folder of its own."""
    wrong: list[str] = []
    tiers: dict[str, int] = {}
    number, began = 0, time.perf_counter()
    few = mock.patch.object(candidates, "ROUNDS", rounds)
    with tempfile.TemporaryDirectory() as name, _in(Path(name)), few, nullcontext() if recorded else unrecorded():
        try:
            for asked in trainings(plan, Path(name)):
                number += 1
                wrong += faults(asked, Path(name), plan.end + DAY)
                for card in asked.result.bundle.manifest.targets.values():
                    tiers[card.tier] = tiers.get(card.tier, 0) + 1
        except Exception:  # any error of a shop is a result, and the other shops go on
            wrong.append(traceback.format_exc())
    return Shown(plan, number, wrong, tiers, time.perf_counter() - began)


@contextmanager
def _in(folder: Path) -> Iterator[None]:
    """Work in a folder, so that nothing is written beside it."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _read(done: Path | None) -> dict[str, dict[str, Any]]:
    """The results in a file of shops done before, by plan."""
    if done is None or not done.exists():
        return {}
    records = [json.loads(line) for line in done.read_text(encoding="utf-8").splitlines()]
    return {record.pop("key"): record for record in records}


def _report(shown: list[Shown]) -> None:
    tiers: dict[str, int] = {}
    for result in shown:
        for tier, number in result.tiers.items():
            tiers[tier] = tiers.get(tier, 0) + number
    rows = [(tier, f"{number:,}") for tier, number in sorted(tiers.items(), key=lambda pair: -pair[1])]
    print_table(f"{len(shown)} shops: the tiers that answer the targets after each training", ("tier", "answers"), rows)
    wrong = [result for result in shown if result.wrong]
    for result in wrong:
        print(result.plan, *result.wrong, sep="\n  ")
    claims = {
        "shops": float(len(shown)),
        "trainings": float(sum(result.trainings for result in shown)),
        "shops_without_an_answer": float(len(wrong)),
    }
    print_claims("always", claims)


if __name__ == "__main__":
    main()
