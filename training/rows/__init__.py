"""Rows to train on: what was known of a customer at a moment of the `schedule`, its `labels`, and the `dataset`."""
