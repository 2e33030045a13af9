"""What a customer may want next.

`contract` is the interface of every recommender, `item_item` the recommender by neighbours of items, and `history`
gives the input: the items that a customer touched lately.
"""
