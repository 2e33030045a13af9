"""The export: the whole log, once, with all of a customer in one partition; what is not finished counts for nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import files
from features.events import EVENT, days
from features.identity.periods import connected_components
from features.journey import JOURNEY
from features.log import open_log, scans
from features.log.contract import MERGE, EventLog, LogBusy, LogCorrupt, LogError, LogMissing, LogVersion, Records
from features.log.parquet import export as module
from features.log.parquet import folder
from features.log.parquet.export import export, partitions_for
from features.log.parquet.exported import ExportedLog, partition_file
from features.log.parquet.partitioning import Partitioning, hashed
from features.replay.snapshots import past_of, read_past, replay_profiles
from tests.examples import examples
from tests.features.log.samples import START, event, identify, shop
from tests.features.log.test_laws import Batch, batches


@pytest.fixture(autouse=True, scope="module")
def _no_waiting_for_the_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "synchronise", lambda path: None)
        yield


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    """A log of 300 events of 20 customers."""
    with closing(open_log(tmp_path / "waypost.db")) as opened:
        opened.append(shop(300), history=True)
        yield opened


def whole(exported: ExportedLog) -> Records:
    """All events of an export, put in order by their offsets."""
    files = exported.path / exported.manifest.files
    numbers = range(len(exported.manifest.partitions))
    offsets = [pq.read_table(partition_file(files, number))["offset"].to_numpy() for number in numbers]
    events = [np.empty(0, EVENT), *(chunk for number in numbers for chunk in exported.scan(number))]
    order = np.argsort(np.concatenate(offsets))
    assert np.concatenate(offsets)[order].tolist() == list(range(1, len(order) + 1))
    return np.concatenate(events)[order]


@settings(max_examples=examples(8), deadline=None)
@given(batches, st.integers(1, 5), st.integers(1, 9))
def test_partitions_are_the_log_cut_between_customers(given: list[Batch], number: int, block: int) -> None:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        patch.setattr(scans, "CHUNK", 4)
        with closing(open_log(Path(place) / "waypost.db")) as log:
            for events, history in given:
                log.append(events, history=history)
            if not log.count():
                return
            made = export(log, Path(place) / "out", partitions=number)
            exported, past = ExportedLog(Path(place) / "out"), read_past(log)
            assert made.fresh and not made.interrupted and made.manifest == exported.manifest
            assert whole(exported).tobytes() == np.concatenate(list(log.scan())).tobytes()
            assert exported.merges.tolist() == log.merges().tolist()
            assert exported.items() == log.items.names()
        manifest = exported.manifest
        assert (manifest.events, manifest.start, manifest.end) == (past.count, *_span(whole(exported)))
        named, circle = connected_components(exported.merges)
        partitioning = exported.partitioning.of(named)
        assert all(len(set(partitioning[circle == each].tolist())) == 1 for each in circle.tolist())
        _replays_alike(exported, number)


def _span(events: Records) -> tuple[int, int]:
    return int(events["received"].min()), int(events["received"].max())


def _replays_alike(exported: ExportedLog, number: int) -> None:
    """Partition by partition, every profile has at every cutoff the very features that it has in the whole log."""
    cutoffs = [START + days(1), START + days(400)]
    expected = replay_profiles(JOURNEY, past_of([whole(exported)], exported.merges), cutoffs)
    parts = [
        replay_profiles(JOURNEY, past_of(exported.scan(each), exported.merges_of(each)), cutoffs)
        for each in range(number)
    ]
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in ("customer", "cutoff", "features")]
    order = np.lexsort((columns[1], columns[0]))
    for column, name in zip(columns, ("customer", "cutoff", "features"), strict=True):
        assert column[order].tobytes() == getattr(expected, name).tobytes()


def test_done_twice_nothing_is_written_and_a_grown_log_replaces_the_export(log: EventLog, tmp_path: Path) -> None:
    place = tmp_path / "out"
    first = export(log, place, partitions=4)
    again = export(log, place, partitions=4)
    assert (first.fresh, again.fresh) == (True, False)
    assert first.manifest == again.manifest
    assert first.manifest.customers == sum(part.customers for part in first.manifest.partitions) == 20
    log.append([event(999_999, "new")])
    grown = export(log, place, partitions=4)
    assert grown.fresh and (grown.manifest.events, grown.manifest.generation) == (301, 2)
    assert [each.name for each in place.glob("export-*")] == ["export-00000002"]
    assert len(export(log, place, partitions=7).manifest.partitions) == 7


def test_an_interrupted_export_counts_for_nothing_and_is_begun_anew(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "out"
    monkeypatch.setattr(module, "BLOCK", 100)
    monkeypatch.setattr(scans, "CHUNK", 40)

    def dying(done: int, total: int) -> None:
        assert total >= 300
        if done >= 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(log, place, partitions=3, progress=dying)
    with pytest.raises(LogMissing, match=r"no finished export.*waypost log export"):
        ExportedLog(place)
    done = export(log, place, partitions=3)
    assert done.interrupted and done.fresh and len(whole(ExportedLog(place))) == 300
    log.append([event(999_999)])
    with pytest.raises(KeyboardInterrupt):
        export(log, place, partitions=3, progress=dying)
    assert len(whole(ExportedLog(place))) == 300, "until the next one is finished, the last one counts"
    done = export(log, place, partitions=3)
    assert done.interrupted and len(whole(ExportedLog(place))) == 301


def test_who_was_erased_is_in_no_file_of_the_next_export(log: EventLog, tmp_path: Path) -> None:
    log.append([identify(999_999, "customer-3", "visitor"), event(999_998, "visitor")])
    export(log, tmp_path / "out", partitions=2)
    code = log.customers.code("customer-3")
    log.erase("visitor", START + days(400))
    made = export(log, tmp_path / "out", partitions=2)
    events = whole(ExportedLog(tmp_path / "out"))
    assert made.fresh and code not in events["customer"] and not made.manifest.merges
    assert len(list((tmp_path / "out").glob("export-*"))) == 1


def test_only_what_had_been_received_by_a_moment(log: EventLog, tmp_path: Path) -> None:
    moments = np.sort(np.concatenate([chunk["received"] for chunk in log.scan()]))
    made = export(log, tmp_path / "out", partitions=2, until=int(moments[149]))
    assert made.manifest.events == np.searchsorted(moments, moments[149], "right")
    assert whole(ExportedLog(tmp_path / "out"))["received"].max() == made.manifest.end == moments[149]
    assert not export(log, tmp_path / "out", partitions=2, until=int(moments[149])).fresh
    assert export(log, tmp_path / "out", partitions=2).manifest.events == 300
    assert not export(log, tmp_path / "out", partitions=2, until=int(moments[-1]) + days(9)).fresh


def test_it_holds_nobody_s_name(tmp_path: Path) -> None:
    with closing(open_log(tmp_path / "waypost.db")) as log:
        log.append([identify(1, "alice@example.org", "visitor-4711"), event(2, "visitor-4711", item="shoe")])
        export(log, tmp_path / "out", partitions=1)
    exported = ExportedLog(tmp_path / "out")
    assert exported.items() == ["shoe"] and exported.categories() == []
    held = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    tables = [pq.read_table(path).to_pydict() for path in (tmp_path / "out").rglob("*.parquet")]
    assert b"alice" not in held and "alice" not in repr(tables) and "visitor" not in repr(tables)


def swapped(place: Path) -> None:
    files = ExportedLog(place).path / ExportedLog(place).manifest.files
    shutil.copy(partition_file(files, 0), partition_file(files, 1))


def halved(place: Path) -> None:
    path = partition_file(place / ExportedLog(place).manifest.files, 1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [swapped, halved])
def test_a_partition_that_is_not_what_was_written_is_refused(
    log: EventLog, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    export(log, tmp_path / "out", partitions=2)
    damage(tmp_path / "out")
    assert list(ExportedLog(tmp_path / "out").scan(0))
    with pytest.raises(LogCorrupt):
        list(ExportedLog(tmp_path / "out").scan(1))


def test_what_cannot_be_exported_says_why(log: EventLog, tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"0 partitions.*1 to 1,000"):
        export(log, tmp_path / "out", partitions=0)
    with pytest.raises(LogError, match="no events to export"):
        export(log, tmp_path / "out", until=1)
    with closing(open_log(tmp_path / "empty.db")) as empty, pytest.raises(LogError, match="waypost import"):
        export(empty, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(LogVersion, match="holds other things"):
        export(log, tmp_path / "mine")
    (tmp_path / "exports" / "export-20261122").mkdir(parents=True)
    (tmp_path / "exports" / "export-20261122" / "thesis.txt").write_text("mine")
    with pytest.raises(LogVersion, match="holds other things"):  # called like one of ours, and none
        export(log, tmp_path / "exports")
    assert (tmp_path / "exports" / "export-20261122" / "thesis.txt").exists()
    export(log, tmp_path / "out", partitions=1)
    with folder.sole_writer(tmp_path / "out", 1), pytest.raises(LogBusy):
        export(log, tmp_path / "out", partitions=2)


@pytest.mark.parametrize(
    ("text", "error"), [("{", LogCorrupt), ('{"version": 1}', LogCorrupt), ('{"version": 99}', LogVersion)]
)
def test_a_manifest_that_cannot_be_read_says_what_to_do(
    log: EventLog, tmp_path: Path, text: str, error: type[Exception]
) -> None:
    export(log, tmp_path / "out", partitions=1)
    assert json.loads((tmp_path / "out" / "export.json").read_text())["events"] == 300
    (tmp_path / "out" / "export.json").write_text(text)
    with pytest.raises(error):
        ExportedLog(tmp_path / "out")


def test_partitions_are_even_and_seeds_independent() -> None:
    codes = np.arange(80_000, dtype=np.int32)
    sizes = np.bincount(Partitioning(np.empty(0, MERGE), 16).of(codes))
    assert sizes.min() > 4_700 and sizes.max() < 5_300, "16 fair draws of 80,000: 5,000 each, 68 standard deviation"
    one, other = hashed(codes, 1) < 2**63, hashed(codes, 2) < 2**63
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02
    assert partitions_for(10) == 8 and partitions_for(10_000_000) == 20 and partitions_for(10**12) == 1_000
