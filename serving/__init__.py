"""Online: from an HTTP request to an answer, in a few milliseconds."""

from features import telemetry as telemetry

__version__ = "0.1.0"
