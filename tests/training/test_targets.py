"""The catalogue of targets: chosen by name, declared without code, and documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.events import DAY, PURCHASE, Channel, Kind, any_of, days
from features.journey import Journey
from features.outcomes import Happens, HappensInVisit, Spends, VisitEnds
from training.targets import TARGETS, BadTarget, Calendar, InVisit, Target, UnknownTarget, chosen, targets
from training.targets.page import catalogue

COFFEE = """
[coffee_14d]
event = "PURCHASE"
within = "14 days"
scope = "days_since_last <= 90"
doc = "Will this customer order within a fortnight?"
prior = 0.1
"""


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of targets of an otherwise empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WAYPOST_TARGETS", raising=False)
    return tmp_path / "targets.toml"


@pytest.mark.usefixtures("declare")
def test_all_targets_are_trained_when_none_is_named() -> None:
    assert chosen(()) == list(TARGETS.values())
    assert [each.name for each in chosen(["churn_28d", "churn_28d"])] == ["churn_28d"]


@pytest.mark.usefixtures("declare")
def test_an_unknown_target_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        UnknownTarget, match=r"no target 'churn_29d'; there are conversion_7d, churn_28d.*targets\.toml"
    ):
        chosen(["churn_29d"])


def test_the_page_of_targets_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "targets.md"
    assert page.read_text(encoding="utf-8") == catalogue(), "run `python -m training.targets > docs/targets.md`"


def test_definitions_read_as_sentences() -> None:
    churn = TARGETS["churn_28d"]
    assert churn.definition == "no PURCHASE within 28 days after the cutoff"
    assert churn.scope_text == "customers with days_since_purchase <= 56"
    buys = TARGETS["conversion_7d"]
    assert buys.definition == "PURCHASE within 7 days after the cutoff"
    assert buys.scope_text == "customers with days_since_last <= 90"


def test_every_form_and_every_moment_is_in_the_catalogue() -> None:
    forms = {name: target.form for name, target in TARGETS.items() if target.form != "probability"}
    assert forms == {"next_stage_28d": "stage", "lifetime_value_90d": "amount"}
    visits = [name for name, target in TARGETS.items() if target.timing == InVisit()]
    assert visits == ["session_conversion", "exit_intent"]
    assert len(TARGETS) == 13


def test_a_question_about_the_visit_is_asked_within_visits() -> None:
    with pytest.raises(TypeError, match=r"leaves asks about the open visit; expected timing=InVisit\(\)"):
        Target("leaves", VisitEnds(), Journey.sessions_ever > 0, "", 0.5)


def test_a_shop_declares_targets_of_its_own(declare: Path) -> None:
    declare.write_text(
        COFFEE
        + """
[silent]
event = ["PURCHASE", "REVIEW"]
channels = ["STORE"]
within = "minimum(2 * purchase_gap_mean, 56)"
happens = false
scope = "(purchases_ever >= 2) & (not (lapsing == 1))"
doc = "Silence."
prior = 0.4
[unhappy]
event = "SURVEY_NPS"
within = "36 hours"
score_at_most = 6
scope = "purchases_ever > 0"
doc = "A detractor."
prior = 0.05
[subscribes_now]
event = "SUBSCRIBE"
in_visit = true
scope = "session_depth >= 1"
doc = "A subscription in this visit."
prior = 0.02
[spend_7d]
event = "PURCHASE"
spends = true
within = "7 days"
scope = "purchases_ever > 0"
doc = "Money."
prior = 12
"""
    )
    known = targets()
    assert list(known) == [*TARGETS, "coffee_14d", "silent", "unhappy", "subscribes_now", "spend_7d"]
    coffee, silent, unhappy, subscribes, spend = chosen(list(known)[len(TARGETS) :])
    assert coffee.outcome == Happens(PURCHASE.selection, days(14)) and coffee.timing == Calendar()
    assert coffee.doc == "Will this customer order within a fortnight?" and coffee.prior == 0.1
    assert coffee.scope_text == "customers with days_since_last <= 90"
    assert isinstance(silent.outcome, Happens) and not silent.outcome.expected
    assert silent.outcome.selection == any_of(Kind.PURCHASE, Kind.REVIEW).on(Channel.STORE)
    assert silent.horizon == 56 * DAY
    assert str(silent.scope).endswith("& (minimum(2 * purchase_gap_mean, 56) > 0)")
    assert unhappy.outcome == Happens(Kind.SURVEY_NPS.selection, days(1.5), score_at_most=6)
    assert subscribes.outcome == HappensInVisit(Kind.SUBSCRIBE.selection) and subscribes.timing == InVisit()
    assert spend.outcome == Spends(PURCHASE.amount, days(7)) and spend.prior == 12.0


def test_the_environment_says_where_targets_are_declared(declare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = declare.with_name("elsewhere.toml")
    place.write_text(COFFEE)
    monkeypatch.setenv("WAYPOST_TARGETS", str(place))
    assert "coffee_14d" in targets()
    place.unlink()
    with pytest.raises(BadTarget, match=r"WAYPOST_TARGETS is .*elsewhere\.toml, which does not exist"):
        targets()
    place.mkdir()
    with pytest.raises(BadTarget, match=r"elsewhere\.toml cannot be read \(Is a directory\); expected a file"):
        targets()


@pytest.mark.parametrize(
    ("said", "instead", "told"),
    [
        ("[coffee_14d]", "coffee = 3\n[coffee_14d]", r"coffee = 3 stands alone; expected a table \[coffee\]"),
        ("[coffee_14d]", "[Coffee]", r"\[Coffee\]: expected a name of its own of small letters"),
        ("[coffee_14d]", "[churn_28d]", r"\[churn_28d\]: expected a name of its own"),
        ("[coffee_14d]", "[_coffee]", r"\[_coffee\]: expected a name of its own of small letters"),
        ("[coffee_14d]", '["kaffee_für_14"]', "expected a name of its own of small letters"),
        ("[coffee_14d]", "[recommender]", r"\[recommender\]: expected a name of its own"),
        ("[coffee_14d]", "[coffee_14d", "is not TOML"),
        ("prior = 0.1", "prior = 0.1\nwhy = 1", "there is no field 'why'; there are event, within"),
        ("prior = 0.1", "", r"no prior; expected a number: a probability above 0"),
        ("prior = 0.1", "prior = 1.5", r"prior = 1\.5; expected a number: a probability above 0"),
        ("prior = 0.1", "prior = true", "prior = True; expected a number"),
        ('"PURCHASE"', '"PURCHASED"', "event names 'PURCHASED'; expected of PAGE_VIEW, "),
        ('"PURCHASE"', "[]", r"event = \[\]; expected the name of an event"),
        ('event = "PURCHASE"', "", "no event; expected the name of an event"),
        ('"14 days"', '"14 moons"', "within = '14 moons'; expected a duration such as"),
        ('"14 days"', '"0 days"', "within = '0 days'; expected a duration such as"),
        ('"14 days"', '"purchase_gap_mean"', "within = 'purchase_gap_mean'; expected .* with a bound"),
        ('"14 days"', '"0 days"\nspends = true', "within = '0 days'; expected a duration such as"),
        ('"14 days"', '"² days"', "within = '² days'; expected a duration such as"),
        ('"14 days"', '"601 days"', "within = '601 days'; expected .* at most 600 days"),
        ('"14 days"', '"minimum(purchase_gap_mean, 601)"', "within = .* in all at most 600 days"),
        ('"14 days"', "14", "within = 14; expected a duration such as"),
        ('"PURCHASE"', '[["PURCHASE"]]', r"event names \['PURCHASE'\]; expected of PAGE_VIEW, "),
        ("prior = 0.1", "prior = nan", "prior = nan; expected a number"),
        ("prior = 0.1", "prior = 0.1\nscore_at_most = nan", "score_at_most = nan; expected a number"),
        ('"days_since_last <= 90"', '"days_since_last"', "scope = 'days_since_last'; expected a condition over"),
        ('"days_since_last <= 90"', '"days_since_last <= 1e999"', "scope = .*; expected a condition over"),
        ('"days_since_last <= 90"', '"days_since <= 90"', "names days_since; expected features of docs/features.md"),
        ('"days_since_last <= 90"', '"a < b < c"', "scope = 'a < b < c'; expected a condition over features"),
        ("prior = 0.1", 'prior = 0.1\nhappens = "no"', "happens = 'no'; expected true or false"),
        ("prior = 0.1", "prior = 0.1\nin_visit = true", "within = '14 days' beside in_visit = true; leave one out"),
        ("prior = 0.1", "prior = 0.1\nspends = true\nhappens = true", "happens = True beside spends = true"),
        ("prior = 0.1", 'prior = 0.1\nchannels = ["MARS"]', "channels names 'MARS'; expected of UNKNOWN, WEB"),
        ('doc = "Will this customer order within a fortnight?"', 'doc = " "', "doc = ' '; expected a sentence"),
    ],
)
def test_a_bad_entry_is_refused_by_name_and_field(declare: Path, said: str, instead: str, told: str) -> None:
    assert said in COFFEE
    declare.write_text(COFFEE.replace(said, instead))
    with pytest.raises(BadTarget, match=rf"^targets\.toml.*{told}"):
        targets()
