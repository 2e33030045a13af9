"""Consent to be profiled, as Segment's messages express it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.events import Kind
from features.sources.fields.names import folded

PROFILING = frozenset(("profiling", "personalization", "personalisation", "targeting", "marketing", "c0004"))
"""Categories of a consent banner that stand for profiling; `C0004` is OneTrust's group of targeting."""

NECESSARY = frozenset(("necessary", "strictly necessary", "essential", "functional", "c0001", "c0003"))
"""Categories that do not count: they are granted even when a visitor refuses everything that can be refused."""

TRAITS = ("profiling_consent", "consent")
"""Traits that express it: true or false, one of the words below, or an object of categories."""

_YES = frozenset(("true", "yes", "granted", "given", "opted in", "1"))
_NO = frozenset(("false", "no", "denied", "refused", "withdrawn", "revoked", "opted out", "0"))


def of_categories(given: Mapping[str, Any]) -> Kind | None:
    """Whether a choice of categories grants or withdraws consent; None when it does neither.

    Categories of profiling decide where there are any: a single false one withdraws, all true grant. Else all
    categories that are not necessary decide, and only when they agree.
    """
    chosen = {folded(name): value for name, value in given.items() if isinstance(value, bool)}
    deciding = [value for name, value in chosen.items() if name in PROFILING]
    if deciding:
        return Kind.CONSENT_GRANT if all(deciding) else Kind.CONSENT_WITHDRAW
    deciding = [value for name, value in chosen.items() if name not in NECESSARY]
    if not deciding or (any(deciding) and not all(deciding)):
        return None
    return Kind.CONSENT_GRANT if deciding[0] else Kind.CONSENT_WITHDRAW


def of_context(context: Mapping[str, Any]) -> Kind | None:
    """Whether `context.consent.categoryPreferences` grants or withdraws; None when it is absent or does neither."""
    consent = context.get("consent")
    given = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    return of_categories(given) if isinstance(given, dict) else None


def of_traits(traits: Mapping[str, Any]) -> Kind | None:
    """Whether the traits of a person grant or withdraw consent; None when they do neither."""
    for name in TRAITS:
        given = traits.get(name)
        if isinstance(given, dict):
            return of_categories(given)
        word = folded(str(given))
        if word in _YES:
            return Kind.CONSENT_GRANT
        if word in _NO:
            return Kind.CONSENT_WITHDRAW
    return None
