"""One file makes a resource: with its entry in the table, the server, its documents and the laws of routes have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.testclient import TestClient

from features.times import moment
from serving.http import api_reference, routes
from serving.http.docs_page import docs_page
from serving.http.messages import parse, read_body, reply
from serving.http.openapi import document
from serving.http.problems import BODY, READ
from serving.http.route import Route, opens, scopes_that_open
from serving.http.routes import ROUTES, all_routes
from serving.http.schemas.model_stamp import STAMP_EXAMPLE, Stamped, stamp, version_of
from serving.http.schemas.request import CustomerId, Request
from serving.process.worker import Worker
from tests.serving import conftest
from tests.serving.answers import fails, ok
from tests.serving.conftest import Place, serve
from tests.serving.holders import Holders
from tests.serving.http import test_auth, test_openapi
from tests.serving.shop import customer


class AcquaintanceRequest(Request):
    """Of whom it is asked."""

    customer: CustomerId


class AcquaintanceAnswer(Stamped):
    """Whether anything is known of a customer."""

    known: bool = Field(description="Whether there is an event of this customer.")


EXAMPLES: dict[str, Any] = {"one": {"customer": "household-1"}}
ANSWER_EXAMPLE: dict[str, Any] = {**STAMP_EXAMPLE, "known": True}


async def post_acquaintance(worker: Worker, request: HttpRequest) -> Response:
    """Tell whether anything is known of a customer."""
    body, _ = await read_body(request)
    asked = parse(AcquaintanceRequest, body)
    now = worker.clock()
    scores = await worker.read(lambda engine: engine.profile(asked.customer, now))
    return reply(
        AcquaintanceAnswer(
            as_of=moment(scores.as_of), model=stamp(worker, version_of(scores.champion)), known=scores.known
        )
    )


TOY: tuple[Route, ...] = (
    Route(
        name="tellAcquaintance",
        scope="read",
        method="POST",
        path="/v1/acquaintance",
        endpoint=post_acquaintance,
        tag="customers",
        summary="Tell whether a customer is known",
        doc="Looks for an event of the customer.",
        request=AcquaintanceRequest,
        answer=AcquaintanceAnswer,
        problems=(*BODY, *READ),
        examples=EXAMPLES,
        answer_example=ANSWER_EXAMPLE,
    ),
)
(ROUTE,) = TOY


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has one resource more."""
    monkeypatch.setattr(routes, "RESOURCES", (*routes.RESOURCES, TOY))
    for module in (conftest, api_reference, test_auth):
        monkeypatch.setattr(module, "ROUTES", all_routes())
    monkeypatch.setattr(test_openapi, "DOCUMENT", document(all_routes()))


@pytest.fixture
def client(place: Place) -> Iterator[TestClient]:
    """A client of a server with the resource."""
    with serve(place) as opened:
        yield opened


def test_the_server_answers_it(client: TestClient) -> None:
    assert ok(client.post(ROUTE.path, json={"customer": customer(1)}), AcquaintanceAnswer)["known"] is True
    assert ok(client.post(ROUTE.path, json={"customer": "nobody"}), AcquaintanceAnswer)["known"] is False
    assert fails(client.post(ROUTE.path, json={"customer": 7}), "invalid_request")["errors"]
    assert fails(client.post(f"{ROUTE.path}?loud=1", json=EXAMPLES["one"]), "invalid_request")["errors"]
    assert fails(client.get(ROUTE.path), "method_not_allowed")


def test_the_document_has_it(client: TestClient) -> None:
    served = client.get("/openapi.json").json()
    assert served["paths"][ROUTE.path]["post"]["operationId"] == ROUTE.name
    assert set(served["components"]["schemas"]) >= {"AcquaintanceRequest", "AcquaintanceAnswer"}
    assert len(all_routes()) == len(ROUTES) + 1
    test_openapi.test_it_is_valid_openapi()
    test_openapi.test_a_route_is_documented_in_full(ROUTE)


def test_its_examples_are_sent(client: TestClient) -> None:
    test_openapi.test_an_example_is_answered_as_documented(client, ROUTE, "one")


def test_it_opens_to_the_keys_of_its_scope_alone(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    assert scopes_that_open(ROUTE) == ["read", "admin"]
    assert not opens("session", ROUTE) and not opens("visitor", ROUTE)
    holders = Holders(place)
    with serve(place, client="203.0.113.7", host="waypost.example") as guarded:
        assert fails(guarded.post(ROUTE.path, json=EXAMPLES["one"]), "key_missing")
        test_auth.test_every_route_opens_to_the_keys_of_its_scope_alone(guarded, holders, caplog)


def test_the_pages_have_it() -> None:
    page = docs_page(all_routes())
    assert f'id="{ROUTE.name}"' in page and ROUTE.path in page
    reference = api_reference.markdown()
    assert f"**`POST {ROUTE.path}`** {ROUTE.summary}." in reference
    assert f"| `POST {ROUTE.path}` |  |  |  | yes |  | yes |  |  |" in reference
