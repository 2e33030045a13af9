"""The tests: laws that every member of a catalogue obeys, and a mirror of the rooms file by file."""

from features import telemetry as telemetry
