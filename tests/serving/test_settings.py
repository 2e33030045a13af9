"""Settings: one table, every one documented, every wrong one refused by name."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from features.events import days
from serving.settings import SETTINGS, BadSetting, Settings, read_settings


def test_without_an_environment_the_defaults_hold() -> None:
    settings = read_settings({})
    assert settings.store == "sqlite:///data/waypost.db"
    assert settings.bundle == Path("data/champion")
    assert (settings.workers, settings.sweep_seconds, settings.clock_shift) == (2, 60.0, 0)


def test_every_setting_is_a_field_in_the_order_of_the_table() -> None:
    named = [setting.name.removeprefix("WAYPOST_").removesuffix("_DAYS").lower() for setting in SETTINGS]
    together = dict.fromkeys(("keep_properties", "hash_properties", "privacy_key"), "privacy")
    assert list(dict.fromkeys(together.get(name, name) for name in named)) == [field.name for field in fields(Settings)]
    assert all(setting.doc.endswith(".") for setting in SETTINGS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAYPOST_WORKERS", "many"),
        ("WAYPOST_WORKERS", "0"),
        ("WAYPOST_WORKERS", "1.5"),
        ("WAYPOST_SWEEP_SECONDS", "-1"),
        ("WAYPOST_SWEEP_SECONDS", "nan"),
        ("WAYPOST_BUSY_SECONDS", "inf"),
        ("WAYPOST_REQUESTS_PER_SECOND", "-5"),
        ("WAYPOST_ALLOWED_ORIGINS", "shop.example"),
        ("WAYPOST_ALLOWED_ORIGINS", "https://shop.example/page"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name) as caught:
        read_settings({name: value})
    assert value in str(caught.value)


def test_the_clock_can_be_moved_back() -> None:
    assert read_settings({"WAYPOST_CLOCK_SHIFT_DAYS": "-30.5"}).clock_shift == -days(30.5)


def test_origins_are_a_list() -> None:
    given = " https://shop.example, http://localhost:8080/,"
    assert read_settings({}).allowed_origins == ()
    assert read_settings({"WAYPOST_ALLOWED_ORIGINS": given}).allowed_origins == (
        "https://shop.example",
        "http://localhost:8080",
    )


def test_an_empty_variable_is_an_absent_one() -> None:
    assert read_settings({"WAYPOST_WORKERS": " "}).workers == 2
