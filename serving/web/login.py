"""The page on which a person logs in with a key, to look at the others."""

from __future__ import annotations

from serving.web.page import POLICY, render

LOGIN_POLICY = POLICY.replace("form-action 'none'", "form-action 'self'")
"""That of every page, but for the form."""

assert LOGIN_POLICY != POLICY


def login_page(hours: int, refused: str = "") -> str:
    """The form. A session lasts `hours`; `refused` says why the key that was sent does not let in."""
    return render("login.html", hours=hours, refused=refused)
