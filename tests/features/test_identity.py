"""Which ids name nobody: the one table for every route and file."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.identity.rules import NOBODY, names_nobody
from features.sources import SOURCES
from tests.features.sources.ledger import NOW, refused, take

NONE = (
    "", " ", "0", "000", "-", "--", "-1", "00000000-0000-0000-0000-000000000000", "NULL", " Null ", "nan", "None",
    "N/A",
    "undefined", "guest", "Anonymous", "(not set)", "<nil>", "<no value>", "<user id>", "[object Object]",
    "[object Undefined]", "not_authenticated", "\\N", "{{user.id}}", "id-{{ id }}", "${user.id}", "#{id}", "<%= id %>",
    "{% id %}", "{user_id}", "[[id]]", "%USER_ID%", "*|EMAIL|*", '{"id": 5}',
    "{00000000-0000-0000-0000-000000000000}", "{6f9619ff}",
)  # fmt: skip
SOMEBODY = (
    "ada",
    "1",
    "10",
    "-10",
    "a-0",
    "[1]",
    "(abc)",
    "50%",
    "<3",
    "user{1",
    "0x0",
    "Guesty",
    "$5",
    "nobody@x.example",
    "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",
)


@pytest.mark.parametrize("identity", [*NONE, *sorted(NOBODY)])
def test_what_broken_senders_give_to_everybody_is_nobody(identity: str) -> None:
    assert names_nobody(identity)
    assert names_nobody(f" {identity.upper()} ")


@pytest.mark.parametrize("identity", SOMEBODY)
def test_other_ids_are_somebody(identity: str) -> None:
    assert not names_nobody(identity)


@pytest.mark.parametrize("identity", ["(not set)", "0", "{{id}}"])
def test_no_source_has_a_customer_who_is_nobody(identity: str) -> None:
    live = {"waypost": {"customer": identity, "kind": "LOGIN"}, "segment": {"type": "page", "userId": identity}}
    for name, values in live.items():
        with refused("customer" if name == "waypost" else "userId"):
            SOURCES[name].parse(values, NOW)


def test_orders_of_guests_under_one_number_are_told_and_nobodys(tmp_path: Path) -> None:
    mapping, file = tmp_path / "shop.toml", tmp_path / "orders.csv"
    mapping.write_text(
        'name = "shop"\nmessage_id = "{order}"\n[columns]\ncustomer = "who"\nat = "at"\namount = "total"\n'
        'order_id = "order"\n[constants]\nkind = "PURCHASE"\n'
    )
    rows = [f"{number},2026-03-0{number},{41 if number % 2 else 0},25.00" for number in range(1, 9)]
    file.write_text("\n".join(["order,at,who,total", *rows]))
    report, ledger = take(file, "mapping", mapping)
    assert (report.accepted, report.rejected, report.faults) == (4, 4, {"who": 4})
    assert {event.customer for event in ledger.events} == {"41"}
    assert "'0' names nobody" in ledger.letters[0].reason and ledger.letters[0].raw == rows[1].encode()
