"""Declarations compiled: feature sets (`feature_set`), the text of the loops (`wiring`, `loops`), the `fold` itself."""
