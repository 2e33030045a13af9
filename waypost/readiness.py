"""waypost readiness: what answers every target, and what the next tier needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from features.times import iso
from waypost.console import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from models.bundle.readiness import NextTier, Readiness


def show_readiness(as_json: JsonOption = False) -> None:
    """Show what answers each target today, its evidence, and what the next tier needs."""
    from models.bundle.bundle import read_manifest
    from models.bundle.readiness import readiness
    from waypost.places import bundle_folder

    manifest = read_manifest(bundle_folder())
    readinesses = readiness(manifest)
    if as_json:
        targets = [_fields(target) for target in readinesses]
        print_json({"as_of": iso(manifest.now), "model": manifest.version, "targets": targets})
        return
    title = f"targets of bundle {manifest.version}, as of {iso(manifest.now)}, with their evidence (ev.)"
    columns = ("target", "tier", "ev.", "rows", "yes", "next tier")
    print_table(title, columns, [_row(target) for target in readinesses])


def _row(target: Readiness) -> tuple[str | int, ...]:
    rows, yes = (int(target.counts.get(name, 0)) for name in ("rows", "yes"))
    return target.target, target.tier, target.evidence, rows, yes, _next(target)


def _next(target: Readiness) -> str:
    """What the next tier lacks and when that is expected, or why no higher tier answers; empty for the highest."""
    from models.bundle.readiness import lacking_words

    if target.next is None or not target.next.lacking:
        return target.why
    expected = _expected(target.next)
    lacking = lacking_words(target.next.lacking)
    return f"{target.next.tier}: needs {lacking}{f', expected by {expected}' if expected else ''}"


def _expected(tier: NextTier) -> str:
    return "" if tier.expected is None else iso(tier.expected)[:10]


def _fields(target: Readiness) -> dict[str, object]:
    fields = asdict(target)
    if target.next is not None and target.next.expected is not None:
        fields["next"]["expected"] = iso(target.next.expected)
    return fields
