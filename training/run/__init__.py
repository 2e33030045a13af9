"""One training run, from the log to a promoted bundle (`pipeline`), and what it tells: report, cards, plots, MLflow."""
