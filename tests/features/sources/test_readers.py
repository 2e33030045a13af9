from __future__ import annotations

import gzip
import json
import random
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from features.sources import FileUnreadable
from features.sources.contract import Record
from features.sources.readers.csvfile import MOST_LINES
from features.sources.readers.lines import LONGEST_LINE
from features.sources.readers.readers import read
from tests.examples import examples
from tests.features.sources.hostile_lines import files

HEADER = b"who,what,note\n"


def records(tmp_path: Path, content: bytes, **options: object) -> list[Record]:
    path = tmp_path / "file"
    path.write_bytes(content)
    return list(read(path, **options))  # type: ignore[arg-type]


def good(found: list[Record]) -> list[list[object]]:
    return [list(record.values.values()) for record in found if record.fault is None]


def bad(found: list[Record]) -> list[tuple[int, str]]:
    return [(record.position, record.fault.field) for record in found if record.fault]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_csv_from_any_system(tmp_path: Path, ending: bytes, last: bool, mark: bytes) -> None:
    content = mark + ending.join([b"who,what", b"ada,view", b"", b"bob,cart"]) + (ending if last else b"")
    found = records(tmp_path, content)
    assert [dict(record.values) for record in found] == [{"who": "ada", "what": "view"}, {"who": "bob", "what": "cart"}]
    assert [record.position for record in found] == [2, 4]
    assert [record.raw for record in found] == [b"ada,view", b"bob,cart"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(tmp_path: Path, delimiter: str) -> None:
    assert good(records(tmp_path, f"who{delimiter}what\nada{delimiter}1,5\n".encode())) == [["ada", "1,5"]]


def test_quotes_hold_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    content = HEADER + b'ada,"a,b","she said ""hi"""\nbob,"two\nlines",x\neve,c,d\n'
    found = records(tmp_path, content)
    assert good(found) == [["ada", "a,b", 'she said "hi"'], ["bob", "two\nlines", "x"], ["eve", "c", "d"]]
    assert [record.position for record in found] == [2, 3, 5]


def test_a_quote_that_is_never_closed_costs_its_line_alone(tmp_path: Path) -> None:
    after = b"".join(b"u%d,view,x\n" % number for number in range(3 * MOST_LINES))
    found = records(tmp_path, HEADER + b'ada,"view,x\n' + after)
    assert bad(found) == [(2, "what")]
    assert len(good(found)) == 3 * MOST_LINES
    assert [record.position for record in found] == list(range(2, 3 + 3 * MOST_LINES))


@given(
    st.lists(
        st.sampled_from([b"ada,view,x", b'bob,"a,b",x', b'eve,"open,x', b"one,two", b'x,"y"z,', b"\xff,b,c"]),
        max_size=30,
    )
)
def test_good_lines_survive_among_broken_ones(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """Without line breaks in quotes every line stands for itself, unless two open quotes close each other."""
    found = records(tmp_path_factory.mktemp("csv"), HEADER + b"\n".join(lines) + b"\n")
    assert b"\n".join(record.raw for record in found) == b"\n".join(lines)
    whole = [line for line in lines if line in (b"ada,view,x", b'bob,"a,b",x')]
    assert len(good(found)) == len(whole)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"ada,view", "note"),
        (b"ada,view,x,y", "note"),
        (b'ada,"a"b,x', "what"),
        (b"ada,caf\xe9,x", "what"),
        (b'ada,"caf\xe9",x', "what"),
        (b"a" * (LONGEST_LINE + 5), ""),
        (b'"' + b"a" * (LONGEST_LINE + 5), "who"),
    ],
)
def test_a_broken_line_names_its_column_and_the_rest_goes_in(tmp_path: Path, line: bytes, field: str) -> None:
    found = records(tmp_path, HEADER + b"ada,view,x\n" + line + b"\nbob,view,x\n")
    assert bad(found) == [(3, field)]
    assert good(found) == [["ada", "view", "x"], ["bob", "view", "x"]]
    assert line.startswith(found[1].raw)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"a":', "not JSON: Expecting value at character 6"),
        (b'{"a":1} {"b":2}', "more follows the object at character 8"),
        (b'{"a":"caf\xe9}', "can't decode byte 0xe9"),
        (b"[1]", "expected a JSON object, got [1]"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a":' + b"9" * 5_000 + b"}", "not JSON that can be read"),
        (b'{"a":"' + b"x" * LONGEST_LINE + b'"}', "longer than 1048576 bytes"),
    ],
)
def test_a_broken_json_line_says_what_is_wrong_and_the_rest_goes_in(tmp_path: Path, line: bytes, said: str) -> None:
    found = records(tmp_path, b'{"a":0}\n\n' + line + b'\n{"a":2}\n')
    assert good(found) == [[0], [2]]
    assert [record.position for record in found] == [1, 3, 4]
    assert found[1].fault is not None
    assert said in found[1].fault.reason


@pytest.mark.parametrize("content", [HEADER + b"ada,view,x\n", b'{"who":"ada","what":"view","note":"x"}\n'])
def test_gzip_is_read_as_what_it_holds(tmp_path: Path, content: bytes) -> None:
    assert good(records(tmp_path, gzip.compress(content))) == [["ada", "view", "x"]]


@pytest.mark.parametrize("content", [HEADER + b"ada,view,x\n", b'{"who":"ada","what":"view","note":"x"}\n'])
def test_zstd_is_read_as_what_it_holds(tmp_path: Path, content: bytes) -> None:
    frames = [pa.compress(part, codec="zstd", asbytes=True) for part in (content[:10], content[10:])]
    assert good(records(tmp_path, b"".join(frames))) == [["ada", "view", "x"]]


def test_a_zstd_that_breaks_off_says_so(tmp_path: Path) -> None:
    lines = b"".join(b'{"a":"%s"}\n' % random.Random(number).randbytes(40).hex().encode() for number in range(20_000))
    seen = 0
    (tmp_path / "events.jsonl.zst").write_bytes(pa.compress(lines, codec="zstd", asbytes=True)[:-3_000])
    with pytest.raises(FileUnreadable, match=r"events.jsonl.zst cannot be read after line \d+"):
        for _ in read(tmp_path / "events.jsonl.zst"):
            seen += 1
    assert 1_000 < seen < 20_000


def test_without_its_package_zstd_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(FileUnreadable, match=r"needs the extra `training`.*zstd -d"):
        records(tmp_path, b"\x28\xb5\x2f\xfdrest")


def test_a_gzip_that_breaks_off_gives_what_it_has_and_then_says_so(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    whole = b"".join(json.dumps({"a": number * 7_919 % 10_007}).encode() + b"\n" for number in range(20_000))
    path.write_bytes(gzip.compress(whole)[:-3_000])
    seen = 0
    with pytest.raises(
        FileUnreadable, match=r"events.jsonl.gz cannot be read after line \d+.*importing the repaired file"
    ):
        for _ in read(path):
            seen += 1
    assert 1_000 < seen < 20_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "unzip"),
        (b"\xff\xfew\x00h\x00o\x00", "iconv -f UTF-16"),
        (b'[{"a":1}]', "jq -c"),
        (b"who,who\n1,2\n", "names a column twice: who"),
        (b"PAR1 but not really", "cannot be read"),
        (b"\x1f\x8b\x08broken", "cannot be read"),
    ],
)
def test_a_file_of_the_wrong_form_is_refused_with_the_remedy(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(FileUnreadable, match=said.replace(".", r"\.")):
        records(tmp_path, content)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="does not exist"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(FileUnreadable, match="is a folder"):
        read(tmp_path)


def test_missing_columns_are_refused_with_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="no column when, where; it has who, what, note"):
        records(tmp_path, HEADER + b"ada,view,x\n", required=("who", "when", "where"))


def test_a_header_can_be_given_and_is_not_read_twice(tmp_path: Path) -> None:
    assert good(records(tmp_path, b"ada,view\n", header=("who", "what"))) == [["ada", "view"]]
    assert good(records(tmp_path, b"what,who\nview,ada\n", header=("who", "what"))) == [["view", "ada"]]
    with pytest.raises(FileUnreadable, match="no column who"):
        records(tmp_path, b"a,b,c\n1,2,3\n", header=("who", "what"), required=("who", "what"))


def test_progress_is_in_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(HEADER + b"ada,view,x\n" * 50_000)
    reading = read(path)
    places = [reading.done() for _ in reading]
    assert places == sorted(places)
    assert places[0] < reading.total / 2
    assert reading.done() == reading.total == path.stat().st_size


NUMBERS = st.from_regex(r"-?[0-9]{1,45}(\.[0-9]{0,45})?([eE][+-]?[0-9]{1,4})?", fullmatch=True).map(str.encode)
LINES = st.one_of(NUMBERS, files("segment"), files("ga4"), st.text().map(json.dumps).map(str.encode), st.binary())


@settings(max_examples=examples(200))
@given(LINES, st.sampled_from((b"", b" ", b"\r", b"\x00", b"1", b"}")))
def test_what_the_fast_parser_takes_means_the_same_to_json(text: bytes, after: bytes) -> None:
    line = text.partition(b"\n")[0] + after
    try:
        value = from_json(line, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        assume(False)
    assert repr(value) == repr(json.loads(line.decode().strip()))
