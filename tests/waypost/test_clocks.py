"""A log of the past is served as if it ended now, at every start, when somebody said so; else what is wrong is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.events import DAY, Event, Kind
from features.log import open_log
from waypost import clocks, places
from waypost.console import UsageProblem
from waypost.server import server_environment, set_clock

NOW = 1_780_000_000_000_000
YEARS = 3_000 * DAY


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store whose newest event is years old."""
    monkeypatch.setenv("WAYPOST_BUNDLE", str(tmp_path / "champion"))
    monkeypatch.delenv(clocks.VARIABLE, raising=False)
    for module in (clocks, places):
        monkeypatch.setattr(module, "clock", lambda: NOW)
    url = f"sqlite:///{tmp_path}/waypost.db"
    log = open_log(url, create=True)
    log.append([Event("m", "ada", Kind.PURCHASE, NOW - YEARS, NOW - YEARS)], history=True)
    log.close()
    return url


def test_a_log_that_ended_long_ago_is_told_and_the_option_offered(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_clock(store, None)
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith(
        "the newest event is 3,000 days old, more than the longest horizon of 90 days: everybody has"
    )
    assert "`waypost serve --as-of-last-event`" in told
    assert clocks.VARIABLE not in server_environment(store, None)


def test_the_log_ends_now_at_every_start_until_the_true_time_is_asked_for(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_clock(store, True)
    for _ in range(2):
        assert float(server_environment(store, None)[clocks.VARIABLE]) == -3_000
        assert clocks.server_clock(store) == NOW - YEARS
        assert "set back 3,000.0 days" in " ".join(capsys.readouterr().out.split())
        set_clock(store, None)
    log = open_log(store, create=False)
    log.append([Event("n", "ada", Kind.LOGIN, NOW - YEARS + DAY, NOW - YEARS + DAY)])
    log.close()
    assert float(server_environment(store, None)[clocks.VARIABLE]) == -2_999  # it goes on from the newest event
    set_clock(store, False)
    assert clocks.VARIABLE not in server_environment(store, None)


def test_what_the_environment_says_of_the_clock_wins(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks.set_ends_now(store, True)
    monkeypatch.setenv(clocks.VARIABLE, "-1.5")
    assert clocks.shift(store) == -1.5 * DAY


def test_a_log_that_goes_on_says_nothing(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "clock", lambda: NOW - YEARS + 89 * DAY)
    assert clocks.notice(store) == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"as_of_last_event": null}'])
def test_a_damaged_choice_is_an_error_that_says_what_to_do(store: str, text: str) -> None:
    places.bundle_folder().parent.joinpath("clock.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"clock.json is damaged; expected .* `waypost serve --as-of-last-event`"):
        set_clock(store, None)
