"""One training run, from the log to a promoted bundle (`pipeline`), and its results: report, cards, plots, MLflow."""
