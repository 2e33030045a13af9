"""waypost ask: what people see, what machines get, the customers behind a number, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from features.events import DAY, HOUR, Channel, Event, Kind
from features.log import open_log
from tests.house.tree import ROOT
from waypost import app

NOW = 1_780_000_000_000_000
FUNNEL = "funnel ITEM_VIEW > CART_ADD on APP > PURCHASE within 2 days"

BUYERS = (
    "funnel ITEM_VIEW > CART_ADD within 1 day, of customers with PURCHASE, compared with customers without PURCHASE"
)

Run = Callable[..., Result]


@pytest.fixture
def waypost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line over a shop: 40 view, 36 of them add to the cart, 9 of those buy; one withdraws."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAYPOST_STORE", "sqlite:///waypost.db")
    acts = [(Kind.ITEM_VIEW, 40), (Kind.CART_ADD, 36), (Kind.PURCHASE, 9)]
    events = [
        Event(f"{kind.name}-{who}", f"c{who:02}", kind, NOW + place * HOUR, NOW + place * HOUR, Channel.APP)
        for place, (kind, number) in enumerate(acts)
        for who in range(number)
    ]
    events.append(Event("first", "c98", Kind.PAGE_VIEW, NOW - 200 * DAY, NOW - 200 * DAY))
    events.append(Event("gone", "c00", Kind.CONSENT_WITHDRAW, NOW + DAY, NOW + DAY))
    events.append(Event("last", "c99", Kind.PAGE_VIEW, NOW + DAY, NOW + DAY))
    with closing(open_log(tmp_path / "waypost.db")) as log:
        log.append(events, history=True)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_a_funnel_is_a_table_and_json(waypost: Run) -> None:
    told = json.loads(waypost("ask", FUNNEL, "--json").stdout)
    assert told["question"] == FUNNEL
    first, second, third = told["rows"]
    assert (first["customers"], second["customers"], third["customers"]) == (39, 35, 8)
    assert (first["share"], first["left"], first["in_time"], second["left"], second["in_time"]) == (None, 0, 4, 0, 27)
    assert (third["left"], third["in_time"]) == (None, None)
    short = json.loads(waypost("ask", FUNNEL.replace("2 days", "3 hours"), "--json").stdout)["rows"]
    assert [(row["in_time"], row["left"]) for row in short[:2]] == [(0, 4), (0, 27)]
    assert second["share_low"] < second["share"] == 35 / 39 < second["share_high"]
    assert third["median_seconds"] == 7200
    printed = waypost("ask", FUNNEL).stdout
    assert "CART_ADD on APP" in printed and "1:left" in printed


@pytest.mark.parametrize(
    ("question", "place", "number"),
    [
        (FUNNEL, "3", 8),
        (FUNNEL, "2:in_time", 27),
        (FUNNEL.replace("2 days", "3 hours"), "2:left", 27),
        ("transitions of ITEM_VIEW or CART_ADD or PURCHASE within 1 day", "CART_ADD:PURCHASE", 8),
        ("retention of ITEM_VIEW by PURCHASE for 2 weeks", "2026-05-25:0", 8),
        ("retention of ITEM_VIEW by PURCHASE for 2 weeks", "2026-05-25", 39),
        (FUNNEL + ", by channel", "APP/3", 8),
        (FUNNEL + ", of customers without PURCHASE, in visits of 3 hours, by week", "2026-05-25/2:left", 27),
        (BUYERS, "2:of", 8),
        (BUYERS, "other/2:of", 31),
    ],
)
def test_the_customers_behind_a_number_are_as_many_as_it_says(
    waypost: Run, question: str, place: str, number: int
) -> None:
    names = waypost("ask", question, "--who", place).stdout.split()
    assert len(names) == number == len(set(names)) and "c00" not in names


def test_a_comparison_is_a_table_and_json(waypost: Run) -> None:
    fields = json.loads(waypost("ask", BUYERS.replace("with PURCHASE", "with ITEM_VIEW"), "--json").stdout)
    (row,) = fields["rows"]
    assert (row["customers"], row["of"], row["other_customers"], row["other_of"]) == (35, 39, 27, 31)
    assert row["difference_low"] < 0 < row["difference_high"] and row["change"] == "no clear change"
    assert any("Conditions look at the whole period" in note for note in fields["notes"])
    assert "no clear change" in " ".join(
        waypost("ask", BUYERS.replace("with PURCHASE", "with ITEM_VIEW")).stdout.split()
    )


def test_of_few_customers_no_share_is_given(waypost: Run) -> None:
    rows = json.loads(waypost("ask", "funnel PURCHASE > CART_ADD within 1 day", "--json").stdout)["rows"]
    assert [(row["customers"], row["share"]) for row in rows] == [(8, None), (0, None)]


def test_what_is_not_over_is_not_known(waypost: Run) -> None:
    (row,) = json.loads(waypost("ask", "retention of ITEM_VIEW by PURCHASE for 2 weeks", "--json").stdout)["rows"]
    assert (row["week_of"], row["customers"], row["week_0"], row["week_1"]) == ("2026-05-25", 39, None, None)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((FUNNEL, "--who", "3:left"), "there is no step '3:left'; expected 1 to 3, or 1:left to 2:left"),
        ((FUNNEL, "--who", "1:"), "there is no step '1:'"),
        ((FUNNEL, "--who", "1", "--json"), "leave one of --who and --json out"),
        ((FUNNEL, "--who", "\u0662:left"), "there is no step"),
        ((FUNNEL, "--who", "1" * 5000), "there is no step"),
        (("retention of ITEM_VIEW by PURCHASE for 2 weeks", "--who", "2026-05-25:01"), "there is no cell"),
        (("retention of ITEM_VIEW by PURCHASE for 2 weeks", "--who", "2026-05-25:" + "1" * 5000), "there is no cell"),
        (("funnel ITEM_VIEW > BUY within 2 days",), "there is no kind 'BUY'"),
        ((FUNNEL, "--who", "9"), "there is no step '9'; expected 1 to 3"),
        (("transitions of PURCHASE within 1 day", "--who", "PURCHASE"), "there is no transition 'PURCHASE'"),
        (("retention of SIGN_UP by PURCHASE for 2 weeks", "--who", "2026-05-25:2"), "there is no cell"),
    ],
)
def test_what_cannot_be_answered_says_why(waypost: Run, words: tuple[str, ...], fault: str) -> None:
    result = waypost("ask", *words)
    assert result.exit_code == 2
    assert fault in " ".join(re.sub("[│╭╮╰╯─]", " ", result.output).split())


def test_the_questions_of_the_page_are_questions(waypost: Run) -> None:
    page = (ROOT / "docs" / "howto" / "questions.md").read_text(encoding="utf-8")
    questions = re.findall(r'waypost ask "([^"]+)"', page)
    assert len(questions) >= 12
    for question in questions:
        assert waypost("ask", question, "--json").exit_code == 0, question
