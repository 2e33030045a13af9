"""The recommender fitted (`item_item`), ranked on what customers bought next (`evaluation`), chosen (`selection`)."""
