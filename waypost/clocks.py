"""Serving a log of the past as if it ended now: `clock.json` beside the champion lists the stores served like this.

At every start, the server's clock is set back so that it continues from the newest event: an imported year ends today,
however long ago it was imported.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from features.events import DAY
from features.log import shown
from serving.engine.staleness import HORIZON, days_old
from waypost.console import UsageProblem, clock
from waypost.places import bundle_folder, settings, store_url

VARIABLE = "WAYPOST_CLOCK_SHIFT_DAYS"


def _file() -> Path:
    return bundle_folder().parent / "clock.json"


def _stores() -> list[str]:
    try:
        return list(json.loads(_file().read_text(encoding="utf-8"))["as_of_last_event"])
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        raise UsageProblem(
            f"{_file()} is damaged; expected the stores that are served as if their log ended now. Remove it, and "
            "choose again with `waypost serve --as-of-last-event`"
        ) from None


def ends_now(url: str) -> bool:
    """Whether a store is served as if its log ended now."""
    return shown(url) in _stores()


def set_ends_now(url: str, ends: bool) -> None:
    """From now on, serve a store as if its log ended now, or by the true time."""
    others = [store for store in _stores() if store != shown(url)]
    file = _file()
    if others or ends or file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"as_of_last_event": [*others, *([shown(url)] if ends else [])]}), encoding="utf-8")


def newest(url: str) -> int | None:
    """When the newest event of a store was received; None when there is none."""
    from features.log import open_log

    log = open_log(url, create=False)
    try:
        span = log.span()
    finally:
        log.close()
    return span[1] if span else None


def shift(url: str) -> int:
    """What a server of this store adds to the clock, microseconds: from the environment, else from `clock.json`."""
    if os.environ.get(VARIABLE, "").strip():
        return settings().clock_shift
    last = newest(url) if ends_now(url) else None
    return 0 if last is None else min(last - clock(), 0)


def notice(url: str) -> str:
    """What to say about the clock before serving a store; empty when the log reaches the present."""
    moved = shift(url)
    if moved:
        return (
            f"the clock is set back {-moved / DAY:,.1f} days, so that the log ends now; "
            "`waypost serve --true-time` serves by the true time"
        )
    last = newest(url)
    if last is None or clock() - last <= HORIZON:
        return ""
    return (
        f"the newest event is {days_old(last, clock()):,} days old, more than the longest horizon of "
        f"{HORIZON // DAY} days: everybody has lapsed, and most scores are null; "
        "`waypost serve --as-of-last-event` serves the log as if it ended now"
    )


def server_clock(store: str | None) -> int:
    """The time on the clock of a server of this store, microseconds UTC, with that server's shift."""
    return clock() + shift(store_url(store))
