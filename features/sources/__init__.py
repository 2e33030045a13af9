"""Raw records of each known format become events; the import of files. CATALOGUE: one adapter file per source."""

from features.sources.contract import (
    BadRecord,
    FileUnreadable,
    MappingInvalid,
    NothingAccepted,
    Source,
    SourceError,
    SourceUnknown,
)
from features.sources.formats import SOURCES
from features.sources.formats.mapping import load_mapping
from features.sources.importing import files_of, find_source, import_file, total
from features.sources.report import ImportReport

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
    "files_of",
    "find_source",
    "import_file",
    "load_mapping",
    "total",
]
