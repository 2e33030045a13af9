"""waypost demo: data of a real shop, from raw tables to a running server, in one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.times import iso
from waypost.clocks import set_ends_now
from waypost.console import StoreOption, UsageProblem, clock, needs, out, print_table, progress_bar
from waypost.server import PortOption, serve

if TYPE_CHECKING:
    from models.bundle.bundle import Manifest

SOURCE = "complete_journey"
MARKER = Path("data") / "demo.json"
"""Records what the demo imported, so that a second run is quick and no other shop's log is mixed in."""

CUSTOMER = "1"


def demo(
    port: PortOption = 3000,
    serving: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve after the report.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    store: StoreOption = None,
) -> None:
    """Load a year of 2,469 households (dunnhumby "The Complete Journey"), train everything, report, and serve."""
    from waypost.places import store_url

    url = store_url(store)
    imported = import_once(url)
    ended = int(imported["ended"])
    train_once(url, ended, seed)
    report_shop(url, ended)
    print_calls(port, key_words(clock()))
    set_ends_now(url, True)
    if serving:
        serve(port=port, workers=None, host="127.0.0.1", store=store)
    else:
        out.print(f"serve it with `make serve`, or `waypost serve --port {port}`", highlight=False)


def import_once(url: str) -> dict[str, Any]:
    """The demo's log: imported now, unless an earlier run imported it."""
    from features.log import open_log, shown
    from features.sources import import_file

    log = open_log(url, create=True)
    try:
        marker = json.loads(MARKER.read_text(encoding="utf-8")) if MARKER.exists() else {}
        if marker.get("store") == shown(url) and log.count() >= marker["events"] > 0:
            out.print(f"{marker['events']:,} events are in {shown(url)} already", highlight=False)
            return dict(marker)
        if log.count() and marker.get("store") != shown(url):
            raise UsageProblem(
                f"{shown(url)} has {log.count():,} events that are not the demo's; "
                "choose another store: `waypost demo --store sqlite:///data/demo.db`"
            )
        MARKER.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        MARKER.write_text(json.dumps({"store": shown(url), "events": 0, "ended": 0}), encoding="utf-8")
        with needs("demo"), progress_bar("importing The Complete Journey") as progress:
            report = import_file(log, Path("completejourney"), SOURCE, received=clock(), progress=progress)
        span = log.span()
        marker = {"store": shown(url), "events": log.count(), "ended": span[1] if span else 0}
        MARKER.write_text(json.dumps(marker), encoding="utf-8")
        rejected = f", {report.rejected:,} records rejected" if report.rejected else ""
        out.print(f"{report.accepted:,} events imported into {shown(url)}{rejected}", highlight=False)
        return marker
    finally:
        log.close()


def train_once(url: str, ended: int, seed: int) -> None:
    """Train on the demo's log, unless the champion already is the result of this training."""
    from features.journey import JOURNEY
    from models.bundle.bundle import BundleError, read_manifest
    from waypost.learning import train
    from waypost.places import bundle_folder

    try:
        made = read_manifest(bundle_folder())
        if (made.now, made.seed, made.fingerprint) == (ended, seed, JOURNEY.fingerprint):
            report_champion(made)
            return
    except BundleError:
        pass
    train(targets=None, now=iso(ended), seed=seed, store=url)


def report_champion(made: Manifest) -> None:
    """Print the measurements of the champion's training."""
    figures = ("roc_auc", "pr_auc", "log_loss")
    rows = [
        (
            name,
            card.tier,
            card.evidence,
            f"{card.base_rate:,.2f}" if card.form == "amount" else f"{card.base_rate:.1%}",
            *(f"{card.metrics[figure]:.3f}" if figure in card.metrics else "" for figure in figures),
        )
        for name, card in made.targets.items()
    ]
    title = f"champion {made.version}, trained before; `waypost train` trains again"
    print_table(title, ("target", "tier", "evidence", "base rate", "ROC-AUC", "PR-AUC", "log loss"), rows)


def report_shop(url: str, ended: int) -> None:
    """Rebuild stale states, sweep at the end of the log, and print the stages and segments."""
    from insights.segments import SEGMENTS
    from serving.engine.scoreboard import Scoreboard, sweep
    from waypost.places import engine_of, settings

    engine = engine_of(url)
    try:
        with progress_bar("rebuilding states") as progress:
            engine.states.heal(progress)
        generation = sweep(engine, Scoreboard(settings().scoreboard, engine.fold.fingerprint), ended)
    finally:
        engine.states.close()
    journey, sizes = generation.report["insights"]["journey"], generation.report["segments"]
    stages = [
        (stage["stage"], stage["customers"], f"{stage['share']:.1%}", f"{stage['lapsing_share'] or 0:.1%}")
        for stage in journey["stages"]
    ]
    title = f"{generation.count:,} customers, as of {iso(ended)}"
    print_table(title, ("stage", "customers", "share", "lapsing"), stages)
    segments = [(segment.title, sizes[segment.name]) for segment in SEGMENTS.values()]
    print_table("segments", ("segment", "customers"), segments)


def key_words(now: int) -> str:
    """The option of the example calls that sends a key: the first key, made here if needed; empty without keys."""
    from serving.access.first_key import first_key_path, make_first_key
    from waypost.places import settings

    path = settings().keys
    if path is None:
        return ""
    make_first_key(path, now)
    first = first_key_path(path)
    return f'-u "$(cat {first}):" ' if first.exists() else '-u "$KEY:" '


def print_calls(port: int, key: str) -> None:
    """Print calls to try, ready to paste; `key` is the option that sends the key."""
    base = f"http://localhost:{port}"
    curl = f"curl -s {key}{base}"
    calls = [
        ("the journey report: log in with the key in data/first-key.txt", f"open {base}/ in a browser"),
        ("scores", _post(curl, "scores", f'{{"customer": "{CUSTOMER}"}}')),
        ("recommendations", _post(curl, "recommendations", f'{{"customer": "{CUSTOMER}", "limit": 5}}')),
        ("next best action", _post(curl, "next-best-action", f'{{"customer": "{CUSTOMER}"}}')),
        (
            "send an event",
            _post(
                curl, "events", f'{{"customer": "{CUSTOMER}", "kind": "CART_ADD", "item": "1082185", "amount": 1.99}}'
            ),
        ),
        ("a customer", f"{curl}/v1/customers/{CUSTOMER}"),
        ("a segment as CSV", f"curl -s {key}'{base}/v1/segments/at-risk?format=csv'"),
        ("the journey", f"{curl}/v1/journey"),
    ]
    for what, call in calls:
        out.print(f"[dim]# {what}[/dim]", highlight=False)
        out.print(call, highlight=False, soft_wrap=True, markup=False)


def _post(curl: str, path: str, body: str) -> str:
    return f"{curl}/v1/{path} -H 'content-type: application/json' -d '{body}'"
