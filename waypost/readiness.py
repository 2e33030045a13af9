"""waypost readiness: how far each target has come, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from waypost.console import JsonOption, iso, print_json, print_table

if TYPE_CHECKING:
    from models.readiness import NextRung, Readiness


def show_readiness(as_json: JsonOption = False) -> None:
    """Show what answers each target today, on what evidence, and what the next rung of the ladder takes."""
    from models.bundle import read_manifest
    from models.readiness import readiness
    from waypost.places import bundle_folder

    manifest = read_manifest(bundle_folder())
    found = readiness(manifest)
    if as_json:
        targets = [_fields(each) for each in found]
        print_json({"as_of": iso(manifest.now), "model": manifest.version, "targets": targets})
        return
    title = f"targets of bundle {manifest.version}, as of {iso(manifest.now)}"
    columns = ("target", "answers now", "evidence", "counted", "next rung", "lacking", "expected", "why nothing higher")
    print_table(title, columns, [_row(each) for each in found])


def _row(each: Readiness) -> tuple[str, ...]:
    counted = _counts(each.counts)
    if each.next is None:
        return (each.target, each.rung, each.evidence, counted, "", "", "", each.why)
    rung, lacking = each.next.rung, _counts(each.next.lacking)
    return (each.target, each.rung, each.evidence, counted, rung, lacking, _expected(each.next), each.why)


def _expected(rung: NextRung) -> str:
    return "" if rung.expected is None else iso(rung.expected)[:10]


def _counts(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{number:,.0f} {what.replace('_', ' ')}" for what, number in counts.items())


def _fields(each: Readiness) -> dict[str, object]:
    fields = asdict(each)
    if each.next is not None and each.next.expected is not None:
        fields["next"]["expected"] = iso(each.next.expected)
    return fields
