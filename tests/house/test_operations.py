"""The dashboard, the alert rules and the runbook speak of metrics and places that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from prometheus_client import REGISTRY

import serving.metrics
from tests.house.tree import ROOT

OPERATIONS = ROOT / "docs" / "operations"
_METRIC = re.compile(r"\bwaypost_[a-z_]+")


def _known() -> set[str]:
    """Every name under which our metrics are scraped."""
    assert serving.metrics.BUILD is not None
    ends = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    return {
        metric.name + end
        for metric in REGISTRY.collect()
        if metric.name.startswith("waypost_")
        for end in ends[metric.type]
    }


def _expressions() -> list[str]:
    dashboard = json.loads((OPERATIONS / "grafana.json").read_text())
    rules = yaml.safe_load((OPERATIONS / "alerts.yml").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])] + [
        rule["expr"] for group in rules["groups"] for rule in group["rules"]
    ]


def test_every_metric_that_is_drawn_or_alerted_on_exists() -> None:
    named = {name for expression in _expressions() for name in _METRIC.findall(expression)}
    assert len(named) > 15
    assert named - _known() == set()


def test_every_metric_of_state_is_drawn() -> None:
    drawn = {name for expression in _expressions() for name in _METRIC.findall(expression)}
    bare = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in _known()}
    unseen = bare - {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in drawn}
    said_elsewhere = {
        "waypost_events_withheld",  # an outcome of waypost_events_ingested
        "waypost_events_deduplicated",  # likewise
        "waypost_rewards",  # the report shows them
        "waypost_audited_customers",  # how far the audit is, of interest only when it finds something
        "waypost_sealed_events",  # where events lie, which changes nothing that anyone sees
        "waypost_properties_dropped",  # the allow-list at work
        "waypost_values_unread",  # every answer tells its own
    }
    assert unseen <= said_elsewhere, f"metrics that nobody sees: {sorted(unseen - said_elsewhere)}"


def test_every_alert_names_a_section_of_the_runbook() -> None:
    rules = yaml.safe_load((OPERATIONS / "alerts.yml").read_text())
    headings = re.findall(r"^## (.+)$", (OPERATIONS / "runbook.md").read_text(), re.MULTILINE)
    anchors = {"runbook.md#" + heading.lower().replace(" ", "-") for heading in headings}
    named = [rule["annotations"]["runbook"] for group in rules["groups"] for rule in group["rules"]]
    assert set(named) <= anchors
    assert len({rule["alert"] for group in rules["groups"] for rule in group["rules"]}) == len(named)


def test_panels_do_not_overlap() -> None:
    panels = json.loads(Path(OPERATIONS / "grafana.json").read_text())["panels"]
    places = [(p["gridPos"]["x"], p["gridPos"]["y"], p["gridPos"]["w"], p["gridPos"]["h"]) for p in panels]
    for index, (x, y, w, h) in enumerate(places):
        assert x + w <= 24
        for other_x, other_y, other_w, other_h in places[index + 1 :]:
            assert x + w <= other_x or other_x + other_w <= x or y + h <= other_y or other_y + other_h <= y
