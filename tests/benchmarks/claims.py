"""Running a benchmark's main with small sizes, and reading its last line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest


def claims_of(
    main: Callable[[], None], arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[str, dict[str, float]]:
    """The name and the claims in the last line that `main` prints."""
    monkeypatch.setattr(sys, "argv", ["benchmark", *arguments])
    main()
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(last) == {"benchmark", "claims"}
    return last["benchmark"], last["claims"]
