"""Files to records: CSV, JSON lines and Parquet, each so that what is broken costs itself and nothing beside it."""
