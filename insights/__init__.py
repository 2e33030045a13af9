"""Read-only answers about journeys: stages and the moves between them, segments, key figures."""
