"""The page docs/sources.md: every source with its columns, and what others' names become.

Print it with `python -m features.catalogues.sources > docs/sources.md`; a test compares the page with this text.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from features.events import Kind, stage_of
from features.sources import SOURCES
from features.sources.contract import Source
from features.sources.fields.fields import CHANNELS, KINDS
from features.sources.fields.names import GA4, SEGMENT
from features.sources.formats.mapped_rows import COLUMNS


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Sources"
    yield ""
    yield "<!-- Generated: python -m features.catalogues.sources > docs/sources.md -->"
    yield ""
    yield "`waypost import PATH... --source NAME` reads files of one of these forms: Parquet, CSV or JSON lines, plain"
    yield "or packed with gzip or zstd. [How to import](howto/import.md) says how, and how to bring any other table."
    for source in SOURCES.values():
        yield from _source(source)
    yield from _mapping()
    yield from _kinds()
    yield from _names("Segment's events", SEGMENT)
    yield from _names("GA4's events", GA4)


def _source(source: Source) -> Iterator[str]:
    yield from ("", f"## {source.name}", "", source.doc, "", "| column | | meaning |", "| --- | --- | --- |")
    for column in source.columns:
        names = column.name.replace(", ", "`, `")
        yield f"| `{names}` | {'required' if column.required else ''} | {column.meaning} |"


def _mapping() -> Iterator[str]:
    yield from ("", "## mapping", "")
    yield "Any other table, with `--source mapping --map FILE.toml`: `[columns]` says which column is what."
    yield from ("", "| of an event | meaning |", "| --- | --- |")
    for name, meaning in COLUMNS.items():
        yield f"| `{name}` | {meaning} |"


def _kinds() -> Iterator[str]:
    yield from ("", "## Kinds and channels", "", "| stage | kinds |", "| --- | --- |")
    stages: dict[str, list[str]] = {}
    for name, kind in KINDS.items():
        stage = stage_of(kind)
        stages.setdefault("every stage" if stage is None else stage.name.lower(), []).append(f"`{name}`")
    for stage_name, names in stages.items():
        yield f"| {stage_name} | {' '.join(names)} |"
    yield ""
    yield f"Channels: {' '.join(f'`{name}`' for name in CHANNELS)}."


def _names(title: str, names: Mapping[str, Kind]) -> Iterator[str]:
    yield from ("", f"## {title}", "", "Any other name becomes `OTHER`, with the name as its category.", "")
    yield from ("| name | kind |", "| --- | --- |")
    for name, kind in names.items():
        yield f"| {name} | `{kind.name}` |"


if __name__ == "__main__":
    sys.stdout.write(page())
