"""The members of a segment, with features and estimates.

Probabilities are stored in the scoreboard. Intervals, amounts of money and the next stage follow from them and from the
features, so they are computed only for the members that an answer shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.events import Stage
from features.log.contract import EventLog
from insights.segments import SEGMENTS
from models.bundle.answers import ANSWERS, reasons_many
from models.bundle.loaded import Champion
from serving.engine.scoreboard.files import BLANK, Generation

POSITION = ("stage", "lapsing")
SHOWN = (
    "days_since_last",
    "days_since_purchase",
    "purchases_ever",
    "purchases_90d",
    "spend_gross_ever",
    "spend_net_90d",
    "cart_value",
    "contacts_7d",
)
"""Features that members are shown with, beside their position and their estimates."""

MOST_EXPLAINED = 1000
"""Most members of one export that have reasons: a reason takes milliseconds."""

Columns = Mapping[str, NDArray[Any]]


def valued(report: Mapping[str, Any]) -> tuple[str, ...]:
    """The targets of a sweep that answer with a number: probabilities and amounts."""
    return tuple(dict.fromkeys((*report["targets"], *report["amounts"])))


def member_columns(generation: Generation) -> tuple[str, ...]:
    """Names of the columns that `member_rows` gives, in its order."""
    report = generation.report
    ranges = [f"{name}{end}" for name in valued(report) for end in ("", "_low", "_high")]
    stages = [f"{name}{part}" for name in report["stages"] for part in ("", "_probability", "_days")]
    return (*POSITION, *ranges, *stages, *SHOWN)


def member_rows(
    log: EventLog, generation: Generation, places: NDArray[np.int32], champion: Champion | None = None
) -> Iterator[tuple[str, dict[str, float]]]:
    """The id and the columns of the customers at `places`, without those erased since the sweep.

    `champion` is the bundle that answers now. Where it is not the bundle of the sweep, its estimates do not belong to
    the sweep, and the columns that need it are NaN.
    """
    names = member_columns(generation)
    known: dict[str, Any] = {name: generation.columns[name][places] for name in names if name in generation.columns}
    if champion is not None and champion.bundle.version == generation.report["model_version"]:
        known |= _estimated(champion, generation, places)
    unknown = np.full(len(places), np.nan)
    columns = [known.get(name, unknown).tolist() for name in names]
    for code, *values in zip(generation.customers[places].tolist(), *columns, strict=True):
        if code == BLANK:
            continue
        try:
            customer = log.customers.name(code)
        except LookupError:
            continue
        yield customer, dict(zip(names, values, strict=True))


def _estimated(champion: Champion, generation: Generation, places: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
    """Intervals, amounts and next stages of the customers at `places`, by the names of their columns."""
    bundle = champion.bundle
    estimated: dict[str, NDArray[Any]] = {}
    for name, scorer in bundle.scorers.items():
        value = np.asarray(generation.columns[name][places], np.float64)
        scored = ~np.isnan(value)
        if not scored.any():
            continue
        estimates = scorer.estimates_of(value[scored])
        estimated |= {f"{name}_low": _put(scored, estimates.low), f"{name}_high": _put(scored, estimates.high)}
    columns: Columns = {name: generation.columns[name][places] for name in bundle.manifest.features}
    matrix = np.ascontiguousarray(np.column_stack(list(columns.values())))
    for name, amount in bundle.amounts.items():
        asked = _asked(champion, name, columns, len(places))
        if not asked.any():
            continue
        amounts = amount.estimate_many(matrix[asked])
        parts = {"": amounts.value, "_low": amounts.low, "_high": amounts.high}
        estimated |= {f"{name}{end}": _put(asked, part) for end, part in parts.items()}
    for name, stage in bundle.stages.items():
        asked = _asked(champion, name, columns, len(places))
        if not asked.any():
            continue
        chances = stage.chances_many(matrix[asked])
        estimated[name] = _put(asked, chances.argmax(axis=1))
        estimated[f"{name}_probability"] = _put(asked, chances.max(axis=1))
        estimated[f"{name}_days"] = _put(asked, stage.days_many(matrix[asked]))
    return estimated


def _asked(champion: Champion, target: str, columns: Columns, number: int) -> NDArray[np.bool_]:
    """Which of the customers are in the scope of a target: bool[number]."""
    return np.broadcast_to(champion.scopes[target].evaluate(columns), number).astype(bool)


def _put(where: NDArray[np.bool_], values: NDArray[Any]) -> NDArray[np.float64]:
    """Values at their places, NaN elsewhere."""
    column = np.full(len(where), np.nan)
    column[where] = values
    return column


def member_reasons(
    generation: Generation, segment: str, places: NDArray[np.int32], champion: Champion | None
) -> dict[int | None, str]:
    """Why customers at `places` are in a segment, in words, by code: the reasons of the probabilities that it uses.

    Covers the first `MOST_EXPLAINED`, and nobody when the champion is not the bundle of the sweep.
    """
    if champion is None or champion.bundle.version != generation.report["model_version"]:
        return {}
    stored, words = generation.reasons(), dict[int | None, list[str]]()
    for target in sorted(SEGMENTS[segment].columns() & champion.bundle.scorers.keys()):
        value = generation.columns[target][places[:MOST_EXPLAINED]]
        rows = places[:MOST_EXPLAINED][~np.isnan(value)]
        known = {row: reasons for row in rows.tolist() if (reasons := stored.get(target, {}).get(row)) is not None}
        fresh = rows[[row not in known for row in rows.tolist()]]
        if len(fresh):
            features = [generation.columns[name][fresh] for name in champion.bundle.manifest.features]
            matrix = np.ascontiguousarray(np.column_stack(features))
            known |= zip(fresh.tolist(), reasons_many(champion.bundle, target, matrix), strict=True)
        for row, reasons in known.items():
            words.setdefault(int(generation.customers[row]), []).extend(reason["words"] for reason in reasons)
    return {code: "; ".join(dict.fromkeys(phrases)) for code, phrases in words.items()}


def shown(generation: Generation, values: Mapping[str, float]) -> dict[str, str | float | bool | None]:
    """The columns of a member as people read them: stages by name, `lapsing` as a truth value, None for NaN."""
    read: dict[str, str | float | bool | None] = {
        name: None if math.isnan(value) else float(f"{value:.9g}") for name, value in values.items()
    }
    read |= {"stage": Stage(int(values["stage"])).name.lower(), "lapsing": values["lapsing"] > 0}
    for name in generation.report["stages"]:
        read[name] = None if math.isnan(values[name]) else ANSWERS[int(values[name])]
    return read


def csv_values(read: Mapping[str, str | float | bool | None]) -> list[str | float]:
    """The same for a CSV file: `true` and `false`, and empty for None."""
    words = {None: "", True: "true", False: "false"}
    return [words[value] if value is None or isinstance(value, bool) else value for value in read.values()]
