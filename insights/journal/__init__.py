"""Questions about the whole history, each answered in one pass over the journal."""
