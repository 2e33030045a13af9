"""What clients in browsers ask and send on paths of their own."""

from __future__ import annotations

from serving.http import examples
from serving.http.endpoints import clients, measurement
from serving.http.route import Route
from serving.http.routes.failures import ALWAYS, WRITE
from serving.http.schemas import HitQuery, SettingsAnswer, SourceConfigAnswer, SourceConfigQuery

MOST_HIT_BYTES = 128 * 1024
"""Of the hits of one request; the tag sends them on from 16 KB."""

ROUTES: tuple[Route, ...] = (
    Route(
        name="collectHit",
        scope="write",
        method="GET",
        path="/g/collect",
        endpoint=measurement.get_hit,
        tag="browsers",
        summary="Take an event of GA4's tag in",
        doc="The event is in the query, as gtag.js writes it. As Google's own address: 204 whatever was sent. What is "
        "at fault is kept as a dead letter.",
        query=HitQuery,
        answer_doc="What could be taken in is on disk, and the rest among the dead letters.",
        success=204,
        problems=WRITE,
        key_in="form",
    ),
    Route(
        name="collectHits",
        scope="write",
        method="POST",
        path="/g/collect",
        endpoint=measurement.post_hits,
        tag="browsers",
        summary="Take events of GA4's tag in",
        doc="The event is in the query; or in the body, a form; or there are several, a line of the body each, beside "
        "what they share in the query. 204 as for a single one. A hit that is sent again adds nothing.",
        query=HitQuery,
        answer_doc="What could be taken in is on disk, and the rest among the dead letters.",
        success=204,
        problems=(
            *("malformed_json", "malformed_gzip", "body_too_slow", "body_too_large"),
            *("unsupported_media_type", "unsupported_encoding"),
            *WRITE,
        ),
        also_reads={"text/plain": examples.HITS, "application/x-www-form-urlencoded": examples.HIT},
        key_in="form",
        most_bytes=MOST_HIT_BYTES,
    ),
    Route(
        name="getClientSettings",
        scope="open",
        public=True,
        method="GET",
        path="/v1/projects/{write_key}/settings",
        endpoint=clients.get_settings,
        tag="browsers",
        summary="Tell Segment's client in a browser where to send",
        doc="What analytics.js asks its `cdnURL` for: to send to this server alone, and to finish sending when the "
        "page is left. The same for every key.",
        answer=SettingsAnswer,
        problems=("not_found", *ALWAYS),
        path_parameters={"write_key": ("The write key; told back, and not looked at.", "WRITE_KEY")},
        answer_example=examples.SETTINGS_ANSWER,
    ),
    Route(
        name="getSourceConfig",
        scope="open",
        public=True,
        method="GET",
        path="/sourceConfig/",
        aliases=("/sourceConfig",),
        endpoint=clients.get_source_config,
        tag="browsers",
        summary="Tell RudderStack's client in a browser where to send",
        doc="What its SDK asks its `configUrl` for: no destination but this server. The same for every key.",
        query=SourceConfigQuery,
        answer=SourceConfigAnswer,
        problems=ALWAYS,
        answer_example=examples.SOURCE_CONFIG_ANSWER,
    ),
)
