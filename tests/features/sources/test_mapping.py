from __future__ import annotations

import math
from pathlib import Path

import pytest

from features.events import Channel, Event, Kind
from features.sources import MappingInvalid, load_mapping
from features.sources.fields.times import instant
from tests.features.sources.ledger import NOW, Ledger, refused, take

START = """
name = "shop"
[columns]
customer = "who"
at = "when"
kind = "what"
"""


def mapped(tmp_path: Path, toml: str, table: str) -> Ledger:
    (tmp_path / "shop.toml").write_text(toml)
    (tmp_path / "table").write_text(table)
    return take(tmp_path / "table", "mapping", tmp_path / "shop.toml")[1]


def only(tmp_path: Path, toml: str, table: str) -> Event:
    ledger = mapped(tmp_path, toml, table)
    assert ledger.letters == []
    (event,) = ledger.events
    return event


def test_our_own_names_need_no_table(tmp_path: Path) -> None:
    event = only(tmp_path, START, "who,when,what\nada,2026-03-01T12:00:00Z,Item_View\n")
    assert (event.customer, event.kind, event.at) == ("ada", Kind.ITEM_VIEW, instant("2026-03-01T12:00:00Z", "at"))


def test_units_of_money_pieces_and_time(tmp_path: Path) -> None:
    toml = START + 'amount = "cents"\nquantity = "dozens"\n[units]\namount = 0.01\nquantity = 12\n'
    toml += 'at = "%d.%m.%Y %H:%M"\ntime_zone = "Europe/Paris"\n'
    event = only(tmp_path, toml, "who,when,what,cents,dozens\nada,01.03.2026 13:00,CART_ADD,1250,0.5\n")
    assert (event.amount, event.quantity, event.at) == (12.5, 6, instant("2026-03-01T12:00:00Z", "at"))


def test_names_of_kinds_and_channels(tmp_path: Path) -> None:
    toml = START + 'channel = "via"\n[kinds]\nlook = "ITEM_VIEW"\nping = "SKIP"\n"*" = "OTHER"\n'
    toml += '[channels]\n"Social" = "ORGANIC_SOCIAL"\n"*" = "REFERRAL"\n'
    table = "who,when,what,via\n" + "".join(
        f"ada,2026-03-01,{what},{via}\n"
        for what, via in [("look", "Social"), ("ping", ""), ("dance", "blog"), ("look", "")]
    )
    ledger = mapped(tmp_path, toml, table)
    assert [(event.kind, event.channel) for event in ledger.events] == [
        (Kind.ITEM_VIEW, Channel.ORGANIC_SOCIAL),
        (Kind.OTHER, Channel.REFERRAL),
        (Kind.ITEM_VIEW, Channel.UNKNOWN),
    ]


def test_without_a_star_an_unknown_name_is_a_fault(tmp_path: Path) -> None:
    ledger = mapped(tmp_path, START + '[kinds]\nlook = "ITEM_VIEW"\n', "who,when,what\nada,2026-03-01,dance\n")
    assert [(letter.field, letter.position) for letter in ledger.letters] == [("what", 2)]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("where = { flag = true }", ["a", "b"]),
        ("where = { flag = false }", ["c"]),
        ('where = { flag = "*" }', ["a", "b", "c"]),
        ('where = { flag = ["TRUE", ""] }', ["a", "b", "d"]),
        ("where = { size = 5 }", ["a"]),
    ],
)
def test_records_can_be_left_out(tmp_path: Path, where: str, kept: list[str]) -> None:
    table = "who,when,what,flag,size\na,2026-03-01,LOGIN,true,5\nb,2026-03-01,LOGIN,True,6\n"
    table += "c,2026-03-01,LOGIN,false,7\nd,2026-03-01,LOGIN,,\n"
    ledger = mapped(tmp_path, where + START, table)
    assert [event.customer for event in ledger.events] == kept


def test_a_value_that_does_not_fit_its_pattern_is_absent(tmp_path: Path) -> None:
    toml = "patterns = { item = '\\d+' }" + START + 'item = "ref"\n'
    ledger = mapped(tmp_path, toml, "who,when,what,ref\na,2026-03-01,SEARCH,lamps\nb,2026-03-01,SEARCH,77\n")
    assert [event.item for event in ledger.events] == [None, "77"]


def test_constants_and_properties(tmp_path: Path) -> None:
    toml = 'name = "s"\nproperties = ["note"]\nconstants = { kind = "PURCHASE", channel = "WEB" }\n'
    toml += 'columns = { customer = "who", at = "when" }\n'
    ledger = mapped(tmp_path, toml, "who,when,note\na,2026-03-01,hi\nb,2026-03-01,\n")
    assert [(event.kind, event.channel, dict(event.properties)) for event in ledger.events] == [
        (Kind.PURCHASE, Channel.WEB, {"note": "hi"}),
        (Kind.PURCHASE, Channel.WEB, {}),
    ]


def test_a_purchase_of_an_item_makes_its_line(tmp_path: Path) -> None:
    toml = START + 'item = "sku"\namount = "price"\norder_id = "order"\n'
    ledger = mapped(tmp_path, toml, "who,when,what,sku,price,order\na,2026-03-01,PURCHASE,lamp,5,o-1\n")
    order, line = ledger.events
    assert (order.kind, order.item, order.amount) == (Kind.PURCHASE, None, 5)
    assert (line.kind, line.item, line.amount, line.order_id) == (Kind.PURCHASED_ITEM, "lamp", 5, "o-1")


def test_message_ids_are_given_composed_or_made_of_the_content(tmp_path: Path) -> None:
    rows = "who,when,what,id\na,2026-03-01,LOGIN,7\na,2026-03-01,LOGIN,\n"
    given, made = mapped(tmp_path, START + 'message_id = "id"\n', rows).events
    assert given.message_id == "7"
    assert made.message_id.startswith("shop-")
    composed = mapped(tmp_path, 'message_id = "{who}/{id}"' + START, rows)
    assert [event.message_id for event in composed.events] == ["shop-a/7"]
    assert [letter.field for letter in composed.letters] == ["id"]
    (long,) = mapped(tmp_path, 'message_id = "{who}"' + START, f"who,when,what\n{'a' * 200},2026-03-01,LOGIN\n").events
    assert len(long.message_id) <= 100


def test_columns_reach_into_objects(tmp_path: Path) -> None:
    toml = 'name = "s"\nconstants = { kind = "LOGIN" }\ncolumns = { customer = "user.id", at = "meta.times.at" }\n'
    event = only(tmp_path, toml, '{"user":{"id":7},"meta":{"times":{"at":"2026-03-01"}}}\n')
    assert event.customer == "7"
    ledger = mapped(tmp_path, toml, '{"user":7,"meta":{"times":{"at":"2026-03-01"}}}\n')
    assert [letter.field for letter in ledger.letters] == ["user.id"]


def test_a_file_without_a_header_gets_one(tmp_path: Path) -> None:
    toml = 'header = ["who", "when", "what"]\ndelimiter = ";"' + START
    assert only(tmp_path, toml, "ada;2026-03-01;LOGIN\n").customer == "ada"


def test_numbers_of_survey_answers(tmp_path: Path) -> None:
    toml = START + 'score = "stars"\n'
    event = only(tmp_path, toml, "who,when,what,stars\nada,2026-03-01,REVIEW,4\n")
    assert event.score == 4
    assert math.isnan(event.amount)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("name = ", "is not TOML"),
        ('name = ["s"]', "name must be a text, got ['s']"),
        ('name = "s"', "[columns] must say which column is 'customer'"),
        ('columns = { customer = "a", at = "b" }', "a mapping has a name"),
        ('name = "s"\ncolumns = { customer = "a", at = "b" }', "kind is neither in [columns] nor in [constants]"),
        (START + 'prize = "p"', "[columns] has no 'prize'; expected amount, at"),
        ("colour = 1" + START, "unknown setting 'colour'"),
        ("kinds = 3" + START, "kinds must be a table, got 3"),
        (START + '[kinds]\nlook = "GAZE"', "unknown kind 'GAZE'"),
        (START + '[kinds]\nlook = "DECISION"', "written by Waypost itself"),
        (START + '[channels]\nx = "pigeon"', "unknown channel 'pigeon'"),
        (START + '[units]\nat = "fortnights"', "unknown unit of time 'fortnights'"),
        (START + '[units]\ntime_zone = "Mars/Olympus"', "unknown time zone 'Mars/Olympus'"),
        (START + '[units]\namount = "much"', "could not convert"),
        ("header = 3" + START, "header must be a list of texts, got 3"),
        ("properties = [3]" + START, "properties must be a list of texts, got [3]"),
        ('delimiter = "::"' + START, "delimiter must be one character, got '::'"),
        (START.replace("shop", "s" * 41), "at most 40 characters, got 41"),
        (START + "item = 3", "[columns] takes names of columns, got 3"),
        ("patterns = { customer = '(' }" + START, "missing ), unterminated subpattern"),
        ("patterns = { item = 'x' }" + START, "[patterns] names 'item', which [columns] does not fill"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_with_what_is_wrong(tmp_path: Path, toml: str, said: str) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(toml)
    with pytest.raises(MappingInvalid) as caught:
        load_mapping(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_the_example_of_the_howto_works(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "howto" / "import.md").read_text()
    toml = page.partition("```toml\n")[2].partition("```")[0]
    table = "client_no,sold_at,action,sku,department,pieces,cents,order,line,store,voucher,test_order\n"
    table += "7,01.03.2026 13:00,sale,lamp,lighting,2,4980,o-1,1,Lyon,,false\n"
    table += (
        "7,01.03.2026 13:00,sale,lamp,lighting,2,4980,o-2,1,Lyon,,true\n7,01.03.2026 13:00,walk,,,,,o-3,1,,,false\n"
    )
    order, line = mapped(tmp_path, toml, table).events
    assert (order.message_id, order.amount, order.order_id) == ("myshop-o-1-1", 49.8, "o-1")
    assert (order.at, dict(order.properties)) == (instant("2026-03-01T12:00:00Z", "at"), {"store": "Lyon"})
    assert (line.item, line.category, line.quantity) == ("lamp", "lighting", 2)


def test_a_missing_mapping_is_said(tmp_path: Path) -> None:
    with pytest.raises(MappingInvalid, match=r"no.toml cannot be read: No such file"):
        load_mapping(tmp_path / "no.toml")


def test_a_live_record_of_a_mapping_gets_an_id_too(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(START)
    source = load_mapping(tmp_path / "shop.toml")
    values = {"who": "ada", "when": "2026-03-01", "what": "LOGIN"}
    assert source.parse(values, NOW)[0].message_id == source.parse(dict(values), NOW)[0].message_id
    with refused("when"):
        source.parse({**values, "when": "never"}, NOW)
