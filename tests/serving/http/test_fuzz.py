"""Whatever fits the API's document, or nearly fits it, is answered as the document says, by a real server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving.http.openapi import document
from serving.http.problems import FAILURES, MEDIA_TYPE
from serving.http.route import Route
from serving.http.routes import ROUTES
from tests.serving.conftest import Place
from tests.serving.server_process import Server

EXAMPLES = 6
SCHEMA = schemathesis.openapi.from_dict(document(ROUTES))
CHECKS: list[Any] = [status_code_conformance, content_type_conformance, response_schema_conformance]
CASES = [
    (route, mode)
    for route in ROUTES
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    # Where nothing is sent, or what is sent is not looked at, nothing can be wrong.
    if mode is GenerationMode.POSITIVE
    or route.request
    or route.query
    or (route.path_parameters and route.scope != "open")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, champion: Path, stocked: Path) -> Iterator[Server]:
    """A server over the shop, with one worker."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copy(stocked, folder / "waypost.db")
    running = Server(folder, Place(folder, champion).environment(WAYPOST_WORKERS="1"))
    try:
        running.wait()
        yield running
    finally:
        running.stop()


@pytest.mark.parametrize(("route", "mode"), CASES, ids=[f"{route.name} {mode.value}" for route, mode in CASES])
def test_every_answer_is_one_of_the_document(server: Server, route: Route, mode: GenerationMode) -> None:
    operation = SCHEMA[route.path][route.method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        response = case.call(base_url=server.address, headers={"Connection": "close"})
        assert response.status_code < 500 or response.json()["code"] in route.failures, response.text
        assert response.status_code != 500, response.text
        if response.status_code >= 400 and response.status_code not in route.also_statuses:
            assert response.headers["content-type"] == [MEDIA_TYPE]
            assert FAILURES[response.json()["code"]].status == response.status_code
        # A path or a method that was bent may lead elsewhere, and its answer is not this route's.
        if response.status_code not in (404, 405):
            case.validate_response(response, checks=CHECKS)

    run()
