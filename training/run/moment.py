"""Times as a run writes them down."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: int) -> str:
    """Microseconds since the epoch as ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).isoformat().replace("+00:00", "Z")
