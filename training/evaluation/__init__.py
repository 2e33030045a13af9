"""How good what was fitted is on rows of its future: metrics, baselines, curves, and the gates it must pass."""
