"""One process of the server: the worker, group commit, engine threads, maintenance, logs and shutdown."""
