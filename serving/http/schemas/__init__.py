"""What the schemas of several resources share; what one alone sends or answers stands in its file."""
