"""A bundle: what training leaves and the server answers from, the archive of them, and the promotion log."""
