"""Commands do their linear algebra on one thread, unless the environment says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TOLD = "import waypost, os; print(os.environ['OPENBLAS_NUM_THREADS'])"


@pytest.mark.parametrize(("said", "found"), [("", "1"), ("3", "3")])
def test_one_thread_unless_told(said: str, found: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    environment |= {"OPENBLAS_NUM_THREADS": said} if said else {}
    told = subprocess.run([sys.executable, "-c", TOLD], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == found
