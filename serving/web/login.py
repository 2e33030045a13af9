"""The page on which a person logs in with a key, to see the other pages."""

from __future__ import annotations

from serving.web.page import POLICY, render

LOGIN_POLICY = POLICY.replace("form-action 'none'", "form-action 'self'")
"""The policy of every page, which here allows the form."""

assert LOGIN_POLICY != POLICY


def login_page(hours: int, refused: str = "") -> str:
    """The form. A session lasts `hours`; `refused` says why the key that was sent is refused."""
    return render("login.html", hours=hours, refused=refused)
