"""The server's settings: one table of environment variables.

Relative paths are relative to the folder the server is started in. docs/decisions/0027-settings-without-a-library.md
says why no library reads them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from features.events import days
from features.log import is_postgres
from features.sources.fields.currencies import BadRates, Rates, read_rates
from features.sources.fields.privacy import Privacy

SHORTEST_KEY = 16
"""Characters of the shortest key for digests."""


NO_KEYS = "none"
"""The setting WAYPOST_KEYS of a server that runs without keys."""


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
        "WAYPOST_CLOCK_SHIFT_DAYS",
        "0",
        "Days added to the clock; a value here replaces the one kept by `waypost serve --as-of-last-event`.",
    ),
    Setting(
        "WAYPOST_KEYS",
        "data/keys.json",
        "File of the server's keys; `waypost keys` writes it. `none` runs without keys and answers this machine alone.",
    ),
    Setting(
        "WAYPOST_REQUESTS_PER_SECOND",
        "10000",
        "Requests a second of one key, or of one address without keys, over all workers; 0 for no limit.",
    ),
    Setting(
        "WAYPOST_ALLOWED_ORIGINS",
        "",
        "Origins of web pages that may send events and ask with visitors' tokens, such as `https://shop.example`, "
        "separated by commas; `*` for all.",
    ),
    Setting(
        "WAYPOST_KEEP_PROPERTIES",
        "",
        "Names of properties to keep beyond those of commerce (docs/howto/segment.md), separated by commas.",
    ),
    Setting(
        "WAYPOST_HASH_PROPERTIES",
        "",
        "Names of properties to keep as a digest under WAYPOST_PRIVACY_KEY, such as `email`, separated by commas.",
    ),
    Setting("WAYPOST_PRIVACY_KEY", "", "The secret key of those digests, of at least 16 characters; never change it."),
    Setting("WAYPOST_LOG", "text", "Form of the server's log lines: `text` for people, `json` for machines."),
    Setting("WAYPOST_AUDIT_SECONDS", "15", "Time between two customers audited in the background; 0 audits nobody."),
    Setting(
        "WAYPOST_SEAL_HOURS",
        "24",
        "Hours after which events leave the database for the history beside it (docs/howto/history.md), on PostgreSQL "
        "where `WAYPOST_SEGMENTS` names its place; 0 for never.",
    ),
    Setting(
        "WAYPOST_SEGMENTS",
        "",
        "Where the histories of logs in PostgreSQL lie: a folder that all servers share, or a URL such as "
        "`s3://bucket/waypost` (docs/howto/postgresql.md).",
    ),
    Setting(
        "WAYPOST_SEGMENTS_COPIES",
        "data/segments",
        "Folder of this machine's copies of a history that lies at a URL.",
    ),
    Setting(
        "WAYPOST_DRAIN_SECONDS",
        "1",
        "How long a stopping server goes on answering while it reports that it is not ready.",
    ),
    Setting("WAYPOST_HISTORY", "", "A second log that erasures reach too, such as `parquet:data/history`."),
    Setting(
        "WAYPOST_CREATE_STORE",
        "yes",
        "Whether a store that is missing at the start is made, `yes` or `no`; `waypost serve` makes it beforehand.",
    ),
    Setting(
        "WAYPOST_SHADOW_SHARE",
        "0.05",
        "Share of the scored customers that the shadow bundle scores too, from 0 for none to 1 for all.",
    ),
    Setting(
        "WAYPOST_CURRENCY", "", "The shop's currency, such as `EUR`; amounts in another are converted by the rates."
    ),
    Setting(
        "WAYPOST_CURRENCY_RATES",
        "",
        "What one unit of other currencies is worth, such as `USD=0.92,JPY=0.0061`; without a rate it is unknown.",
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
    keys: Path | None
    """None to run without keys."""
    requests_per_second: float
    allowed_origins: tuple[str, ...]
    privacy: Privacy
    log: str
    audit_seconds: float
    seal_hours: float
    segments: str
    """A folder or a URL; empty for none."""
    segments_copies: Path
    drain_seconds: float
    history: str
    """Empty for none."""
    create_store: bool
    shadow_share: float
    currency: str
    """The shop's; empty when it says nothing."""
    currency_rates: Mapping[str, float]

    @property
    def rates(self) -> Rates:
        """What other currencies are worth."""
        return Rates(self.currency, self.currency_rates)

    @property
    def has_copies(self) -> bool:
        """Whether the history of the log has copies on this machine."""
        return is_postgres(self.store) and "://" in self.segments

    @property
    def journal(self) -> Path:
        """Folder of the kept journal, beside the scoreboard."""
        return self.scoreboard.with_name("journal")

    @property
    def shadow(self) -> Path:
        """Folder of the shadow bundle, beside the champion's."""
        return self.bundle.with_name("challenger")


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that `environment` gives. Raises `BadSetting` naming the variable at fault."""
    values = {setting.name: environment.get(setting.name, "").strip() or setting.default for setting in SETTINGS}
    rates = _rates(values)
    return Settings(
        store=values["WAYPOST_STORE"],
        bundle=Path(values["WAYPOST_BUNDLE"]),
        scoreboard=Path(values["WAYPOST_SCOREBOARD"]),
        workers=int(_number(values, "WAYPOST_WORKERS", least=1, whole=True)),
        sweep_seconds=_number(values, "WAYPOST_SWEEP_SECONDS", least=0),
        busy_seconds=_number(values, "WAYPOST_BUSY_SECONDS", least=0),
        clock_shift=days(_number(values, "WAYPOST_CLOCK_SHIFT_DAYS", least=-36_500)),
        keys=None if values["WAYPOST_KEYS"] == NO_KEYS else Path(values["WAYPOST_KEYS"]),
        requests_per_second=_number(values, "WAYPOST_REQUESTS_PER_SECOND", least=0),
        allowed_origins=_origins(values["WAYPOST_ALLOWED_ORIGINS"]),
        privacy=read_privacy(values),
        log=_choice(values, "WAYPOST_LOG", ("text", "json")),
        audit_seconds=_number(values, "WAYPOST_AUDIT_SECONDS", least=0),
        seal_hours=_seal_hours(values),
        segments=values["WAYPOST_SEGMENTS"],
        segments_copies=Path(values["WAYPOST_SEGMENTS_COPIES"]),
        drain_seconds=_number(values, "WAYPOST_DRAIN_SECONDS", least=0),
        history=values["WAYPOST_HISTORY"],
        create_store=_choice(values, "WAYPOST_CREATE_STORE", ("yes", "no")) == "yes",
        shadow_share=_number(values, "WAYPOST_SHADOW_SHARE", least=0, most=1),
        currency=rates.shop,
        currency_rates=rates.worth,
    )


def _seal_hours(values: Mapping[str, str]) -> float:
    """The age of sealing; 0 for a log in PostgreSQL without a place that its servers share."""
    asked = _number(values, "WAYPOST_SEAL_HOURS", least=0)
    return asked if not is_postgres(values["WAYPOST_STORE"]) or values["WAYPOST_SEGMENTS"] else 0.0


_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip().rstrip("/") for origin in text.split(",") if origin.strip())
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise BadSetting(
                f"WAYPOST_ALLOWED_ORIGINS has {origin!r}; expected origins such as https://shop.example, separated by "
                "commas, or *"
            )
    return origins


def _rates(values: Mapping[str, str]) -> Rates:
    try:
        return read_rates(values["WAYPOST_CURRENCY"], values["WAYPOST_CURRENCY_RATES"])
    except BadRates as error:
        raise BadSetting(f"WAYPOST_CURRENCY or WAYPOST_CURRENCY_RATES: {error}") from None


def _choice(values: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    if values[name] not in choices:
        raise BadSetting(f"{name} is {values[name]!r}; expected {' or '.join(choices)}")
    return values[name]


def read_privacy(environment: Mapping[str, str]) -> Privacy:
    """What may be kept of properties, as `environment` says. Raises `BadSetting` naming the variable at fault."""
    keep, hashed = (
        tuple(name.strip() for name in environment.get(variable, "").split(",") if name.strip())
        for variable in ("WAYPOST_KEEP_PROPERTIES", "WAYPOST_HASH_PROPERTIES")
    )
    key = environment.get("WAYPOST_PRIVACY_KEY", "").strip()
    if hashed and len(key) < SHORTEST_KEY:
        raise BadSetting(
            f"WAYPOST_HASH_PROPERTIES needs WAYPOST_PRIVACY_KEY with at least {SHORTEST_KEY} characters, and it has "
            f"{len(key)}; make one with `openssl rand -hex 32`"
        )
    return Privacy(keep, hashed, key.encode())


def _number(
    values: Mapping[str, str], name: str, *, least: float, most: float = math.inf, whole: bool = False
) -> float:
    limits = f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
    wanted = f"a {'whole ' if whole else ''}number {limits}"
    text = values[name]
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        raise BadSetting(f"{name} is {text!r}; expected {wanted}, such as {name}={most if most < 2 else 2:g}") from None
    if not least <= number <= most or number == math.inf:
        raise BadSetting(f"{name} is {text}; expected {wanted}")
    return number
