"""From the log to a registered bundle: targets, rows, models, evaluation, tracking."""

from features import telemetry as telemetry
