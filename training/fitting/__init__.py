"""Fitting the models of targets: candidates of each tier, the selection among them, calibration and intervals."""
