"""The event log as Parquet files: the log (`log`), and its files (`tables`, `partitions`, `members`, `letters`)."""

from features.log.parquet.log import ParquetLog

__all__ = ["ParquetLog"]
