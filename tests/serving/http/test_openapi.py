"""The API's document: valid, complete, golden, and true of what is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.testclient import TestClient

from features.sources.formats.waypost import COLUMNS
from serving.http.openapi import document
from serving.http.problems import FAILURES
from serving.http.resources.events import EventRequest
from serving.http.route import Route
from serving.http.routes import ROUTES
from tests.golden.openapi_parts import parts
from tests.serving.answers import Response

GOLDEN = Path(__file__).parents[2] / "golden" / "openapi"
DOCUMENT = document(ROUTES)


def operation(route: Route) -> Any:
    """What the document says of a route."""
    return DOCUMENT["paths"][route.path][route.method.lower()]


def check(value: Any, schema: Any) -> None:
    """Hold a value to a schema of the document."""
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def test_it_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_is_the_golden_files() -> None:
    golden = {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.json")}
    made = parts(DOCUMENT)
    changed = sorted(name for name in golden.keys() | made.keys() if golden.get(name) != made.get(name))
    assert not changed, "the API changed; if that is meant: python -m tests.golden.write openapi"


def test_the_golden_files_are_the_whole_document() -> None:
    files = {name.removesuffix(".json"): json.loads(part) for name, part in parts(DOCUMENT).items()}
    shared = files.pop("shared")
    schemas = dict(shared["components"]["schemas"])
    for part in files.values():
        assert not schemas.keys() & part["schemas"].keys()
        schemas |= part["schemas"]
        assert DOCUMENT["paths"][part["path"]][part["method"]] == part["operation"]
    assert schemas == DOCUMENT["components"]["schemas"]
    assert set(files) == {route.name for route in ROUTES}


def test_it_is_what_is_served(client: TestClient) -> None:
    assert client.get("/openapi.json").json() == DOCUMENT


def test_the_event_of_the_document_is_the_event_of_the_source() -> None:
    assert set(EventRequest.model_fields) == {column.name for column in COLUMNS}
    assert {name for name, field in EventRequest.model_fields.items() if field.is_required()} == {"customer", "kind"}


def test_every_failure_can_happen_somewhere() -> None:
    everywhere = {"not_found", "method_not_allowed"}
    assert {code for route in ROUTES for code in route.failures} | everywhere == set(FAILURES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_is_documented_in_full(route: Route) -> None:
    told = operation(route)
    assert told["summary"] and told["description"].endswith(".")
    assert set(told["responses"]) >= {str(route.success), *(str(FAILURES[code].status) for code in route.failures)}
    assert ("content" in told["responses"][str(route.success)]) == (route.success != 204)
    for media in told.get("requestBody", {}).get("content", {}).values():
        assert media.get("examples") or media.get("example")
    if route.answer_example is not None:
        check(route.answer_example, told["responses"]["200"]["content"]["application/json"]["schema"])


@pytest.mark.parametrize(
    ("route", "name"), [(route, name) for route in ROUTES for name in route.examples], ids=lambda value: str(value)[:20]
)
def test_an_example_is_answered_as_documented(client: TestClient, route: Route, name: str) -> None:
    example = route.examples[name]
    told = operation(route)
    check(example, told["requestBody"]["content"]["application/json"]["schema"])
    if route.path == "/v1/rewards":
        decision = {"customer": example["customer"], "decision_id": example["decision_id"]}
        client.post("/v1/next-best-action", json=decision)
    response = client.request(route.method, route.path, json=example)
    assert response.status_code == route.success, response.text
    if route.success == 204:
        assert response.content == b""
        return
    check(response.json(), told["responses"]["200"]["content"]["application/json"]["schema"])


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/scores", b"{"), ("/v1/scores", b'{"customer": 7}'), ("/v1/events", b'{"customer": "a", "kind": "?"}')],
)
def test_a_problem_is_answered_as_documented(client: TestClient, path: str, body: bytes) -> None:
    response: Response = client.post(path, content=body, headers={"content-type": "application/json"})
    told = DOCUMENT["paths"][path]["post"]["responses"][str(response.status_code)]
    (media,) = told["content"]
    assert response.headers["content-type"] == media
    assert response.json()["code"] in told["content"][media]["examples"]
    check(response.json(), told["content"][media]["schema"])


def test_the_document_says_what_it_is_and_how_large_money_may_be() -> None:
    content = DOCUMENT["paths"]["/openapi.json"]["get"]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"type": "object"}
    assert DOCUMENT["components"]["schemas"]["EventRequest"]["properties"]["amount"]["maximum"] == 1e15


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_says_what_key_it_needs(route: Route) -> None:
    told = operation(route)
    ways = {next(iter(way)): scopes for way in told["security"] for scopes in way.values()}
    assert set(ways) <= set(DOCUMENT["components"]["securitySchemes"])
    if route.scope == "open":
        assert not ways and (route.name == "logIn" or not {"401", "403", "429"} & set(told["responses"]))
        return
    assert set(ways) >= {"basic", "bearer", "header"} and all(scopes == [route.scope] for scopes in ways.values())
    assert ("query" in ways) == (route.key_in in ("query", "form"))
    assert "WWW-Authenticate" in told["responses"]["401"]["headers"]
    assert {"Retry-After", "X-RateLimit-Reset"} <= set(told["responses"]["429"]["headers"])


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"customer": "a"}, True),
        ({"customers": ["a"], "customer": None}, True),
        ({}, False),
        ({"customer": None}, False),
        ({"customer": "a", "customers": ["a"]}, False),
    ],
)
def test_whom_to_score_is_one_or_many_in_the_document_as_in_the_server(
    client: TestClient, body: Any, fits: bool
) -> None:
    schema = {**DOCUMENT["components"]["schemas"]["ScoresRequest"], "components": DOCUMENT["components"]}
    assert jsonschema.Draft202012Validator(schema).is_valid(body) == fits
    assert (client.post("/v1/scores", json=body).status_code == 200) == fits


def test_kinds_and_channels_are_documented_once_and_taken_in_either_case(client: TestClient) -> None:
    sent = {"customer": "a", "kind": "ITEM_VIEW", "channel": "EMAIL"}
    check(sent, {"$ref": "#/components/schemas/EventRequest"})
    for event in (sent, {"customer": "a", "kind": "item_view", "channel": "email"}):
        assert client.post("/v1/events", json=event).json()["accepted"] == 1
    assert client.post("/v1/next-best-action", json={"customer": "a", "channels": ["onsite"]}).status_code == 200
