"""What a customer may want next.

`contract` says what every recommender answers, `item_item` is one by neighbours of items, and `history` what any of
them is asked with: what was touched lately.
"""
