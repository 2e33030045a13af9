"""waypost monitor: whether the champion still fits the shop, as tables, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.times import iso
from waypost.console import (
    JsonOption,
    StoreOption,
    finite,
    needs,
    out,
    parse_moment,
    print_json,
    print_line,
    print_table,
)
from waypost.models import governed
from waypost.places import bundle_folder, existing_log

if TYPE_CHECKING:
    from models.bundle.bundle import Bundle
    from models.bundle.governance import Governance
    from training.monitoring import Action, Report, Watched
    from training.targets import Target

FILE = "monitor.json"
"""The newest report, beside the champion's folder: running servers export it as gauges."""

NowOption = Annotated[
    str | None, typer.Option("--now", help="Monitor as if it were this moment; default: the end of the log.")
]


def monitor(
    now: NowOption = None,
    page: Annotated[Path | None, typer.Option("--html", help="Write the report as one HTML file.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the champion with the shop: drift, realised against predicted, event volumes, and what to do."""
    report, action = look(store, parse_moment(now) if now else None)
    if page is not None:
        from serving.web.monitor import monitor_page
        from training.monitoring.page import page_content

        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(monitor_page(page_content(report, action)), encoding="utf-8")
    if as_json:
        print_json(_content(report, action))
        return
    out.print(f"bundle {report.version or 'unusable'}, as of {iso(report.now)}", highlight=False)
    with needs("training"):
        from training.monitoring.tables import tables
    for title, columns, rows in tables(report):
        if rows:
            print_table(title, columns, rows)
        else:
            print_line(title)
    print_line(f"{action.step}: {action.words}")
    if page is not None:
        print_line(f"the page is {page}")


def look(store: str | None, now: int | None = None) -> tuple[Report, Action]:
    """The report on the champion as of `now` (the end of the log when None), and the action that it calls for.

    The report is also written beside the champion's folder. Raises `BundleError` when there never was a champion.
    """
    with needs("training"):
        from training.monitoring import decide
    governance = governed()
    place = bundle_folder().with_name(FILE)
    earlier = governance.fallbacks()
    report = _report(store, now, governance, earlier, _read(place))
    action = decide(report, can_roll_back=bool(earlier))
    _write(place, finite(_content(report, action)))
    return report, action


def advice(store: str | None) -> Action:
    """The action that the monitor calls for now."""
    return look(store)[1]


def _report(
    store: str | None, now: int | None, governance: Governance, earlier: Sequence[str], before: dict[str, Any]
) -> Report:
    from features.replay.snapshots import read_past
    from models.bundle.bundle import MANIFEST, Bundle, BundleError, StaleBundle
    from training.monitoring import Watched, fault_report, since_of, watch
    from training.rows.labels import end_of

    folder, fold, since = bundle_folder(), governance.fold, since_of(before)
    log = existing_log(store)
    try:
        past = read_past(log, now)
    finally:
        log.close()
    moment = end_of(past) if now is None else now
    try:
        bundle = Bundle.load(folder, fold.fingerprint, fold.names)
    except BundleError as error:
        if not (folder / MANIFEST).exists():
            raise
        damaged = not isinstance(error, StaleBundle)
        return fault_report(past, moment, str(folder), str(error), damaged=damaged, since=since)
    return watch(
        fold, past, Watched.of(bundle), moment, _asked(bundle),
        reference=bundle.reference, previous=_previous(governance, earlier), since=since,
    )  # fmt: skip


def _asked(bundle: Bundle) -> dict[str, Target]:
    """The targets whose question is still the one that the bundle was trained on."""
    from training.targets import targets

    cards = bundle.manifest.targets
    return {
        name: target
        for name, target in targets().items()
        if name in cards and (cards[name].definition, cards[name].scope) == (target.definition, target.scope_text)
    }


def _previous(governance: Governance, earlier: Sequence[str]) -> Watched | None:
    """The first of these earlier champions that can still be used; None when there is none."""
    from models.bundle.bundle import BundleError
    from training.monitoring import Watched

    for version in earlier:
        try:
            return Watched.of(governance.archive.load(version, governance.fold))
        except BundleError:
            continue  # made with other features, or damaged: no comparison and no rollback
    return None


def _content(report: Report, action: Action) -> dict[str, Any]:
    return {**report.to_json(), "action": asdict(action)}


def _read(place: Path) -> dict[str, Any]:
    """The report that was written last; empty when none can be read."""
    try:
        report = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def _write(place: Path, content: Any) -> None:
    """Replace the report atomically, because servers may read it at any time."""
    place.parent.mkdir(parents=True, exist_ok=True)
    staged = place.with_name(f".{place.name}")
    staged.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    staged.replace(place)
