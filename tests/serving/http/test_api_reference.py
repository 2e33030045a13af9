"""`docs/api.md` says what the server does."""

from __future__ import annotations

from serving.http.api_reference import markdown
from tests.serving.server_process import ROOT


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert page == markdown(), "run: python -m serving.http.api_reference > docs/api.md"
