"""What the server does, without HTTP: ingest, score, recommend, decide; states, scoreboard, erasure and export."""
