"""Which ids are one customer: what joins them, and which ids join nothing.

A shop meets a visitor under an anonymous id first and learns who it is later. The event that says so (an `IDENTIFY`
that names the anonymous id, or an alias that names the previous one) merges the two: from that moment on, and never
for a moment before it, the profile's history is that of both. Each event stays filed under the id it came with, so
that a merge can be undone.

A log merges a `member` into the `profile` of an event when all of this holds:

- neither id is one that names nobody (`names_nobody`);
- the member is not a user id (no event ever identified it, no id was ever joined to it): a profile has at most one;
- the member is in no profile yet, and was never taken out of this profile;
- the profile has fewer than `features.log.contract.MOST_JOINED` members. A profile that is a member itself stands for
  the one it belongs to.
"""

from __future__ import annotations

import re

from features.events import Event, Kind

NOBODY = frozenset(
    (
        "-1", "null", "none", "nil", "nan", "undefined", "true", "false", "anonymous", "unknown", "guest", "n/a",
        "#n/a", "not set", "(not set)", "(none)", "(null)", "(empty)", "(data deleted)",
        "not_authenticated",
        "not authenticated", "unauthenticated", "not_logged_in", "not logged in", "notset", "not_set", "\\n", "void 0",
    )
)  # fmt: skip
"""What programs and people write where there is no id, in lower case."""

_TEMPLATE = re.compile(
    r"\{(?![0-9a-f-]{32,36}\}).*\}|[$#@%]\{.*\}|<.*>|\[\[.*\]\]|\[object .*\]|%.+%|\*\|.*\|\*|.*(\{\{|\$\{|<%|\{%).*",
    re.DOTALL,
)
_BRACKETS = "{<[$#@%*"


def names_nobody(identity: str) -> bool:
    """Whether an id is one that broken senders give to everybody.

    A word that means no id (`NOBODY`), a row of zeros and dashes, an object written as text (`[object Object]`), or a
    placeholder that a template never filled, such as `{{user.id}}`. A GUID in braces, as .NET writes it, is an id.
    """
    word = identity.strip().casefold()
    if word in NOBODY or not word.strip("{}0-"):
        return True
    return (word[0] in _BRACKETS or "{" in word) and _TEMPLATE.fullmatch(word) is not None


def joined(event: Event) -> str | None:
    """The other id that an event declares to be the same customer; None when it declares none."""
    if event.kind is not Kind.IDENTIFY or event.properties.get("group_id"):
        return None
    for name in ("previous_id", "anonymous_id"):
        other = event.properties.get(name)
        if isinstance(other, str) and other and other != event.customer and not names_nobody(other):
            return other
    return None


def identifies(event: Event) -> bool:
    """Whether an event says that its customer's id is a user id, and not an anonymous one."""
    return event.kind is Kind.IDENTIFY and not event.properties.get("anonymous")
