"""The journey report as a page: the insights, the segments, the model, the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from insights.catalogue import INSIGHTS
from insights.segments import SEGMENTS, Segment
from models.bundle.manifest import Manifest
from models.prediction.money_at_stake import AT_STAKE, TARGET, Yield
from serving.engine.scoreboard import Generation
from serving.engine.staleness import staleness
from serving.web.page import render
from serving.web.why import why

METRICS = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "lift_at_10": "Lift at 10 %",
    "calibration_error": "Calibration error",
}
"""The metrics of a target that the page shows, when the model's card has them."""

RANKING = {"ndcg_at_20": "Recommender NDCG@20", "recall_at_20": "Recommender recall@20"}
"""The metrics of the recommender that the page shows."""


class Operation(Protocol):
    """The fields of an operation of the API that the page shows."""

    @property
    def name(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def summary(self) -> str: ...


@dataclass(frozen=True)
class SegmentRow:
    """A segment as the page shows it: `share` is of all customers, `bar` of the largest segment.

    `past` says what its list would have contained in the past, where that was measured; `why` gives the reasons of its
    first members.
    """

    segment: Segment
    customers: int
    share: float | None
    bar: float
    past: str
    why: Sequence[str]


def report_page(generation: Generation, manifest: Manifest | None, routes: Sequence[Operation]) -> str:
    """The page over one sweep of all customers."""
    report = generation.report
    return render(
        "report.html",
        as_of=generation.as_of,
        count=generation.count,
        notice=staleness(generation),
        insights=INSIGHTS.values(),
        answers=report["insights"],
        segments=_segments(generation, manifest),
        manifest=manifest,
        **_model(manifest),
        routes=[route for route in routes if route.path.startswith("/v1/")],
        fingerprint=report["fingerprint"],
        offset=report["offset"],
    )


def waiting_page() -> str:
    """The page before the first sweep is done. It does not reload itself, so that readers keep their position."""
    return render("waiting.html")


def _segments(generation: Generation, manifest: Manifest | None) -> list[SegmentRow]:
    sizes, count, reasons = generation.report["segments"], generation.count, generation.reasons()
    largest = max(sizes.values(), default=0) or 1
    return [
        SegmentRow(
            segment,
            sizes[segment.name],
            sizes[segment.name] / count if count else None,
            sizes[segment.name] / largest,
            _past(segment, manifest),
            why(segment, generation, reasons),
        )
        for segment in SEGMENTS.values()
    ]


def _past(segment: Segment, manifest: Manifest | None) -> str:
    """What a list of the segment would have contained in the past, where the model's training measured it."""
    card = manifest.targets.get(TARGET) if manifest and segment.order_by is AT_STAKE else None
    measured = Yield.of_metrics(card.metrics) if card else None
    return measured.words if measured else ""


def _model(manifest: Manifest | None) -> Mapping[str, Any]:
    """The metrics that the model has, with their titles: the recommender's with values, and those of the targets."""
    if manifest is None:
        return {"ranking": [], "metrics": {}}
    known = {key for card in manifest.targets.values() for key in card.metrics}
    return {
        "ranking": [
            (title, manifest.recommender[key]) for key, title in RANKING.items() if key in manifest.recommender
        ],
        "metrics": {key: title for key, title in METRICS.items() if key in known},
    }
