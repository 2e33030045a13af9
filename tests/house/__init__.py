"""The repository itself: sizes, names, locks, floors, and what the make commands do."""
