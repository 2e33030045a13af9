"""A file for each resource: its schemas, examples, endpoints and routes. No resource knows another.

An endpoint reads the request, asks the engine and shapes the answer; nothing is decided here. `serving.http.routes` is
the table of all.
"""
