"""Declarations as pages and words: the data dictionary (`dictionary`), the page of `sources`, features in `words`."""
