"""The journey as a picture: a band through the five stages, as thick at each as there are customers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from features.events import Stage
from serving.web.markup import Html, tag

WIDTH, HEIGHT, LEAST = 1000.0, 150.0, 3.0


def river(shares: Sequence[float], lapsing: Sequence[float]) -> Html:
    """An SVG of the band; `shares` of all customers per stage, `lapsing` the part of each that is lapsing.

    It carries no text: the numbers stand below it.
    """
    largest = max(shares, default=0.0) or 1.0
    outer = [max(LEAST, HEIGHT * 0.92 * share / largest) for share in shares]
    inner = [thickness * silent for thickness, silent in zip(outer, lapsing, strict=True)]
    colours = [
        tag("stop", offset=f"{(stage + 0.5) / len(Stage):.2f}", cls=f"stop-{stage.name.lower()}") for stage in Stage
    ]
    return tag(
        "svg",
        tag("defs", tag("linearGradient", *colours, id="flow")),
        tag("path", cls="flow", fill="url(#flow)", d=_band(outer)),
        tag("path", cls="silent", d=_band(inner)),
        cls="river",
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _band(thickness: Sequence[float]) -> str:
    """The outline of a band around the middle, level at each stage and smooth in between."""
    step = WIDTH / len(thickness)
    along = [(0.0, thickness[0])]
    for place, each in enumerate(thickness):
        along += [((place + 0.32) * step, each), ((place + 0.68) * step, each)]
    along.append((WIDTH, thickness[-1]))
    upper = [(x, (HEIGHT - each) / 2) for x, each in along]
    lower = [(x, (HEIGHT + each) / 2) for x, each in reversed(along)]
    return f"M{_point(*upper[0])}{_curve(upper)}L{_point(*lower[0])}{_curve(lower)}Z"


def _curve(points: Sequence[tuple[float, float]]) -> str:
    parts = []
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        parts.append(f"C{_point(middle, y0)} {_point(middle, y1)} {_point(x1, y1)}")
    return "".join(parts)


def _point(x: float, y: float) -> str:
    return f"{x:.1f},{y:.1f}"
