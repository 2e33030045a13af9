"""An empty store of MLflow to begin with: making its tables takes seconds, copying them nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from features.fold.fold import cache_folder


def empty_store(file: Path) -> None:
    """Put an empty store of the installed MLflow at `file`; it is made once for each version, in the cache of folds."""
    kept = cache_folder() / f"mlflow-{version('mlflow')}.db"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            made = Path(folder) / kept.name
            # Its own process: MLflow keeps what it opened, and this file is about to be moved.
            code = "import sys; from mlflow import MlflowClient; MlflowClient(sys.argv[1]).search_experiments()"
            subprocess.run([sys.executable, "-c", code, f"sqlite:///{made}"], cwd=folder, check=True)
            made.replace(kept)
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(kept, file)
