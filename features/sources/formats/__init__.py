"""The known formats, with one adapter each, which turns its records into events. SOURCES is their catalogue."""

from features.sources.contract import Source
from features.sources.formats import complete_journey, ga4, measurement, rees46, segment, taobao, waypost

SOURCES: dict[str, Source] = {
    module.SOURCE.name: module.SOURCE
    for module in (complete_journey, ga4, measurement, segment, rees46, taobao, waypost)
}
"""Every source by name; any other format is described by a mapping (`load_mapping`)."""
