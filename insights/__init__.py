"""Read-only answers about journeys: stages and the ways between them, segments, key figures."""
