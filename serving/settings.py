"""What the server can be told from outside: one table of environment variables.

Relative paths are relative to the folder the server is started in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from features.events import days


class Setting(NamedTuple):
    """One environment variable: its name, what it is when absent, and what it means."""

    name: str
    default: str
    doc: str


class BadSetting(ValueError):
    """An environment variable cannot be used; the message says what it must look like."""


SETTINGS = (
    Setting("WAYPOST_STORE", "sqlite:///data/waypost.db", "Where the event log and the customers' states are kept."),
    Setting("WAYPOST_BUNDLE", "data/champion", "Folder of the model bundle that `waypost train` exports."),
    Setting("WAYPOST_SCOREBOARD", "data/scoreboard", "Folder of the scoreboard that segments and the report read."),
    Setting("WAYPOST_WORKERS", "2", "Number of worker processes of the server."),
    Setting("WAYPOST_SWEEP_SECONDS", "60", "Least time between two sweeps of the scoreboard; 0 never sweeps."),
    Setting("WAYPOST_BUSY_SECONDS", "3", "How long a write waits for a locked store before the answer is 503."),
    Setting(
        "WAYPOST_CLOCK_SHIFT_DAYS", "0", "Days added to the clock, to serve a log of the past as if it ended today."
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one server, parsed. Fields in the order of `SETTINGS`."""

    store: str
    bundle: Path
    scoreboard: Path
    workers: int
    sweep_seconds: float
    busy_seconds: float
    clock_shift: int
    """In microseconds."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that `environment` gives. Raises `BadSetting` naming the variable at fault."""
    values = {setting.name: environment.get(setting.name, "").strip() or setting.default for setting in SETTINGS}
    return Settings(
        store=values["WAYPOST_STORE"],
        bundle=Path(values["WAYPOST_BUNDLE"]),
        scoreboard=Path(values["WAYPOST_SCOREBOARD"]),
        workers=int(_number(values, "WAYPOST_WORKERS", least=1, whole=True)),
        sweep_seconds=_number(values, "WAYPOST_SWEEP_SECONDS", least=0),
        busy_seconds=_number(values, "WAYPOST_BUSY_SECONDS", least=0),
        clock_shift=days(_number(values, "WAYPOST_CLOCK_SHIFT_DAYS", least=-36_500)),
    )


def _number(values: Mapping[str, str], name: str, *, least: float, whole: bool = False) -> float:
    wanted = f"a {'whole ' if whole else ''}number of at least {least:g}"
    text = values[name]
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        raise BadSetting(f"{name} is {text!r}; expected {wanted}, such as {name}=2") from None
    if not least <= number < float("inf"):
        raise BadSetting(f"{name} is {text}; expected {wanted}")
    return number
