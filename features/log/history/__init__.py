"""The history of a log: its older events as sorted, immutable Parquet files, beside the live events in the database."""
