"""waypost models: which bundles there are, which one answers, and putting another in its place."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.times import iso
from waypost.console import (
    Failing,
    JsonOption,
    UsageProblem,
    clock,
    needs,
    parse_moment,
    print_json,
    print_line,
    print_table,
)
from waypost.places import bundle_folder

if TYPE_CHECKING:
    from models.bundle.governance import Governance
    from models.bundle.promotion_log import Alias, Move

app = typer.Typer(
    name="models",
    help="Which model bundles there are, which one answers, since when and why; put another in its place.",
    no_args_is_help=True,
    cls=Failing,
)

VersionArgument = Annotated[
    str, typer.Argument(metavar="VERSION", help="A version, its first digits, or an alias: `waypost models list`.")
]
ReasonOption = Annotated[str, typer.Option(help="Why, in words, for the promotion log.")]


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the bundles in the archive, those made latest first, with the aliases that name them."""
    from models.bundle.promotion_log import aliases_of

    governance = governed()
    moves = governance.promotions.moves()
    found = [
        {"version": each, "aliases": aliases_of(each, moves), **_summary(governance, each)}
        for each in governance.archive.versions()
    ]
    if as_json:
        print_json({"archive": str(governance.archive.folder), "bundles": found})
        return
    rows = [(each["version"], ", ".join(each["aliases"]), each["made"], _condition(each)) for each in found]
    title = f"{len(found)} bundle{'' if len(found) == 1 else 's'} in {governance.archive.folder}"
    print_table(title, ("version", "aliases", "made", "state"), rows)


@app.command("show")
def show(version: VersionArgument = "champion", as_json: JsonOption = False) -> None:
    """Show what one bundle predicts and how well, and how it came to its aliases."""
    from models.bundle.readiness import served

    governance = governed()
    chosen = _version(governance, version)
    manifest = governance.archive.manifest(chosen)
    moves = [move for move in governance.promotions.moves() if move.version == chosen]
    if as_json:
        print_json({"manifest": manifest.to_fields(), "moves": [told(move) for move in moves]})
        return
    figures = [
        (name, card.tier, card.evidence, f"{card.base_rate:.4f}", _figure(card.metrics, "roc_auc"),
         _figure(card.metrics, "log_loss"), _figure(card.metrics, "calibration_error"))
        for name, card in manifest.targets.items()
    ]  # fmt: skip
    title = f"bundle {chosen}, trained on the log up to {iso(manifest.now)} with features {manifest.fingerprint}"
    print_table(title, ("target", "tier", "evidence", "base rate", "ROC-AUC", "log loss", "calibration error"), figures)
    print_table("what answers, and why nothing higher does", ("target", "answered by"), list(served(manifest).items()))
    _print_moves("how it came to its aliases", moves)


@app.command("history")
def history(
    at: Annotated[
        str | None, typer.Option("--at", help="Only what the aliases named at this moment, ISO 8601.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every move of an alias, or what was live at a moment."""
    from models.bundle.promotion_log import ALIASES, live_at

    moves = governed().promotions.moves()
    title = "the promotion log, the latest move last"
    if at is not None:
        moment = parse_moment(at)
        moves = [move for alias in ALIASES if (move := live_at(moves, moment, alias)) is not None]
        title = f"live at {iso(moment)}" if moves else f"nothing was live at {iso(moment)}"
    if as_json:
        print_json({"moves": [told(move) for move in moves]})
    else:
        _print_moves(title, moves)


@app.command("promote")
def promote(
    version: VersionArgument,
    to: Annotated[
        str, typer.Option("--to", help="The alias to move: champion answers, shadow is watched.")
    ] = "champion",
    reason: ReasonOption = "asked for on the command line",
    as_json: JsonOption = False,
) -> None:
    """Put an archived bundle in the place of the champion, or of the shadow; running servers take it up."""
    from models.bundle.bundle import BundleError
    from models.bundle.loaded import Champion
    from models.bundle.promotion_log import CHAMPION, SHADOW, Cause

    aliases: dict[str, Alias] = {CHAMPION: CHAMPION, SHADOW: SHADOW}
    if to not in aliases:
        raise UsageProblem(f"{to!r} cannot be promoted to; expected --to {' or --to '.join(aliases)}")
    governance = governed()
    chosen = _version(governance, version)
    bundle = governance.archive.load(chosen, governance.fold)
    try:
        Champion.of(bundle)
    except (TypeError, ValueError) as error:
        raise BundleError(f"No server could use the bundle {chosen}: {error}.") from error
    print_move(governance.promote(chosen, Cause("promote", reason), aliases[to]), as_json)


@app.command("rollback")
def rollback(reason: ReasonOption = "asked for on the command line", as_json: JsonOption = False) -> None:
    """Go back to the champion before this one; done again, to the one before that."""
    print_move(governed().roll_back(reason), as_json)


def governed() -> Governance:
    """The bundles of this place; MLflow's aliases follow ours."""
    from features.journey import JOURNEY
    from models.bundle.governance import Governance

    return Governance(bundle_folder(), JOURNEY, clock, _follow)


def print_move(move: Move, as_json: bool) -> None:
    """Say what became of an alias."""
    if as_json:
        print_json(told(move))
        return
    before = f" in the place of {move.previous}" if move.previous else ""
    print_line(f"{move.version} is the {move.alias}{before}: {move.reason}")
    print_line("running servers take it up within two seconds")


def _follow(move: Move) -> None:
    """Move MLflow's alias along, where trainings were recorded in MLflow; a server knows nothing of it."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not Path("mlruns/mlflow.db").exists():
        return
    with needs("training"):
        from training.tracking import follow
    follow(move)


def _version(governance: Governance, text: str) -> str:
    """The archived version that an alias, a version or its first digits name."""
    from models.bundle.promotion_log import named

    aliases = {str(alias): version for alias, version in named(governance.promotions.moves()).items()}
    return governance.archive.find(aliases.get(text, text))


def _summary(governance: Governance, version: str) -> dict[str, Any]:
    """When a bundle was made, from what, for how many targets, and whether it can be used."""
    from models.bundle.bundle import BundleError, StaleBundle

    try:
        manifest = governance.archive.manifest(version)
        told = {"made": manifest.created, "until": iso(manifest.now), "targets": len(manifest.targets)}
        governance.archive.load(version, governance.fold)
    except StaleBundle:
        return {**told, "state": f"made with other features ({manifest.fingerprint})"}
    except BundleError as error:
        return {"made": "", "until": "", "targets": 0, "state": str(error)}
    return {**told, "state": "usable"}


def _condition(summary: Mapping[str, Any]) -> str:
    """Whether a bundle can be used, what it predicts and from what, in words."""
    trained = f"; {summary['targets']} targets, trained on the log up to {summary['until']}" if summary["until"] else ""
    return f"{summary['state']}{trained}"


def _print_moves(title: str, moves: Sequence[Move]) -> None:
    """Few columns: a version that is cut short names nothing."""
    print_table(title, ("time", "what", "why"), [(iso(move.at), _deed(move), move.reason) for move in moves])


def _deed(move: Move) -> str:
    """What was moved, from where and by whom."""
    before = f" in the place of {move.previous}" if move.previous else ""
    return f"{move.alias} is {move.version}{before}, by {move.by}"


def told(move: Move) -> dict[str, Any]:
    """The move as JSON, with its time as people read it."""
    return {**move.to_json(), "at": iso(move.at)}


def _figure(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.4f}" if name in metrics else ""
