"""Settings that MLflow reads from the environment when it is imported, so that it prints no progress."""

from __future__ import annotations

import os

for _setting, _value in (
    ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
    ("GIT_PYTHON_REFRESH", "quiet"),
):
    os.environ.setdefault(_setting, _value)
