"""Training of the recommender: fitting (`item_item`), `evaluation` on later purchases, and `selection`."""
