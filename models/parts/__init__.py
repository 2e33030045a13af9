"""The contract of a bundle's parts, and the names in its files that differ from those in the code."""
