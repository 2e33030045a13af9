"""Records of a file become batches of columns: the events of many records as one frame. An import has no other way."""
