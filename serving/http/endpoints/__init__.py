"""One function per route: read the request, ask the engine, shape the answer. Nothing is decided here."""
