"""History through the fold: the log (`replay`), many ids (`snapshots`), one Parquet file (`parquet`), the `audit`."""
