from __future__ import annotations

import pytest

from features.events import Channel
from features.sources.fields.channels import acquisition, referral


@pytest.mark.parametrize(
    ("source", "medium", "channel"),
    [
        ("(direct)", "(none)", Channel.DIRECT),
        ("direct", "", Channel.DIRECT),
        ("google", "organic", Channel.ORGANIC_SEARCH),
        ("duckduckgo.com", "referral", Channel.ORGANIC_SEARCH),
        ("google", "cpc", Channel.PAID_SEARCH),
        ("Bing", "PPC", Channel.PAID_SEARCH),
        ("unheard-of", "cpc", Channel.PAID_SEARCH),
        ("facebook", "cpc", Channel.PAID_SOCIAL),
        ("meta", "paid_social", Channel.PAID_SOCIAL),
        ("m.facebook.com", "referral", Channel.ORGANIC_SOCIAL),
        ("t.co", "referral", Channel.ORGANIC_SOCIAL),
        ("anything", "social", Channel.ORGANIC_SOCIAL),
        ("dfa", "cpm", Channel.DISPLAY),
        ("taboola", "paid-other", Channel.DISPLAY),
        ("spring", "email", Channel.EMAIL),
        ("newsletter", "", Channel.EMAIL),
        ("partners", "affiliate", Channel.AFFILIATE),
        ("sms", "", Channel.SMS),
        ("app", "mobile-push", Channel.PUSH),
        ("amazon.com", "referral", Channel.MARKETPLACE),
        ("blog.example", "referral", Channel.REFERRAL),
        ("", "", Channel.UNKNOWN),
        ("<Other>", "(data deleted)", Channel.UNKNOWN),
    ],
)
def test_source_and_medium_name_the_channel(source: str, medium: str, channel: Channel) -> None:
    assert acquisition(source, medium) is channel


@pytest.mark.parametrize(
    ("referrer", "channel"),
    [
        ("https://www.google.co.uk/search?q=lamp", Channel.ORGANIC_SEARCH),
        ("https://www.reddit.com/r/lamps", Channel.ORGANIC_SOCIAL),
        ("http://user@blog.example:8080/post", Channel.REFERRAL),
        ("https://shop.example/cart", None),
        ("https://checkout.shop.example/", None),
        ("", None),
        ("not a url", None),
        ("https://notgoogle.example/", Channel.REFERRAL),
    ],
)
def test_the_page_before_names_the_channel_unless_it_is_our_own(referrer: str, channel: Channel | None) -> None:
    assert referral(referrer, "https://www.shop.example/lamp") is channel
