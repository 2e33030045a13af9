"""The monitor's report as a page: one file, no script, nothing from elsewhere, in the look of the server's pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from serving.web.markup import Html, join, prose, tag
from serving.web.page import STYLE, intro, percent, scrolled, section, stamp, terms, whole
from training.monitoring import Action, Alarm, Report
from training.monitoring.drift import Drift, furthest
from training.monitoring.realised import Realised
from training.monitoring.tables import number
from training.monitoring.volumes import Volume

SHOWN = 25
"""Columns whose drift is shown, those nearest to their limits first."""

SIDE = 240.0
"""Width and height of a diagram."""

_OWN_STYLE = """
.alarms li { border-left: 4px solid #c0563f; background: var(--card); border-radius: 0 12px 12px 0; padding: 12px 16px;
  margin-top: 10px; box-shadow: var(--shadow); max-width: 96ch; }
.alarms .advice { color: var(--soft); font-size: .9rem; margin-top: 4px; }
.drift td, .drift th { border-top: 1px solid var(--line); padding: 7px 10px 7px 0; }
.drift .bar { min-width: 150px; height: 10px; margin: 6px 0 0; } .beyond { fill: #c0563f; }
.limit { stroke: var(--ink); stroke-width: 1; }
.curves { display: flex; flex-wrap: wrap; gap: 28px 44px; } .curves figure { margin: 0; }
.curves svg { width: 240px; height: 240px; overflow: visible; }
.curves figcaption { font-size: .84rem; color: var(--soft); max-width: 260px; margin-top: 18px; }
.right { stroke: var(--faint); stroke-dasharray: 4 4; fill: none; } .frame { fill: var(--card); stroke: var(--line); }
.reach { stroke: var(--bar); stroke-width: 2; } .point { fill: var(--brand); }
.axis { fill: var(--faint); font-size: 10px; }
"""


def monitor_page(report: Report, action: Action) -> str:
    """The whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", "Monitor · Waypost"),
        tag("style", Html(STYLE.decode() + _OWN_STYLE)),
    )
    parts = [_facts(report), _alarms(report.alarms)]
    if report.realised:
        parts.append(_curves(report.realised))
    if report.drifts:
        parts.append(_drifts(report))
    if report.volumes:
        parts.append(_volumes(report.volumes))
    title = {"nothing": "The champion fits the shop", "retrain": "Time to retrain", "roll back": "Time to go back"}
    opening = intro(title[action.step], action.words)
    return "<!doctype html>" + tag("html", head, tag("body", tag("main", opening, *parts)), lang="en")


def _facts(report: Report) -> Html:
    facts = [("As of", stamp(_moment(report.now))), ("Bundle", tag("code", report.version or "unusable"))]
    if not report.fault:
        facts += [
            ("Trained from", stamp(_moment(report.trained))),
            ("Customers looked at", Html(whole(report.customers))),
            ("Events since", Html(whole(report.events_since))),
        ]
    return section("facts", "What was looked at", terms(*facts, cls="facts"))


def _alarms(alarms: Iterable[Alarm]) -> Html:
    items = [
        tag(
            "li",
            tag("strong", f"{each.kind}: {each.subject}"),
            tag("p", prose(each.meaning)),
            tag("p", "Since ", stamp(_moment(each.since)), ". ", prose(each.advice), cls="advice"),
        )
        for each in alarms
    ]
    shown = tag("ul", *items, cls="alarms") if items else tag("p", "Nothing is beyond its limit.", cls="notice")
    return section("alarms", "Alarms", shown)


def _drifts(report: Report) -> Html:
    head = tag(
        "tr",
        *(tag("th", text, scope="col") for text in ("Column", "Nearest to its limit")),
        *(tag("th", text, scope="col", cls="number") for text in ("Found", "Limit", "Mean", "Was")),
        tag("th", "Found, where the mark is the limit", scope="col"),
    )
    rows = [_drift(each) for each in furthest(report.drifts)[:SHOWN]]
    caption = f"{len(rows)} of {len(report.drifts)} features and scores."
    table = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *rows), cls="drift")
    return section("drift", "Drift since the training", scrolled(table, "Table of drift"))


def _drift(each: Drift) -> Html:
    worst = each.worst
    name = join("score of ", tag("code", each.name)) if each.is_score else tag("code", each.name)
    numbers = (number(worst.value), number(worst.limit), f"{each.mean:.4g}", f"{each.mean_before:.4g}")
    return tag(
        "tr",
        tag("th", name, scope="row"),
        tag("td", worst.name, cls="muted"),
        *(tag("td", text, cls="number") for text in numbers),
        tag("td", _bar(worst.excess, beyond=each.drifted)),
    )


def _bar(share: float, *, beyond: bool) -> Html:
    """As long as the share of the limit, which is marked in the middle; twice the limit fills it."""
    return tag(
        "svg",
        tag("rect", cls="rail", width=100, height=6),
        tag("rect", cls="beyond" if beyond else "fill", width=f"{50 * min(share, 2.0):.1f}", height=6),
        tag("path", cls="limit", d="M50 -2V8"),
        cls="bar",
        viewBox="0 -2 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _curves(found: Iterable[Realised]) -> Html:
    return section("realised", "Predicted and realised", tag("div", *(_curve(each) for each in found), cls="curves"))


def _curve(each: Realised) -> Html:
    """A reliability diagram: each tenth of the rows, predicted to the right, realised upwards; right is diagonal."""
    top = max(part.realised.high for part in each.deciles)
    reach = min(1.0, max(0.05, top, each.deciles[-1].predicted))

    def place(share: float) -> float:
        return SIDE * min(max(share / reach, 0.0), 1.0)

    marks = []
    for part in each.deciles:
        along, up = place(part.predicted), SIDE - place(part.realised.value)
        low, high = SIDE - place(part.realised.low), SIDE - place(part.realised.high)
        marks += [
            tag("path", cls="reach", d=f"M{along:.1f} {low:.1f}V{high:.1f}"),
            tag("circle", cls="point", cx=f"{along:.1f}", cy=f"{up:.1f}", r=3),
        ]
    picture = tag(
        "svg",
        tag("rect", cls="frame", width=f"{SIDE:.0f}", height=f"{SIDE:.0f}"),
        tag("path", cls="right", d=f"M0 {SIDE:.0f}L{SIDE:.0f} 0"),
        *marks,
        tag("text", percent(reach), cls="axis", x=f"{SIDE:.0f}", y=f"{SIDE + 14:.0f}", text_anchor="end"),
        tag("text", "predicted", cls="axis", x="0", y=f"{SIDE + 14:.0f}"),
        viewBox=f"0 0 {SIDE:.0f} {SIDE:.0f}",
        role="img",
        aria_label=f"Realised share of yes by predicted probability of {each.target}",
    )
    about = (
        f": {whole(each.rows)} rows of {whole(each.customers)} customers, {percent(each.rate)} yes. Slope "
        f"{each.slope}, log-odds off by {each.shift}, log loss {each.loss_ratio} of the base rate's."
    )
    return tag("figure", picture, tag("figcaption", tag("code", each.target), about))


def _volumes(found: Iterable[Volume]) -> Html:
    columns = ("Last 7 days", "Usually from", "To")
    head = tag(
        "tr", tag("th", "Events", scope="col"), *(tag("th", text, scope="col", cls="number") for text in columns)
    )
    rows = [
        tag(
            "tr",
            tag("th", tag("code", each.kind), scope="row"),
            *(tag("td", whole(count), cls="number") for count in (each.week, each.lowest, each.highest)),
        )
        for each in found
    ]
    return section("volumes", "What came in", tag("table", tag("thead", head), tag("tbody", *rows), cls="drift"))


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1e6, UTC)
