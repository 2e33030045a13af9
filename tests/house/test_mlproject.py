"""`mlflow run .` runs `waypost train` with the parameters as given, and without those left empty."""

import os
import subprocess
from pathlib import Path

import pytest
from mlflow.projects._project_spec import load_project

from tests.house.tree import ROOT


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        ({}, ["train", "--study", "0", "--seed", "0"]),
        ({"seed": "7"}, ["train", "--study", "0", "--seed", "7"]),
        (
            {"targets": "churn_28d conversion_7d", "now": "2017-11-15T00:00:00Z"},
            ["train", "churn_28d", "conversion_7d", "--now", "2017-11-15T00:00:00Z", "--study", "0", "--seed", "0"],
        ),
    ],
)
def test_the_parameters_reach_the_command_line(
    tmp_path: Path, parameters: dict[str, str], arguments: list[str]
) -> None:
    waypost = tmp_path / "waypost"
    waypost.write_text('#!/bin/sh\nfor each in "$@"; do echo "$each"; done\n')
    waypost.chmod(0o755)
    command = load_project(str(ROOT)).get_entry_point("main").compute_command(parameters, None)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == arguments
