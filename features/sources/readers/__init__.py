"""Readers of files: CSV, JSON lines and Parquet; a broken record does not affect the records beside it."""
