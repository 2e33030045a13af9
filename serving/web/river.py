"""The journey as a picture: a band through the five stages, whose thickness is the number of customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

WIDTH, HEIGHT, LEAST = 1000.0, 150.0, 3.0


@dataclass(frozen=True)
class River:
    """The outlines of the band and of its part that is lapsing, as paths of an SVG of `WIDTH` x `HEIGHT`."""

    flow: str
    silent: str
    width: float = WIDTH
    height: float = HEIGHT


def river(stages: Sequence[Mapping[str, Any]]) -> River:
    """The band through these stages, each with its `share` of all customers and its `lapsing_share`; None is 0."""
    shares = [stage["share"] or 0.0 for stage in stages]
    largest = max(shares, default=0.0) or 1.0
    outer = [max(LEAST, HEIGHT * 0.92 * share / largest) for share in shares]
    inner = [thickness * (stage["lapsing_share"] or 0.0) for thickness, stage in zip(outer, stages, strict=True)]
    return River(_band(outer), _band(inner))


def _band(thickness: Sequence[float]) -> str:
    """The outline of a band around the middle, level at each stage and smooth in between."""
    step = WIDTH / len(thickness)
    along = [(0.0, thickness[0])]
    for place, height in enumerate(thickness):
        along += [((place + 0.32) * step, height), ((place + 0.68) * step, height)]
    along.append((WIDTH, thickness[-1]))
    upper = [(x, (HEIGHT - height) / 2) for x, height in along]
    lower = [(x, (HEIGHT + height) / 2) for x, height in reversed(along)]
    return f"M{_point(*upper[0])}{_curve(upper)}L{_point(*lower[0])}{_curve(lower)}Z"


def _curve(points: Sequence[tuple[float, float]]) -> str:
    parts = []
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        parts.append(f"C{_point(middle, y0)} {_point(middle, y1)} {_point(x1, y1)}")
    return "".join(parts)


def _point(x: float, y: float) -> str:
    return f"{x:.1f},{y:.1f}"
