"""Tests of features/sources, file by file."""
