"""The customer in the path of a route."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest

from features.sources.contract import BadRecord
from features.sources.fields import fields
from serving.http.problems import Problem, ProblemError

CUSTOMER = {"customer": ("The shop's own id of the customer.", "household-1")}
"""The path parameter, with its description and an example."""


def customer_of(request: HttpRequest) -> str:
    """The customer in the path, by the same rule as the customer of an event. Raises a `Problem`."""
    try:
        customer = fields.name(request.path_params["customer"], "customer")
    except BadRecord as fault:
        raise Problem(
            "invalid_request",
            f"The customer in the path: {fault.reason}.",
            [ProblemError(pointer="{customer}", code="invalid_customer", detail=fault.reason)],
        ) from None
    if customer is None:
        raise Problem("not_found", "The path names no customer; expected /v1/customers/ID.")
    return customer
