"""Libraries tell their makers nothing, whoever starts the program; the server's is watched in `test_server.py`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT
from tests.outside import Outside

PROGRAM = """
import training.tracking
from mlflow.telemetry.client import get_telemetry_client
from mlflow.telemetry.utils import is_telemetry_disabled
print(is_telemetry_disabled(), get_telemetry_client())
"""


def test_mlflow_tells_nothing_of_a_training(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    environment = outside.environment(HOME=str(tmp_path))
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["True", "None"], ran.stderr
    assert outside.calls() == []
    assert not (tmp_path / ".config" / "mlflow").exists()


@pytest.mark.parametrize("package", ["features", "serving", "training", "waypost", "tests"])
def test_every_package_turns_telemetry_off(package: str) -> None:
    assert "from features import telemetry as telemetry" in (ROOT / package / "__init__.py").read_text("utf-8")
