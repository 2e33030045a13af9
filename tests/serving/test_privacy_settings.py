"""What the environment says of personal fields."""

from __future__ import annotations

import pytest

from features.sources.fields.privacy import DEFAULT, Privacy
from serving.settings import BadSetting, read_settings


def test_a_shop_that_says_nothing_keeps_what_everybody_keeps() -> None:
    assert read_settings({}).privacy == DEFAULT


def test_names_are_separated_by_commas_and_the_key_stays_hidden() -> None:
    settings = read_settings(
        {
            "WAYPOST_KEEP_PROPERTIES": "gift, store_visit,,",
            "WAYPOST_HASH_PROPERTIES": "email",
            "WAYPOST_PRIVACY_KEY": "sixteen letters!",
        }
    )
    assert settings.privacy == Privacy(("gift", "store_visit"), ("email",), b"sixteen letters!")
    assert "sixteen" not in repr(settings)


@pytest.mark.parametrize("key", ["", "short"])
def test_digests_need_a_key_that_cannot_be_guessed(key: str) -> None:
    with pytest.raises(BadSetting, match=rf"WAYPOST_PRIVACY_KEY .* it has {len(key)}; .*openssl rand"):
        read_settings({"WAYPOST_HASH_PROPERTIES": "email", "WAYPOST_PRIVACY_KEY": key})
