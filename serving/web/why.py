"""Why the first members of a segment are in it, on the report: what moves most of them, and nobody's name."""

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
    """What speaks for most of the segment's first members, each with the words for one of them."""
    counts, words = _counted(segment, generation, reasons)
    return [f"{words[about]} ({about}: {number})" for about, number in counts.most_common(MOST)]


def _counted(segment: Segment, generation: Generation, reasons: Reasons) -> tuple[Counter[str], Mapping[str, str]]:
    """For how many members each family is the strongest reason that speaks for the target; the words for the first."""
    counts: Counter[str] = Counter()
    words: dict[str, str] = {}
    for row in generation.members(segment.name)[:TOP].tolist():
        for target in sorted(segment.columns() & reasons.keys()):
            found = next((each for each in reasons[target].get(row, ()) if each["effect"] > 0), None)
            if found is not None:
                counts[found["about"]] += 1
                words.setdefault(found["about"], found["words"])
    return counts, words
