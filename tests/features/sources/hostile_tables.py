"""CSV as spreadsheets, broken exports and disks make it: good rows with something wrong in a few of them."""

from __future__ import annotations

import math
from typing import NamedTuple

import pyarrow as arrow
from hypothesis import strategies as st


class Shape(NamedTuple):
    """A kind of table: how its rows are read, and good values of each column."""

    source: str
    """The name of a source, or `mapping`."""
    columns: dict[str, tuple[str, ...]]
    mapping: str = ""
    delimiter: str = ","


_CUSTOMERS = ("7001", "ada", "u-9", "541312140", "00000000-8bb3-4e00-8c23-a032dfed738c", "B 7")
_DAYS = ("2026-03-01", "2025-12-31", "2024-02-29", "1999-01-01")
_SECONDS = tuple(f"{day}{time}" for day in _DAYS for time in (" 08:00:00 UTC", "T23:59:59Z", " 00:00:01", ""))
_MONEY = ("24.90", "0", "1081.98", "5", "0.1", "3.", "123456789012.345", "99999999999999")
_SESSIONS = ("00000000-8bb3-4e00-8c23-a032dfed738c", "s-1", "s 2")
_SHOP = """
name = "shop"
properties = ["store", "currency", "note"]
[columns]
customer = "who"
at = "day"
kind = "what"
item = "sku"
category = "part"
quantity = "pieces"
amount = "money"
order_id = "order"
score = "stars"
channel = "via"
[kinds]
sale = "PURCHASE"
look = "ITEM_VIEW"
star = "REVIEW"
join = "IDENTIFY"
"*" = "SKIP"
"""
_SHOP_COLUMNS = {
    "who": _CUSTOMERS,
    "day": _SECONDS,
    "what": ("sale", "look", "star", "join", "noise"),
    "sku": ("9001", "A-1", ""),
    "part": ("lamps", "home.lamps", ""),
    "pieces": ("1", "2", ""),
    "money": _MONEY,
    "order": ("o-1", "o-2", ""),
    "stars": ("5", "1", ""),
    "via": ("EMAIL", "web", ""),
    "store": ("north", ""),
    "currency": ("EUR", "EUR", "usd", ""),
    "note": ("fine", ""),
}
_COMPOSED = """
name = "hits"
message_id = "{who}-{visit}"
delimiter = ";"
[columns]
customer = "who"
at = "time"
message_id = "id"
amount = "money"
item = "sku"
[constants]
kind = "PURCHASE"
channel = "WEB"
quantity = 2
[units]
at = "ms"
decimal = ","
[patterns]
item = '\\d+'
[where]
test = false
"""
_COMPOSED_COLUMNS = {
    "who": _CUSTOMERS,
    "time": ("1772352000000", "1772352000123", "1511600000000"),
    "id": ("", "", "m-1", "m-2", "m-3"),
    "visit": ("1", "2", "é"),
    "money": ("12,50", "1.234,50", "7", ""),
    "sku": ("9001", "31", "A-1"),
    "test": ("false", "False", "true", "0"),
}
_EUROPEAN = """
name = "kasse"
encoding = "cp1252"
properties = ["url"]
[columns]
customer = "Kunde"
at = "Datum"
amount = "Cent"
[constants]
kind = "PURCHASE"
item = "basket"
[units]
at = "%d.%m.%Y %H:%M"
time_zone = "Europe/Paris"
amount = 0.01
"""
_EUROPEAN_COLUMNS = {
    "Kunde": _CUSTOMERS,
    "Datum": ("01.03.2026 08:00", "29.02.2024 23:59", "31.12.2025 12:30"),
    "Cent": ("4980", "1", "12.5", ""),
    "url": ("/a", "/a?b=c", "https://shop.example/x", ""),
}
_REES46 = {
    "event_time": _SECONDS,
    "event_type": ("view", "cart", "remove_from_cart", "purchase", "purchase"),
    "product_id": ("9001", "31500053"),
    "category_id": ("2053013558920217191", ""),
    "category_code": ("home.lighting.lamp", "", ""),
    "brand": ("lumo", "", "kärcher"),
    "price": _MONEY,
    "user_id": _CUSTOMERS,
    "user_session": _SESSIONS,
}
_TAOBAO = {
    "user_id": _CUSTOMERS,
    "item_id": ("5001", "7"),
    "category_id": ("70", ""),
    "behavior_type": ("pv", "fav", "cart", "buy", "buy"),
    "timestamp": ("1511600000", "1511600001", "1600000000"),
}

SHAPES = {
    "rees46": Shape("rees46", _REES46),
    "rees46 with tabs": Shape("rees46", _REES46, delimiter="\t"),
    "taobao": Shape("taobao", _TAOBAO),
    "taobao with a window": Shape("taobao", {**_TAOBAO, "in_window": ("True", "true", "False", "0")}, delimiter="|"),
    "shop": Shape("mapping", _SHOP_COLUMNS, _SHOP),
    "composed": Shape("mapping", _COMPOSED_COLUMNS, _COMPOSED, ";"),
    "European": Shape("mapping", _EUROPEAN_COLUMNS, _EUROPEAN, ";"),
}
"""The tables that are tried."""

_WRONG = (
    "", " ", "  7001 ", "\u00a07001", "null", "undefined", "Anonymous", "-1", "0000-0", "{{user.id}}", "{7}", "<id>",
    "a@b.example", "x" * 300, "1,234", "1.234", "12.345", "1,234.5", "$5.00", "1e3", "1e999", "nan", "-3", "-0", "0x1",
    "1_000", ".5", "5.", "1.2.3", "9999999999999999999999", "12345678901234567", "2026-02-30", "2026-13-01 00:00:00",
    "2999-01-01", "2027-01-15 12:00:00 UTC", "1970-01-01", "1511600000.5", "99999999999", "1e10", "yesterday", "UTC",
    "20260301", "2026-03-01T08:00:00+02:00", "2026-03-01 24:00:00", "2026-03-01 08:00", "١٢", "é", "zürich ", "\u2028",
    "🙂", "a\\b", "50%", "a?b#c", "\x00", "a\x00b", "\x7f", "\x1f", "\r", "a\rb", "VIEW", "view ", "DECISION", "EUR ",
    "true", "12,50 €", "\ufeff7001",
)  # fmt: skip
_ENDS = ("\n", "\n", "\n", "\r\n", "\r\r\n", "\n\n", "\r\n\r\n", "\r\n \n")
_BROKEN = ('"', 'a"b', '"a', '6" tv', ' "a"', '"a"b', '""', '"a""b"', '"a,b;c|d\te"', '"a\nb"', '"a\r\nb"', '"\n\n"')


@st.composite
def _line(draw: st.DrawFn, shape: Shape, pools: dict[str, tuple[str, ...]]) -> str:
    """A row of the table, as its text."""
    wrong = draw(st.integers(0, 9))
    values = [draw(st.sampled_from(pool)) for pool in pools.values()]
    for _ in range(max(0, wrong - 7)):
        place = draw(st.integers(0, len(values) - 1))
        values[place] = draw(st.sampled_from(_WRONG) | st.sampled_from(_BROKEN) | st.text(max_size=4))
    if wrong == 9 and draw(st.booleans()):
        values = values[: draw(st.integers(0, len(values)))] + ["more"] * draw(st.integers(0, 2))
    if draw(st.integers(0, 4)) == 0:
        values = [value if '"' in value else f'"{value}"' for value in values]
    return shape.delimiter.join(values)


@st.composite
def tables(draw: st.DrawFn, shape: Shape) -> bytes:
    """A file of this shape."""
    pools = {name: tuple(draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3)))
             for name, pool in shape.columns.items()}  # fmt: skip
    few = draw(st.lists(_line(shape, pools), min_size=1, max_size=8))
    lines = draw(st.lists(st.sampled_from(few), min_size=1, max_size=20))
    headed = shape.source != "taobao" or "in_window" in shape.columns or draw(st.booleans())
    header = [shape.delimiter.join(shape.columns)] if headed else []
    text = "".join(line + draw(st.sampled_from(_ENDS)) for line in [*header, *lines])
    raw = text.encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        raw = raw.rstrip(b"\r\n")
    for _ in range(draw(st.integers(0, 2)) if draw(st.integers(0, 3)) == 0 else 0):
        at = draw(st.integers(min(len(raw), len(header[0]) + 1) if header else 0, len(raw)))
        raw = raw[:at] + draw(st.sampled_from((b"\xff", b"\xe9", b"\xc3", b"\xed\xa0\x80", b'"', b"\n"))) + raw[at:]
    return (b"\xef\xbb\xbf" if draw(st.integers(0, 5)) == 0 else b"") + raw


def _values(kind: arrow.DataType, pool: tuple[str, ...]) -> st.SearchStrategy[object]:
    """Values of a type, good ones and others."""
    if arrow.types.is_large_string(kind) or arrow.types.is_dictionary(kind):
        return st.sampled_from(pool) | st.sampled_from(_WRONG) | st.text(max_size=4)
    if arrow.types.is_integer(kind):
        return st.integers(-5, 40) | st.sampled_from((7001, 1_511_600_000, 20_191_001, 2**31 - 1))
    if arrow.types.is_floating(kind):
        return st.sampled_from((24.9, 5.0, 0.1, -0.0, -3.0, 1.234, 1e16, math.nan, math.inf)) | st.floats(
            0, 100, width=32
        )
    if arrow.types.is_boolean(kind):
        return st.booleans()
    if arrow.types.is_timestamp(kind):
        return st.sampled_from((1_772_352_000, 1_511_600_000, 0, 1_800_000_500, 4_000_000_000, -1)).map(
            lambda seconds: seconds * {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[kind.unit]
        )
    return st.dates()


_TYPES = (
    *[arrow.large_string()] * 4, arrow.dictionary(arrow.int32(), arrow.large_string()), arrow.int32(), arrow.int64(),
    arrow.float64(), arrow.float32(), arrow.bool_(), arrow.timestamp("us"), arrow.timestamp("ns"),
    arrow.timestamp("s", tz="UTC"), arrow.timestamp("ms", tz="Europe/Paris"), arrow.date32(),
)  # fmt: skip


@st.composite
def typed_tables(draw: st.DrawFn, shape: Shape) -> arrow.Table:
    """A table of this shape in which a few columns have types."""
    rows = draw(st.integers(1, 12))
    typed = draw(st.lists(st.sampled_from(sorted(shape.columns)), max_size=4))
    columns = {}
    for name, pool in shape.columns.items():
        kind = draw(st.sampled_from(_TYPES)) if name in typed else arrow.large_string()
        few = st.sampled_from(pool) if name not in typed else st.none() | _values(kind, pool)
        columns[name] = arrow.array(draw(st.lists(few, min_size=rows, max_size=rows)), kind)
    return arrow.table(columns)
