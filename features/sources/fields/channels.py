"""The channel that brought a visit, from source, medium and referrer, after GA4's default channel groups.

The rules are those of https://support.google.com/analytics/answer/9756891, first match wins, with our channels:
Google's video and audio groups are display, its shopping group is marketplace, and "paid other" is display.
"""

from __future__ import annotations

import re
from functools import lru_cache

from features.events import Channel

_SEARCH = re.compile(
    r"(^|[./ ])(google|bing|yahoo|baidu|duckduckgo|yandex|ecosia|naver|qwant|seznam|ask|aol|startpage|brave|sogou)"
    r"($|[./ ])"
)
_SOCIAL = re.compile(
    r"(^|[./ ])(facebook|fb|instagram|ig|twitter|t\.co|x\.com|linkedin|lnkd|pinterest|tiktok|reddit|snapchat|youtube"
    r"|youtu|whatsapp|telegram|t\.me|threads|vk|weibo|quora|tumblr|messenger|wechat)($|[./ ])"
)
LONGEST_HOSTS = 512
"""Characters of two hosts whose channel is remembered: longer ones are no hosts, and would only take memory."""

_SHOPPING = re.compile(
    r"(^|[./ ])(amazon|ebay|etsy|walmart|alibaba|aliexpress|zalando|rakuten|mercadolibre|shopzilla)($|[./ ])"
)
_PAID = re.compile(r"(.*cp.*|ppc|retargeting|paid.*|sem)$")
_DISPLAY = frozenset(("display", "banner", "expandable", "interstitial", "cpm", "video", "audio"))
_SOCIAL_MEDIA = frozenset(("social", "social-network", "social-media", "sm", "social network", "social media"))
_EMAIL = frozenset(("email", "e-mail", "e_mail", "e mail", "newsletter"))
_REFERRAL = frozenset(("referral", "app", "link"))
_NONE = frozenset(("", "(none)", "none", "(not set)", "not set"))


@lru_cache(maxsize=4_096)
def acquisition(source: str, medium: str) -> Channel:
    """The channel behind a campaign's `source` and `medium` (`utm_source`, `utm_medium`); UNKNOWN when no rule fits."""
    source, medium = source.strip().casefold(), medium.strip().casefold()
    if medium in _NONE and source in ("direct", "(direct)"):
        return Channel.DIRECT
    if medium in _DISPLAY:
        return Channel.DISPLAY
    if _PAID.match(medium):
        return _paid(source, medium)
    if medium in _EMAIL or source in _EMAIL:
        return Channel.EMAIL
    if medium in ("sms", "text") or source == "sms":
        return Channel.SMS
    if medium.endswith("push") or "notification" in medium:
        return Channel.PUSH
    if medium in ("affiliate", "affiliates"):
        return Channel.AFFILIATE
    if medium in _SOCIAL_MEDIA:
        return Channel.ORGANIC_SOCIAL
    if medium == "organic":
        return Channel.ORGANIC_SEARCH
    return _site(source) or (Channel.REFERRAL if medium in _REFERRAL else Channel.UNKNOWN)


def _paid(source: str, medium: str) -> Channel:
    if _SOCIAL.search(source) or "social" in medium:
        return Channel.PAID_SOCIAL
    if _SEARCH.search(source) or medium in ("cpc", "ppc", "paidsearch", "paid_search", "sem"):
        return Channel.PAID_SEARCH
    return Channel.DISPLAY


def _site(source: str) -> Channel | None:
    if _SHOPPING.search(source):
        return Channel.MARKETPLACE
    if _SOCIAL.search(source):
        return Channel.ORGANIC_SOCIAL
    if _SEARCH.search(source):
        return Channel.ORGANIC_SEARCH
    return None


def referral(referrer: str, page: str) -> Channel | None:
    """The channel of a visit that came from the page `referrer` to `page`; None when it stayed within one site."""
    came_from, stayed = _authority(referrer), _authority(page)
    return (_visit if len(came_from) + len(stayed) < LONGEST_HOSTS else _visit.__wrapped__)(came_from, stayed)


@lru_cache(maxsize=4_096)
def _visit(referrer: str, page: str) -> Channel | None:
    """The channel of a visit, by the authorities of both addresses; those of a shop are few."""
    host, own = _host(referrer), _host(page)
    if not host or host == own or (own and (host.endswith("." + own) or own.endswith("." + host))):
        return None
    return _site(host) or Channel.REFERRAL


def _authority(url: str) -> str:
    """What stands between `://` and the path of a URL; empty when there is nothing."""
    return url.partition("://")[2].partition("/")[0]


def _host(authority: str) -> str:
    """The host of an authority, without its user, port and `www.`; empty when there is none."""
    return authority.partition("?")[0].rpartition("@")[2].partition(":")[0].casefold().removeprefix("www.")
