"""The lowest layer: events, the log, and the fold that turns events into the features of a customer."""

from features import telemetry as telemetry
