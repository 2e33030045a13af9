"""The journey report as a page: the five stages, the key figures, the segments, the model, the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from insights.segments import SEGMENTS, Segment
from models.bundle.manifest import Manifest
from models.prediction.money_at_stake import AT_STAKE, TARGET, Yield
from serving.engine.scoreboard import Generation
from serving.engine.staleness import staleness
from serving.engine.times import moment
from serving.web.markup import Html, hidden, join, prose, tag
from serving.web.page import (
    UNKNOWN,
    duration,
    figure,
    frame,
    intro,
    link,
    percent,
    scrolled,
    section,
    stamp,
    terms,
    whole,
)
from serving.web.river import river
from serving.web.why import why

METRICS = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "lift_at_10": "Lift at 10 %",
    "calibration_error": "Calibration error",
}
"""The metrics of a target that the page shows, when the model's card has them."""

RANKING = {"ndcg_at_20": "Recommender NDCG@20", "recall_at_20": "Recommender recall@20"}
"""The metrics of the recommender that the page shows."""

HEADLINES = (
    "active_customers_28d",
    "revenue_gross_28d",
    "average_order_value_28d",
    "repeat_purchase_rate",
    "conversion_7d_mean",
    "churn_28d_mean",
)
"""Key figures shown large; the others stand below."""


class Operation(Protocol):
    """What the page says of a method of the API."""

    @property
    def name(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def summary(self) -> str: ...


def report_page(generation: Generation, manifest: Manifest | None, routes: Sequence[Operation]) -> str:
    """The page over one sweep of all customers."""
    report = generation.report
    as_of = stamp(moment(generation.as_of))
    shown = _shop(generation, manifest, as_of) if generation.count else [_empty(as_of)]
    return frame(
        "Journey report",
        *shown,
        _model(manifest),
        _routes(routes),
        active="/",
        aside=_aside(report, manifest),
    )


def _shop(generation: Generation, manifest: Manifest | None, as_of: Html) -> list[Html]:
    journey = generation.report["journey"]
    count = journey["customers"]
    return [
        intro(f"{whole(count)} customer{'' if count == 1 else 's'} on their journey", "As of ", as_of),
        tag("p", prose(told), cls="notice") if (told := staleness(generation)) else Html(),
        _stages(journey["stages"]),
        _figures(generation.report["figures"]),
        tag("div", _segments(generation, manifest), _transitions(journey), cls="pair"),
    ]


def _empty(as_of: Html) -> Html:
    advice = prose(
        ". Send events to `POST /v1/events`, or stop the server and run `waypost import FILE --source NAME`; "
        "the report is here after the next sweep over all customers."
    )
    return intro("0 customers yet", "As of ", as_of, advice)


def waiting_page() -> str:
    """The page before the first sweep is done. It does not load itself again: readers would lose their place."""
    text = "The first sweep over all customers is under way. "
    again = tag("a", "Look again", href=link("/"))
    return frame("Journey report", intro("The customers are being counted", text, again), active="/")


def _stages(stages: Sequence[Mapping[str, Any]]) -> Html:
    picture = river([each["share"] or 0.0 for each in stages], [each["lapsing_share"] or 0.0 for each in stages])
    cards = [_stage(each, last=each is stages[-1]) for each in stages]
    meanings = (
        (tag("span", cls="key lapsing"), "lapsing: silent for longer than their own rhythm suggests"),
        (tag("span", "→", cls="key arrow"), "share of all stays that went on to a later stage"),
    )
    legend = tag("p", *(tag("span", key, text) for key, text in meanings), cls="legend")
    heading = tag("h2", "Where customers stand", id="journey", cls="hidden")
    return tag("section", heading, picture, tag("ol", *cards, cls="stages"), legend, cls="journey")


def _stage(stage: Mapping[str, Any], *, last: bool) -> Html:
    conversion = join(hidden("Conversion to a later stage: "), percent(stage["conversion"]))
    shown = not last and stage["conversion"] is not None
    return tag(
        "li",
        tag("h3", stage["stage"].capitalize()),
        tag("p", whole(stage["customers"]), cls="count"),
        tag("p", f"{percent(stage['share'])} of all", cls="share"),
        terms(
            ("Median stay", duration(stage["median_stay_days"])),
            ("Median so far", duration(stage["median_days_so_far"])),
            ("Lapsing", percent(stage["lapsing_share"])),
        ),
        tag("p", conversion, tag("span", " →", aria_hidden="true"), cls="onward") if shown else "",
        cls=f"stage {stage['stage']}",
    )


def _figures(figures: Sequence[Mapping[str, Any]]) -> Html:
    shown = [each for each in figures if each["name"] != "customers"]
    known = [each for each in shown if each["value"] is not None]
    headlines = [each for each in known if each["name"] in HEADLINES]
    others = [each for each in known if each["name"] not in HEADLINES]
    defined = terms(*((each["title"], prose(each["definition"])) for each in shown), cls="terms")
    return section(
        "figures",
        "Key figures",
        *(
            terms(*((each["title"], figure(each["value"], each["unit"])) for each in some), cls=cls)
            for some, cls in ((headlines, "figures"), (others, "more"))
            if some
        ),
        _unmeasured([each for each in shown if each["value"] is None]),
        tag("details", tag("summary", "How they are defined"), defined),
    )


def _unmeasured(figures: Sequence[Mapping[str, Any]]) -> Html:
    """The figures without a value, those with one reason together."""
    titles = dict[str, list[str]]()
    for each in figures:
        titles.setdefault(each["missing"], []).append(each["title"])
    if not titles:
        return Html()
    rows = ((reason[:1].upper() + reason[1:], " · ".join(some)) for reason, some in titles.items())
    listed = terms(*rows, cls="terms")
    return tag("div", tag("h3", "Not measured"), listed, cls="unmeasured")


def _past(segment: Segment, manifest: Manifest | None) -> Html:
    """What a list of the segment would have found, where the model's training measured it."""
    card = manifest.targets.get(TARGET) if manifest and segment.order_by is AT_STAKE else None
    found = Yield.of_metrics(card.metrics) if card else None
    return tag("span", found.words, cls="doc") if found else Html()


def _segments(generation: Generation, manifest: Manifest | None) -> Html:
    sizes, customers, reasons = generation.report["segments"], generation.count, generation.reasons()
    largest = max(sizes.values(), default=0) or 1
    head = tag(
        "tr",
        tag("th", "Who", scope="col"),
        tag("th", "Customers", scope="col", cls="number"),
        tag("th", "Share", scope="col", cls="number"),
        tag("th", hidden("Pull"), scope="col"),
    )
    rows = [
        _segment(
            each, sizes[each.name], customers, largest, join(_past(each, manifest), why(each, generation, reasons))
        )
        for each in SEGMENTS.values()
    ]
    return section("segments", "Segments", tag("table", tag("thead", head), tag("tbody", *rows), cls="segments"))


def _segment(segment: Segment, size: int, customers: int, largest: int, reasons: Html) -> Html:
    bar = tag(
        "svg",
        tag("rect", cls="rail", width=100, height=4),
        tag("rect", cls="fill", width=f"{100 * size / largest:.1f}", height=4),
        cls="bar",
        viewBox="0 0 100 4",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    named = hidden(f" of {segment.title}")
    address = f"/v1/segments/{segment.name}"
    return tag(
        "tr",
        tag(
            "th",
            tag("span", segment.title, cls="title"),
            tag("span", segment.doc, cls="doc"),
            reasons,
            scope="row",
        ),
        tag("td", whole(size), bar, cls="number"),
        tag("td", percent(size / customers if customers else None), cls="number muted"),
        tag(
            "td",
            tag("a", "CSV", named, href=link(f"{address}?format=csv"), download=True),
            tag("a", "JSON", named, href=link(address)),
            cls="links",
        ),
    )


def _transitions(journey: Mapping[str, Any]) -> Html:
    names = [each["stage"].capitalize() for each in journey["stages"]]
    rows = [
        tag(
            "tr",
            tag("th", name, scope="row"),
            *(
                tag("td", cls="heat none") if place == other else _move(number, share)
                for other, (number, share) in enumerate(
                    zip(journey["transitions"][place], journey["transition_shares"][place], strict=True)
                )
            ),
        )
        for place, name in enumerate(names)
    ]
    caption = "Share of the moves out of each stage (row) that led to each other stage (column)."
    table = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", tag("td"), *(tag("th", name, scope="col") for name in names))),
        tag("tbody", *rows),
        cls="moves",
    )
    return section("moves", "From stage to stage", scrolled(table, "Moves between stages"))


def _move(number: int, share: float | None) -> Html:
    if share is None or not number:
        return tag("td", UNKNOWN, cls="heat none")
    return tag("td", percent(share), tag("span", whole(number), cls="times"), cls=f"heat h{min(9, int(share * 10))}")


def _model(manifest: Manifest | None) -> Html:
    if manifest is None:
        advice = prose("There is no usable model. Train one with `waypost train`; this server takes it up by itself.")
        return section("model", "Model", tag("p", advice, cls="notice"))
    facts = terms(
        ("Version", tag("code", manifest.version)),
        ("Trained from", stamp(moment(manifest.now))),
        ("Features", str(len(manifest.features))),
        *((title, _metric(manifest.recommender[key])) for key, title in RANKING.items() if key in manifest.recommender),
        cls="facts",
    )
    shown = [key for key in METRICS if any(key in card.metrics for card in manifest.targets.values())]
    head = tag(
        "tr",
        tag("th", "Target", scope="col"),
        tag("th", "Answered by", scope="col"),
        tag("th", "Base rate", scope="col", cls="number"),
        *(tag("th", METRICS[key], scope="col", cls="number") for key in shown),
    )
    rows = [
        tag(
            "tr",
            tag("th", tag("code", name), tag("span", f"{card.definition}; {card.scope}", cls="doc"), scope="row"),
            tag("td", card.rung.replace("_", " "), tag("span", f"evidence {card.evidence}", cls="doc")),
            tag("td", figure(card.base_rate, "currency" if card.form == "amount" else "share"), cls="number"),
            *(tag("td", _metric(card.metrics.get(key)), cls="number") for key in shown),
        )
        for name, card in manifest.targets.items()
    ]
    table = tag("table", tag("thead", head), tag("tbody", *rows), cls="targets")
    return section("model", "Model", facts, scrolled(table, "Table of targets"))


def _metric(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def _routes(routes: Sequence[Operation]) -> Html:
    rows = [
        tag(
            "li",
            tag(
                "a",
                tag("span", route.method, cls=f"method {route.method.lower()}"),
                tag("code", route.path),
                tag("span", route.summary),
                href=link(f"/docs#{route.name}"),
            ),
        )
        for route in routes
        if route.path.startswith("/v1/")
    ]
    return section("api", "API", tag("ul", *rows, cls="routes"))


def _aside(report: Mapping[str, Any], manifest: Manifest | None) -> Html:
    model = f"model {manifest.version}" if manifest else "no model"
    return tag("p", f"{model} · features {report['fingerprint']} · event {whole(report['offset'])} of the log")
