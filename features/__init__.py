"""The ground floor: events, the log, and the fold that turns one into the features of a customer."""

from features import telemetry as telemetry
