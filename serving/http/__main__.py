"""Prints the OpenAPI document: python -m serving.http > openapi.json"""

from __future__ import annotations

from serving.http.openapi import text
from serving.http.routes import ROUTES

if __name__ == "__main__":
    print(text(ROUTES), end="")
