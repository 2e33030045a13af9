"""Every benchmark with its default size, one after the other: python -m benchmarks"""

import subprocess
import sys

NAMES = (
    "routes",
    "replay",
    "online",
    "serve",
    "ingest",
    "log_reading",
    "import_files",
    "history",
    "mixed",
    "questions",
    "slow_actions",
    "own_ways",
    "malformed",
    "chaos",
    "kills",
    "sweep",
    "quality",
    "at_risk",
    "cold_start",
    "seasons",
    "cluster",
    "always",
)

if __name__ == "__main__":
    sys.exit(
        max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in NAMES)
    )
