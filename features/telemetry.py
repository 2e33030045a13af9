"""Switches off the telemetry of the libraries that Waypost uses, however the program is started.

They read the environment when they are loaded or first used, so every other package of ours imports this one first.
A variable that is already set keeps its value.
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
