"""What a customer may want next: neighbours of items (`item_item`), asked with what was touched lately (`history`)."""
