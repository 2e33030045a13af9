"""waypost models: the bundles there are, the one that answers, and how to replace it."""

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
    help="List the model bundles, show which one answers, since when and why, and replace it.",
    no_args_is_help=True,
    cls=Failing,
)

VersionArgument = Annotated[
    str, typer.Argument(metavar="VERSION", help="A version, its first digits, or an alias: `waypost models list`.")
]
ReasonOption = Annotated[str, typer.Option(help="Reason, in words, for the promotion log.")]


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the bundles in the archive, newest first, with the aliases that name them."""
    from models.bundle.promotion_log import aliases_of

    governance = governed()
    moves = governance.promotions.moves()
    bundles = [
        {"version": version, "aliases": aliases_of(version, moves), **_summary(governance, version)}
        for version in governance.archive.versions()
    ]
    if as_json:
        print_json({"archive": str(governance.archive.folder), "bundles": bundles})
        return
    rows = [(bundle["version"], ", ".join(bundle["aliases"]), bundle["made"], _condition(bundle)) for bundle in bundles]
    title = f"{len(bundles)} bundle{'' if len(bundles) == 1 else 's'} in {governance.archive.folder}"
    print_table(title, ("version", "aliases", "made", "state"), rows)


@app.command("show")
def show(version: VersionArgument = "champion", as_json: JsonOption = False) -> None:
    """Show what one bundle predicts and how well, and the moves of its aliases."""
    from models.bundle.readiness import served

    governance = governed()
    chosen = _version(governance, version)
    manifest = governance.archive.manifest(chosen)
    moves = [move for move in governance.promotions.moves() if move.version == chosen]
    if as_json:
        print_json({"manifest": manifest.to_fields(), "moves": [move_fields(move) for move in moves]})
        return
    figures = [
        (name, card.tier, card.evidence, f"{card.base_rate:.4f}", _figure(card.metrics, "roc_auc"),
         _figure(card.metrics, "log_loss"), _figure(card.metrics, "calibration_error"))
        for name, card in manifest.targets.items()
    ]  # fmt: skip
    title = f"bundle {chosen}, trained on the log up to {iso(manifest.now)} with features {manifest.fingerprint}"
    print_table(title, ("target", "tier", "evidence", "base rate", "ROC-AUC", "log loss", "calibration error"), figures)
    print_table("what answers, and why no higher tier does", ("target", "answered by"), list(served(manifest).items()))
    _print_moves("moves of its aliases", moves)


@app.command("history")
def history(
    at: Annotated[str | None, typer.Option("--at", help="Only the aliases as of this moment, ISO 8601.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every move of an alias, or the aliases as of a moment."""
    from models.bundle.promotion_log import ALIASES, live_at

    moves = governed().promotions.moves()
    title = "the promotion log, the latest move last"
    if at is not None:
        moment = parse_moment(at)
        moves = [move for alias in ALIASES if (move := live_at(moves, moment, alias)) is not None]
        title = f"live at {iso(moment)}" if moves else f"nothing was live at {iso(moment)}"
    if as_json:
        print_json({"moves": [move_fields(move) for move in moves]})
    else:
        _print_moves(title, moves)


@app.command("promote")
def promote(
    version: VersionArgument,
    to: Annotated[
        str, typer.Option("--to", help="The alias to move: champion answers, shadow only scores.")
    ] = "champion",
    reason: ReasonOption = "asked for on the command line",
    as_json: JsonOption = False,
) -> None:
    """Make an archived bundle the champion or the shadow; running servers load it."""
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
    """Go back to the previous champion; a second time, to the one before that."""
    print_move(governed().roll_back(reason), as_json)


def governed() -> Governance:
    """The bundles of the configured folder; MLflow's aliases follow ours."""
    from features.journey import JOURNEY
    from models.bundle.governance import Governance

    return Governance(bundle_folder(), JOURNEY, clock, _follow)


def print_move(move: Move, as_json: bool) -> None:
    """Print a move of an alias."""
    if as_json:
        print_json(move_fields(move))
        return
    before = f" in the place of {move.previous}" if move.previous else ""
    print_line(f"{move.version} is the {move.alias}{before}: {move.reason}")
    print_line("running servers load it within two seconds")


def _follow(move: Move) -> None:
    """Move MLflow's alias too, where trainings were recorded in MLflow; servers do not use it."""
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
        summary = {"made": manifest.created, "until": iso(manifest.now), "targets": len(manifest.targets)}
        governance.archive.load(version, governance.fold)
    except StaleBundle:
        return {**summary, "state": f"made with other features ({manifest.fingerprint})"}
    except BundleError as error:
        return {"made": "", "until": "", "targets": 0, "state": str(error)}
    return {**summary, "state": "usable"}


def _condition(summary: Mapping[str, Any]) -> str:
    """Whether a bundle can be used, what it predicts and from what, in words."""
    origin = f"; {summary['targets']} targets, trained on the log up to {summary['until']}" if summary["until"] else ""
    return f"{summary['state']}{origin}"


def _print_moves(title: str, moves: Sequence[Move]) -> None:
    """Print moves in few columns, so that versions are not cut."""
    print_table(title, ("time", "what", "why"), [(iso(move.at), _deed(move), move.reason) for move in moves])


def _deed(move: Move) -> str:
    """What was moved, from where and by whom."""
    before = f" in the place of {move.previous}" if move.previous else ""
    return f"{move.alias} is {move.version}{before}, by {move.by}"


def move_fields(move: Move) -> dict[str, Any]:
    """The move as JSON, with its time in ISO 8601."""
    return {**move.to_json(), "at": iso(move.at)}


def _figure(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.4f}" if name in metrics else ""
