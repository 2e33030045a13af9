"""Why the first members of a segment are in it, for the report: their most frequent reasons, without names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from insights.segments import Segment
from serving.engine.scoreboard import Generation
from serving.engine.scoreboard.files import Reasons
from serving.engine.scoreboard.top_reasons import TOP

MOST = 3
"""Families of features that are named."""


def why(segment: Segment, generation: Generation, reasons: Reasons) -> list[str]:
    """The most frequent reasons of the segment's first members, each in the words for one of them."""
    counts, words = _counted(segment, generation, reasons)
    return [f"{words[about]} ({about}: {number})" for about, number in counts.most_common(MOST)]


def _counted(segment: Segment, generation: Generation, reasons: Reasons) -> tuple[Counter[str], Mapping[str, str]]:
    """For how many members each family is the strongest reason in favour of the target, and its words for the first."""
    counts: Counter[str] = Counter()
    words: dict[str, str] = {}
    for row in generation.members(segment.name)[:TOP].tolist():
        for target in sorted(segment.columns() & reasons.keys()):
            strongest = next((reason for reason in reasons[target].get(row, ()) if reason["effect"] > 0), None)
            if strongest is not None:
                counts[strongest["about"]] += 1
                words.setdefault(strongest["about"], strongest["words"])
    return counts, words
