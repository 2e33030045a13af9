from __future__ import annotations

from typing import Any

import pytest

from features.events import Kind
from features.identity.rules import identifies, joined
from features.sources.fields.consent import of_categories, of_traits
from features.sources.formats import measurement
from features.sources.formats.segment import parse
from tests.features.sources.ledger import NOW

WITHDRAW, GRANT = Kind.CONSENT_WITHDRAW, Kind.CONSENT_GRANT


@pytest.mark.parametrize(
    ("categories", "meaning"),
    [
        ({"Profiling": False, "Analytics": True}, WITHDRAW),
        ({"Profiling": True, "Marketing": False}, WITHDRAW),
        ({"Personalization": True, "Analytics": False}, GRANT),
        ({"C0001": True, "C0002": True, "C0004": False}, WITHDRAW),
        ({"Analytics": False, "Advertising": False}, WITHDRAW),
        ({"Strictly Necessary": True, "Analytics": False}, WITHDRAW),
        ({"Analytics": True, "Advertising": False}, None),
        ({"Analytics": True, "Functional": False}, GRANT),
        ({"Functional": True}, None),
        ({"Analytics": "no"}, None),
        ({}, None),
    ],
)
def test_categories_of_profiling_decide_else_all_must_agree(categories: dict[str, Any], meaning: Kind | None) -> None:
    assert of_categories(categories) is meaning


@pytest.mark.parametrize(
    ("traits", "meaning"),
    [
        ({"profiling_consent": False}, WITHDRAW),
        ({"profiling_consent": True}, GRANT),
        ({"consent": "withdrawn"}, WITHDRAW),
        ({"consent": "Granted"}, GRANT),
        ({"consent": 0}, WITHDRAW),
        ({"consent": {"marketing": False}}, WITHDRAW),
        ({"consent": "maybe"}, None),
        ({"consent": None}, None),
        ({"profiling_consent": False, "consent": True}, WITHDRAW),
        ({"plan": "gold"}, None),
    ],
)
def test_traits_tell_of_consent(traits: dict[str, Any], meaning: Kind | None) -> None:
    assert of_traits(traits) is meaning


def kinds(message: dict[str, Any]) -> list[tuple[Kind, str]]:
    return [(event.kind, event.message_id) for event in parse({"messageId": "m", **message}, NOW)]


def test_an_identify_joins_before_it_withdraws_and_is_granted_before_it_speaks() -> None:
    who = {"type": "identify", "userId": "ada", "anonymousId": "a-1"}
    assert kinds({**who, "traits": {"consent": False}}) == [(Kind.IDENTIFY, "m"), (WITHDRAW, "m:consent")]
    assert kinds({**who, "traits": {"consent": True}}) == [(GRANT, "m:consent"), (Kind.IDENTIFY, "m")]
    refused = {"consent": {"categoryPreferences": {"Marketing": False}}}
    assert kinds({**who, "context": refused}) == [(Kind.IDENTIFY, "m"), (WITHDRAW, "m:consent")]
    assert kinds({**who, "traits": {"plan": "gold"}}) == [(Kind.IDENTIFY, "m")]


def test_any_message_can_withdraw_but_only_those_about_consent_can_grant() -> None:
    seen = {"type": "track", "userId": "ada", "event": "Product Viewed"}
    refused = {"consent": {"categoryPreferences": {"Profiling": False}}}
    granted = {"consent": {"categoryPreferences": {"Profiling": True}}}
    assert kinds({**seen, "context": refused}) == [(WITHDRAW, "m:consent")]
    assert kinds({**seen, "context": granted}) == [(Kind.ITEM_VIEW, "m")]
    told = {**seen, "event": "Segment Consent Preference Updated"}
    assert kinds({**told, "context": refused}) == [(WITHDRAW, "m")]
    assert kinds({**told, "context": granted}) == [(GRANT, "m")]
    assert kinds(told) == [(Kind.OTHER, "m")]
    assert kinds({**seen, "event": "consent_revoked"}) == [(WITHDRAW, "m")]
    assert kinds({**seen, "event": "Consent Granted", "context": refused}) == [(GRANT, "m")]


def test_an_identify_without_a_user_is_anonymous() -> None:
    (known,) = parse({"type": "identify", "userId": "ada", "anonymousId": "a-1"}, NOW)
    (unknown,) = parse({"type": "identify", "userId": "null", "anonymousId": "a-1", "traits": {"plan": "x"}}, NOW)
    (group,) = parse({"type": "group", "anonymousId": "a-1", "groupId": "g"}, NOW)
    assert (known.customer, joined(known), identifies(known)) == ("ada", "a-1", True)
    assert (unknown.customer, joined(unknown), identifies(unknown)) == ("a-1", None, False)
    assert (group.customer, joined(group), identifies(group)) == ("a-1", None, False)


def of_google(**body: Any) -> list[tuple[Kind, str]]:
    return [(event.kind, event.customer) for event in measurement.parse({"events": [], **body}, NOW)]


def test_googles_consent_withdraws_and_nothing_else_is_taken() -> None:
    seen = [{"name": "page_view"}]
    denied = {"ad_personalization": "DENIED"}
    assert of_google(client_id="1.2", events=seen, consent=denied) == [(WITHDRAW, "1.2")]
    assert of_google(client_id="1.2", events=seen, non_personalized_ads=True) == [(WITHDRAW, "1.2")]
    both = of_google(client_id="1.2", user_id="ada", events=seen, consent=denied)
    assert both == [(Kind.IDENTIFY, "ada"), (WITHDRAW, "ada")]
    granted = {"ad_personalization": "GRANTED"}
    assert of_google(client_id="1.2", events=seen, consent=granted) == [(Kind.PAGE_VIEW, "1.2")]
    assert of_google(client_id="1.2", events=[{"name": "consent_granted"}]) == [(GRANT, "1.2")]
