"""The schemas of the OpenAPI document: pydantic's, adapted so that generators of clients understand them.

- An enumeration or a union is a schema of its own, so that it becomes one type however many fields use it.
- A field that may be left out is not required and has its default in the description: generators of TypeScript take
  the keyword `default` to mean that the field is always there.
- A query parameter is absent or present, never null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from insights.words import NAME
from serving.http.problems import ProblemAnswer
from serving.http.route import Route

Json = dict[str, Any]
PREFIX = "#/components/schemas/"
_OF_FIELD = ("title", "description", "examples", "deprecated")


def components(routes: Iterable[Route]) -> Json:
    """Every schema of the requests and answers of the routes, and their enumerations and unions, by name."""
    routes = list(routes)
    requests = {route.request for route in routes if route.request}
    answers = {route.answer for route in routes if route.answer} | {ProblemAnswer}
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in requests]
    wanted += [(model, "serialization") for model in answers]
    wanted.sort(key=lambda pair: pair[0].__name__)
    _, definitions = models_json_schema(wanted, ref_template=PREFIX + "{model}")
    named: Json = {}
    schemas = {name: _cleared(schema, named) for name, schema in definitions["$defs"].items()}
    return dict(sorted({**schemas, **named}.items()))


def parameters(route: Route) -> list[Json]:
    """The parameters of a route, of its path and of its query."""
    of_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": text,
            "schema": {"type": "string", "minLength": 1},
            "example": example,
        }
        for name, (text, example) in route.path_parameters.items()
    ]
    fields = route.query.model_json_schema()["properties"] if route.query else {}
    return of_path + [_query_parameter(name, _cleared_field(field, {})) for name, field in fields.items()]


def _query_parameter(name: str, field: Json) -> Json:
    text = field.pop("description")
    options = field.pop("anyOf", None)
    if options:
        (field,) = [{**field, **option} for option in options if option.get("type") != "null"]
    return {"name": name, "in": "query", "required": False, "description": text, "schema": field}


def _cleared(schema: Any, named: Json) -> Any:
    """`schema` without defaults; schemas with a name of their own are moved to `named`."""
    if isinstance(schema, list):
        return [_cleared(part, named) for part in schema]
    if not isinstance(schema, dict):
        return schema
    cleared = {name: _cleared(value, named) for name, value in schema.items() if name != "properties"}
    if "properties" in schema:
        cleared["properties"] = {name: _cleared_field(field, named) for name, field in schema["properties"].items()}
    return _moved(cleared, named) if NAME in cleared else _nullable(cleared)


def _cleared_field(field: Json, named: Json) -> Json:
    """A field without the title that repeats its name, and with its default in the description."""
    default = field.get("default")
    cleared: Json = _cleared({key: value for key, value in field.items() if key not in ("default", "title")}, named)
    if default is not None:
        cleared["description"] = f"{cleared.get('description', '')} By default {json.dumps(default)}.".strip()
    return cleared


def _moved(schema: Json, named: Json) -> Json:
    """A reference to a schema with a name of its own; the description of the field stays with the field."""
    name = schema[NAME]
    own = {key: value for key, value in schema.items() if key not in (NAME, *_OF_FIELD)}
    if named.setdefault(name, own) != own:
        raise ValueError(f"two schemas are called {name}: {named[name]} and {own}")
    return {"$ref": PREFIX + name, **{key: schema[key] for key in _OF_FIELD if key in schema}}


def _nullable(schema: Json) -> Json:
    """A plain type or null in one schema, because generators make an extra type of two alternatives."""
    options = schema.get("anyOf", ())
    plain = [option for option in options if option.get("type") != "null"]
    if len(options) != 2 or len(plain) != 1 or not isinstance(plain[0].get("type"), str):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**rest, **plain[0], "type": [plain[0]["type"], "null"]}
