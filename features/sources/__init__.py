"""Raw records of each known format to events, and the import of files. CATALOGUE: one adapter file per source."""

from features.sources.contract import (
    BadRecord,
    FileUnreadable,
    MappingInvalid,
    NothingAccepted,
    Source,
    SourceError,
    SourceUnknown,
)
from features.sources.formats import complete_journey, ga4, measurement, rees46, segment, taobao, waypost
from features.sources.formats.mapping import load_mapping
from features.sources.importing import ImportReport, find_source, import_file

SOURCES: dict[str, Source] = {
    module.SOURCE.name: module.SOURCE
    for module in (complete_journey, ga4, measurement, segment, rees46, taobao, waypost)
}
"""Every source by name; any other format is described by a mapping (`load_mapping`)."""

__all__ = [
    "SOURCES",
    "BadRecord",
    "FileUnreadable",
    "ImportReport",
    "MappingInvalid",
    "NothingAccepted",
    "Source",
    "SourceError",
    "SourceUnknown",
    "find_source",
    "import_file",
    "load_mapping",
]
