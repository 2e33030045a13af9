"""The telemetry of the libraries that Waypost stands on stays off, whoever starts the program.

They read the environment when they are loaded or first used, and every other package of ours imports this one first.
What somebody set to another value by hand is left alone.
"""

from __future__ import annotations

import os

SETTINGS = (
    ("BENTOML_DO_NOT_TRACK", "True"),
    ("DO_NOT_TRACK", "true"),
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("MLFLOW_DISABLE_AGENT_HINT", "1"),
)

for _name, _value in SETTINGS:
    os.environ.setdefault(_name, _value)
