"""Training rows: a customer's features at a cutoff of the `schedule`, the `labels`, and the `dataset` of both."""
