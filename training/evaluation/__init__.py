"""How good a fitted model is on later rows: metrics, baselines, curves, and the gates it must pass."""
