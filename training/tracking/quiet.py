"""What MLflow reads from the environment when it is imported: no calls to its makers, only warnings in the log."""

from __future__ import annotations

import os

for _setting, _value in (
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("DO_NOT_TRACK", "true"),
    ("MLFLOW_DISABLE_AGENT_HINT", "1"),
    ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
    ("GIT_PYTHON_REFRESH", "quiet"),
):
    os.environ.setdefault(_setting, _value)
