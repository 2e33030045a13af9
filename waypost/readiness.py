"""waypost readiness: how far each target has come, and what it waits for."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from features.times import iso
from waypost.console import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from models.bundle.readiness import NextTier, Readiness


def show_readiness(as_json: JsonOption = False) -> None:
    """Show what answers each target today, on what evidence, and what the next tier takes."""
    from models.bundle.bundle import read_manifest
    from models.bundle.readiness import readiness
    from waypost.places import bundle_folder

    manifest = read_manifest(bundle_folder())
    found = readiness(manifest)
    if as_json:
        targets = [_fields(each) for each in found]
        print_json({"as_of": iso(manifest.now), "model": manifest.version, "targets": targets})
        return
    title = f"targets of bundle {manifest.version}, as of {iso(manifest.now)}, with their evidence (ev.)"
    columns = ("target", "tier", "ev.", "rows", "yes", "the next tier")
    print_table(title, columns, [_row(each) for each in found])


def _row(each: Readiness) -> tuple[str | int, ...]:
    rows, yes = (int(each.counts.get(name, 0)) for name in ("rows", "yes"))
    return each.target, each.tier, each.evidence, rows, yes, _next(each)


def _next(each: Readiness) -> str:
    """What the next tier lacks and when that is expected, or why none above answers; empty at the top."""
    from models.bundle.readiness import lacking_words

    if each.next is None or not each.next.lacking:
        return each.why
    expected = _expected(each.next)
    lacking = lacking_words(each.next.lacking)
    return f"{each.next.tier}: takes {lacking}{f', expected by {expected}' if expected else ''}"


def _expected(tier: NextTier) -> str:
    return "" if tier.expected is None else iso(tier.expected)[:10]


def _fields(each: Readiness) -> dict[str, object]:
    fields = asdict(each)
    if each.next is not None and each.next.expected is not None:
        fields["next"]["expected"] = iso(each.next.expected)
    return fields
