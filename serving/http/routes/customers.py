"""What is known of customers, one by one and by segment."""

from __future__ import annotations

from serving.http import examples
from serving.http.endpoints import customers, identity
from serving.http.messages import JSON_LINES
from serving.http.route import Route
from serving.http.routes.failures import READ, SWEPT, WRITE
from serving.http.schemas import (
    CustomerAnswer,
    CustomerQuery,
    ErasureAnswer,
    SegmentAnswer,
    SegmentQuery,
    SegmentsAnswer,
    UnmergeAnswer,
)

_CUSTOMER = {"customer": ("The shop's own id of the customer.", "household-1")}

# An id may hold a slash: what stands behind an id comes before the id alone.
ROUTES: tuple[Route, ...] = (
    Route(
        name="unmergeCustomer",
        scope="admin",
        method="POST",
        path="/v1/customers/{customer}/unmerge",
        endpoint=identity.post_unmerge,
        tag="customers",
        summary="Take merged ids apart",
        doc="Takes an id out of the profile it was merged into; of the profile's own id, takes all others out. From "
        "then on each history, state and score is what it would be had they never been merged, and later events do not "
        "merge the same two again.",
        answer=UnmergeAnswer,
        answer_doc="What was taken apart; nothing when nothing was merged.",
        problems=("not_found", "invalid_request", *WRITE),
        path_parameters=_CUSTOMER,
    ),
    Route(
        name="exportCustomer",
        scope="admin",
        method="GET",
        path="/v1/customers/{customer}/export",
        endpoint=identity.get_export,
        tag="customers",
        summary="Hand out all that is held about a customer",
        doc="Lines of JSON: the customer with scores, segments and features, then every merge, event and dead letter "
        "of all ids of the profile, each kind oldest first. `record` says what a line is.",
        answer_doc="All that is held.",
        problems=("not_found", "invalid_request", *READ),
        path_parameters=_CUSTOMER,
        also_answers={JSON_LINES: examples.EXPORT},
    ),
    Route(
        name="eraseCustomer",
        scope="admin",
        method="DELETE",
        path="/v1/customers/{customer}",
        endpoint=identity.delete_customer,
        tag="customers",
        summary="Erase a customer",
        doc="Removes the customer under all ids of the profile: events, decisions, state, merges, dead letters, rows "
        "of the scoreboard and of the second log. When this is answered, no file holds an id any more, in used space "
        "or unused. Erasing an unknown customer is no error.",
        answer=ErasureAnswer,
        answer_doc="The receipt.",
        problems=("not_found", "invalid_request", *WRITE),
        path_parameters=_CUSTOMER,
    ),
    Route(
        name="getCustomer",
        scope="read",
        method="GET",
        path="/v1/customers/{customer}",
        endpoint=customers.get_customer,
        tag="customers",
        summary="Tell what is known of a customer",
        doc="All ids, stage, scores, segments, every feature, and the newest events, all at this moment.",
        answer=CustomerAnswer,
        answer_doc="The customer; `known` is false when there is no event.",
        query=CustomerQuery,
        problems=("not_found", "invalid_request", *READ),
        path_parameters=_CUSTOMER,
    ),
    Route(
        name="listSegments",
        scope="read",
        method="GET",
        path="/v1/segments",
        endpoint=customers.get_segments,
        tag="customers",
        summary="List the saved segments",
        doc="Every segment with its rule and its size at the latest sweep of all customers.",
        answer=SegmentsAnswer,
        answer_doc="The segments.",
        problems=SWEPT,
    ),
    Route(
        name="getSegment",
        scope="read",
        method="GET",
        path="/v1/segments/{segment}",
        endpoint=customers.get_segment,
        tag="customers",
        summary="Pull a segment",
        doc="A page of members, or all of them as CSV with `?format=csv` or `Accept: text/csv`. The CSV carries the "
        "moment and the model in the headers `X-As-Of`, `X-Model-Version` and `X-Fingerprint`.",
        answer=SegmentAnswer,
        answer_doc="Members, in the segment's order.",
        query=SegmentQuery,
        problems=("unknown_segment", "cursor_expired", "invalid_request", "scoreboard_missing", *READ),
        path_parameters={"segment": ("Name of a saved segment.", "at-risk")},
        also_answers={"text/csv": examples.SEGMENT_CSV},
    ),
)
