"""The event log as Parquet files: the log (`log`), its files (`tables`, `partitions`, `members`, `dead_letters`)."""

from features.log.parquet.log import ParquetLog

__all__ = ["ParquetLog"]
