"""What an answer must be: of the documented shape, or a problem of the one shape."""

from __future__ import annotations

from typing import Any

import httpx2
from pydantic import BaseModel

from serving.http.problems import FAILURES, MEDIA_TYPE, ProblemAnswer

Response = httpx2.Response


def ok(response: Response, model: type[BaseModel]) -> Any:
    """The JSON of a 200 answer that has the shape it is documented with."""
    assert response.status_code == 200, response.text
    model.model_validate_json(response.content)
    return response.json()


def fails(response: Response, code: str) -> Any:
    """The JSON of a problem with this code, in the one shape."""
    assert response.headers["content-type"] == MEDIA_TYPE, response.text
    problem = ProblemAnswer.model_validate_json(response.content)
    assert problem.code == code, problem
    assert problem.status == response.status_code == FAILURES[code].status
    assert (problem.type, problem.title) == (f"/docs#{code}", FAILURES[code].title)
    assert problem.request_id == response.headers["x-request-id"]
    assert ("retry-after" in response.headers) == FAILURES[code].retry
    assert "Traceback" not in response.text
    return response.json()
