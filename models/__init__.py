"""What training writes and serving reads: scorers, recommender, actions, policy, and the bundle that holds them."""
