"""Online: from an HTTP request to an answer, in a few milliseconds."""

__version__ = "0.1.0"
