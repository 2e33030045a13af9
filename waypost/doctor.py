"""waypost doctor: check that everything is in place, and say what to run if not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable
from typing import NamedTuple

import typer

from features.times import iso
from waypost.console import JsonOption, StoreOption, clock, foreseen, print_json, print_table

CROWD = 20
"""Ids declared to be one customer; with more, the id is not a single customer's."""


class Check(NamedTuple):
    """One check: whether it passed, what was found, and what to run if it failed."""

    name: str
    well: bool
    found: str


def doctor(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Check Python, packages, settings, fold, log, states and champion; exit code 1 if something needs attention."""
    to_check: tuple[tuple[str, Callable[[], tuple[bool, str]]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("fold", _fold),
        ("keys", _keys),
        ("log", lambda: _log(store)),
        ("champion", _champion),
        ("states", lambda: _states(store)),
        ("identity", lambda: _identity(store)),
        ("money", lambda: _money(store)),
    )
    checks = [_checked(name, check) for name, check in to_check]
    if as_json:
        print_json({"well": all(check.well for check in checks), "checks": [check._asdict() for check in checks]})
    else:
        rows = [(check.name, "ok" if check.well else "FAILED", check.found) for check in checks]
        print_table("checks", ("check", "result", "details"), rows)
    if not all(check.well for check in checks):
        raise typer.Exit(1)


def _checked(name: str, check: Callable[[], tuple[bool, str]]) -> Check:
    """The result of a check; a foreseen error is a failed check."""
    try:
        return Check(name, *check())
    except Exception as problem:
        if isinstance(problem, foreseen()):
            return Check(name, False, str(problem))
        raise


def _python() -> tuple[bool, str]:
    version = ".".join(map(str, sys.version_info[:3]))
    return sys.version_info >= (3, 11), f"{version} (3.11 or newer is needed)"


def _packages() -> tuple[bool, str]:
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("bentoml", "lightgbm", "numba", "numpy")]
    training = "with training" if importlib.util.find_spec("mlflow") else "without training (extra `training`)"
    return True, f"{', '.join(versions)}, {training}"


def _fold() -> tuple[bool, str]:
    from features.fold.fold import cache_folder
    from features.journey import JOURNEY

    JOURNEY.compile()
    return True, f"{len(JOURNEY.names)} features, fingerprint {JOURNEY.fingerprint}, compiled in {cache_folder()}"


def _keys() -> tuple[bool, str]:
    from serving.access.first_key import first_key_path
    from serving.access.keys import read_keys
    from waypost.places import settings

    path = settings().keys
    if path is None:
        return True, "WAYPOST_KEYS=none: no keys are needed, and this machine alone is answered; put no proxy before it"
    if not path.exists():
        return True, f"there are none in {path} yet; the first `waypost serve` makes one"
    lasting = [key for key in read_keys(path) if key.lasts(clock())]
    scopes = ", ".join(sorted({key.scope for key in lasting})) or "none: make one with `waypost keys create`"
    first = first_key_path(path)
    kept = f"; the first one is in {first}: revoke it once others are in use" if first.exists() else ""
    return bool(lasting), f"{len(lasting)} in force, with the scopes {scopes}{kept}"


def _log(store: str | None) -> tuple[bool, str]:
    from waypost.places import existing_log, store_shown

    log = existing_log(store)
    span = log.span()
    log.close()
    if span and (advice := _stale(store)):
        return False, f"{store_shown(store)}: {log_size(store):,} events up to {iso(span[1])}; {advice}"
    if span is None:
        return False, f"{store_shown(store)} is empty; run `waypost import PATH --source NAME`, or `waypost demo`"
    return True, f"{store_shown(store)}: {log_size(store):,} events from {iso(span[0])} to {iso(span[1])}"


def _stale(store: str | None) -> str:
    """What to do about a log that ended long ago; empty when it did not, or when it is served as if it ended now."""
    from waypost.clocks import notice, shift
    from waypost.places import store_url

    return "" if shift(store_url(store)) else notice(store_url(store))


def log_size(store: str | None) -> int:
    """How many events the log holds."""
    from waypost.places import existing_log

    log = existing_log(store)
    try:
        return log.count()
    finally:
        log.close()


def _champion() -> tuple[bool, str]:
    from features.journey import JOURNEY
    from models.bundle.bundle import Bundle
    from waypost.places import bundle_folder

    bundle = Bundle.load(bundle_folder(), JOURNEY.fingerprint, JOURNEY.names)
    return True, f"{bundle.version} for {', '.join(bundle.scorers)}, made {bundle.manifest.created}"


def _states(store: str | None) -> tuple[bool, str]:
    from waypost.places import engine_of

    engine = engine_of(store)
    try:
        engine.states.check()
        known = sum(len(chunk.customers) for chunk in engine.states.sweep())
        empty = engine.states.log.count() == 0
    finally:
        engine.states.close()
    if not known and not empty:
        return False, "no customer has a state of this fold; run `waypost rebuild`"
    return True, f"{known:,} customers; one without a state of this fold is replayed on request"


def _identity(store: str | None) -> tuple[bool, str]:
    """Whether an id was declared to be many others, such as one that a page sends for all visitors."""
    from waypost.places import engine_of

    engine = engine_of(store)
    try:
        crowded = engine.states.crowded(CROWD)
    finally:
        engine.states.close()
    if not crowded:
        return True, f"no id was declared to be more than {CROWD} others"
    name, number = crowded[0]
    more = f", and {len(crowded) - 1} more such ids" if len(crowded) > 1 else ""
    return False, (
        f"{name!r} was declared to be {number:,} other ids{more}. Does a page send it for all visitors? No further id"
        f" is merged with it; `waypost unmerge {name}` separates those that were"
    )


def _money(store: str | None) -> tuple[bool, str]:
    """Whether every currency that orders name is the shop's, or has a rate."""
    from waypost.places import engine_of, settings

    engine = engine_of(store)
    try:
        named = engine.states.currencies()
    finally:
        engine.states.close()
    rates = settings().rates
    if not rates.shop:
        advice = f"{' and '.join(named)} are added up as one currency; set WAYPOST_CURRENCY and WAYPOST_CURRENCY_RATES"
        return len(named) < 2, advice if len(named) > 1 else "one currency"
    without = [code for code in named if code != rates.shop and code not in rates.worth]
    if without:
        return False, f"no rate for {', '.join(without)}: add it to WAYPOST_CURRENCY_RATES"
    return True, f"{rates.shop}, and rates for {', '.join(rates.worth) or 'no other currency'}"
