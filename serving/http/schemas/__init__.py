"""Schemas that several resources share; those of one resource are in its file."""
