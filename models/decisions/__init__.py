"""What to do for a customer: the `actions`, which are possible (`eligibility`), the `policy`, and the `decision`."""
