"""Tables as CSV: when a request asks for one, and how it is sent."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from starlette.requests import Request as HttpRequest

from features.times import moment
from serving.engine.scoreboard import Generation

CSV = "text/csv; charset=utf-8"


def wants_csv(format: str | None, request: HttpRequest) -> bool:
    """Whether a request is for CSV, by `?format=`, or else by its `Accept` header."""
    return format == "csv" or (format is None and "text/csv" in request.headers.get("accept", ""))


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as lines of CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def csv_headers(name: str, generation: Generation) -> dict[str, str]:
    """The headers with the name of the file, the moment of its rows, the model and the fingerprint."""
    return {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "X-As-Of": moment(generation.as_of).isoformat(),
        "X-Model-Version": generation.report["model_version"] or "none",
        "X-Fingerprint": generation.report["fingerprint"],
    }
