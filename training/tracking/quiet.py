"""Settings that MLflow and GitPython read from the environment when they are imported: no progress bars, no advice."""

from __future__ import annotations

import os

for _setting, _value in (
    ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
    ("GIT_PYTHON_REFRESH", "quiet"),
):
    os.environ.setdefault(_setting, _value)
