"""The page on which a person logs in with a key, to look at the others."""

from __future__ import annotations

from serving.web.markup import prose, tag
from serving.web.page import POLICY, frame, intro, link

LOGIN_POLICY = POLICY.replace("form-action 'none'", "form-action 'self'")
"""That of every page, but for the form."""

assert LOGIN_POLICY != POLICY

_WHICH = (
    "The first start of `waypost serve` kept one in `data/first-key.txt`; `waypost keys create --scope read` makes "
    "more. This browser then reads for {} hours, and changes nothing."
)


def login_page(hours: int, refused: str = "") -> str:
    """The form. A session lasts `hours`; `refused` says why the key that was sent does not let in."""
    field = tag("input", name="key", type="password", autocomplete="current-password", required=True)
    # What keeps passwords for people wants a name beside each.
    named = tag("input", name="name", type="text", autocomplete="username", value="waypost", hidden=True)
    form = tag(
        "form",
        named,
        tag("label", "Key of the scope read or admin", field),
        tag("button", "Log in", type="submit"),
        tag("p", refused, cls="notice", role="alert") if refused else "",
        tag("p", prose(_WHICH.format(hours)), cls="muted"),
        method="post",
        action=link("/login"),
        cls="login",
    )
    told = intro("Log in", "The report tells of customers, so it asks for a key.")
    return frame("Log in", told, form, active="/login")
