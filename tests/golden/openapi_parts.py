"""The OpenAPI document in parts, so that a change of one route shows in one file."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

Json = dict[str, Any]

_REFERENCE = re.compile(r'"#/components/schemas/(\w+)"')


def parts(document: Json) -> dict[str, str]:
    """File names and texts: one for each route with the schemas that it alone uses, and `shared.json` with the rest."""
    schemas: Json = document["components"]["schemas"]
    routes = {
        operation["operationId"]: {"path": path, "method": method, "operation": operation}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    used = {name: _used_by(route, schemas) for name, route in routes.items()}
    times = Counter(schema for names in used.values() for schema in names)
    found: dict[str, Json] = {}
    for name, route in routes.items():
        own = sorted(schema for schema in used[name] if times[schema] == 1)
        found[name] = {**route, "schemas": {schema: schemas[schema] for schema in own}}
    shared = {name: schema for name, schema in schemas.items() if times[name] != 1}
    rest = {**document, "paths": list(document["paths"]), "components": {**document["components"], "schemas": shared}}
    return {f"{name}.json": json.dumps(part, indent=1, ensure_ascii=False) + "\n" for name, part in found.items()} | {
        "shared.json": json.dumps(rest, indent=1, ensure_ascii=False) + "\n"
    }


def _used_by(part: Json, schemas: Json) -> set[str]:
    """The schemas that a part of the document refers to, and those that these refer to."""
    found: set[str] = set()
    ahead = _named(part)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead |= _named(schemas[name])
    return found


def _named(part: Json) -> set[str]:
    return set(_REFERENCE.findall(json.dumps(part)))
