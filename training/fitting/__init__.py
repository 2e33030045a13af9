"""Fitting what answers a target: candidates of each tier, the selection among them, calibration and intervals."""
