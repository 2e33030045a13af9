"""Files as shop systems and spreadsheets really write them: read, or refused with what to do."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.events import Event
from features.sources import FileUnreadable
from features.sources.report import ImportReport
from tests.features.sources.ledger import Ledger, take
from waypost import app

ORDERS = """name = "shop"
message_id = "{order_id}"
[columns]
customer = "who"
at = "created"
amount = "total"
order_id = "order_id"
[constants]
kind = "PURCHASE"
"""
FIRST, SECOND = "1,2026-03-01 10:00:00,c-1", "2,2026-03-02 10:00:00,c-2"


def imported(
    folder: Path, content: bytes | str, mapping: str = ORDERS, name: str = "orders.csv"
) -> tuple[ImportReport, Ledger]:
    path, described = folder / name, folder / "shop.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    described.write_text(mapping)
    return take(path, "mapping", described)


def orders(ledger: Ledger) -> list[tuple[str | None, float]]:
    return [(event.order_id, event.amount) for event in ledger.events if event.kind.name == "PURCHASE"]


@pytest.mark.parametrize(
    "content",
    [
        f"order_id,created,who,total,,\n{FIRST},10.00,,\n{SECOND},20.00,,\n",
        f"sep=;\norder_id;created;who;total\n{FIRST},10.00\n{SECOND},20.00\n".replace(",", ";"),
        "\ufeff" + f"sep=,\norder_id,created,who,total\n{FIRST},10.00\n{SECOND},20.00\n",
        f'order_id,created,who,item,total\n{FIRST},Screen 5" black,10.00\n{SECOND},Case,20.00\n',
        'order_id;created;who;total;"Tax, EUR, net, local, 1"\n'
        + f"{FIRST},10.00,2\n{SECOND},20.00,2\n".replace(",", ";"),
        f"order_id,created,who,total\n{FIRST},$10.00\n{SECOND},20.00 €\n",
    ],
    ids=["empty columns", "sep", "sep behind a mark", "inches", "commas in the header", "currencies"],
)  # fmt: skip
def test_an_odd_table_is_read(tmp_path: Path, content: str) -> None:
    report, ledger = imported(tmp_path, content)
    assert (report.rejected, orders(ledger)) == (0, [("1", 10.0), ("2", 20.0)])


def test_the_field_that_is_not_utf8_is_named_and_a_mapping_can_say_the_encoding(tmp_path: Path) -> None:
    content = f'order_id,created,who,item,total\n{FIRST},"Stuhl, grün",10.00\n{SECOND},Tisch,20.00\n'.encode("cp1252")
    report, ledger = imported(tmp_path, content)
    assert (orders(ledger), report.faults) == ([("2", 20.0)], {"item": 1})
    assert 'encoding = "cp1252"' in ledger.letters[0].reason
    named = 'encoding = "cp1252"\n' + ORDERS.replace("[constants]", 'item = "item"\n[constants]')
    report, ledger = imported(tmp_path, content, named)
    assert orders(ledger) == [("1", 10.0), ("2", 20.0)]
    lines: list[Event] = [event for event in ledger.events if event.item]
    assert [event.item for event in lines] == ["Stuhl, grün", "Tisch"]


def test_a_mapping_says_how_numbers_are_written(tmp_path: Path) -> None:
    content = "order_id;created;who;total\n" + "".join(
        f"{number};2026-03-0{number};c;{total}\n" for number, total in enumerate(("12,50", "1.234,50", "1.234"), 1)
    )
    _, ledger = imported(tmp_path, content, ORDERS + '[units]\ndecimal = ","\n')
    assert [amount for _, amount in orders(ledger)] == [12.5, 1234.5, 1234.0]
    report, ledger = imported(tmp_path, content)
    assert [amount for _, amount in orders(ledger)] == [12.5, 1234.5]
    assert "can mean two numbers where other rows have commas" in report.examples[0]
    _, ledger = imported(tmp_path, content, ORDERS + '[units]\ndecimal = "."\n')
    assert [amount for _, amount in orders(ledger)] == [12.5, 1234.5, 1.234], "the shop has said so"


def test_rows_that_share_a_message_id_are_told(tmp_path: Path) -> None:
    content = f"order_id,created,who,item,total\n{FIRST},MUG,10.00\n{FIRST},BOWL,10.00\n{SECOND},MUG,20.00\n"
    report, _ = imported(tmp_path, content, ORDERS.replace("[constants]", 'item = "item"\n[constants]'))
    assert (report.accepted, report.duplicates, report.repeated) == (4, 2, 2)


def test_columns_with_points_and_places_in_objects_are_found(tmp_path: Path) -> None:
    mapping = 'name = "flat"\nproperties = ["trafficSource.medium"]\n[columns]\ncustomer = "user.id"\nat = "ts"\n'
    mapping += 'amount = "totals.revenue"\n[constants]\nkind = "PURCHASE"\n[units]\namount = 0.000001\n'
    table = "user.id,ts,totals.revenue,trafficSource.medium\n0131,2026-03-01T10:00:00Z,37860000,organic\n"
    nested = '{"user": {"id": "0131"}, "ts": "2026-03-01T10:00:00Z", "totals": {"revenue": 37860000}, '
    nested += '"trafficSource": {"medium": "organic"}}\n'
    for content in (table, nested):
        _, ledger = imported(tmp_path, content, mapping)
        (event,) = ledger.events
        assert (event.customer, event.amount) == ("0131", 37.86)
        assert dict(event.properties) == {"trafficSource.medium": "organic"}


def test_a_workbook_and_an_indented_document_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as book:
        book.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(FileUnreadable, match="is a workbook; save its sheet as CSV"):
        imported(tmp_path, (tmp_path / "book.xlsx").read_bytes())
    with pytest.raises(FileUnreadable, match=r"jq -c '\.orders"):
        imported(tmp_path, '{\n  "orders": [\n    {"id": 1}\n  ]\n}\n')


def test_an_import_that_accepts_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(ORDERS)
    path = tmp_path / "orders.csv"
    told = ["import", str(path), "--source", "mapping", "--map", str(tmp_path / "shop.toml")]
    told += ["--store", f"sqlite:///{tmp_path / 'log.db'}"]
    path.write_text("order_id,created,who,total\n1,soon,c-1,10.00\n")
    failed = CliRunner().invoke(app, told)
    assert failed.exit_code == 1
    assert "1 of 1 records were rejected" in failed.output + (failed.stderr or "")
    path.write_text(f"order_id,created,who,total\n{FIRST},10.00\n")
    for _ in range(2):
        assert CliRunner().invoke(app, told).exit_code == 0, "what is there already is no failure"
