"""One declaration makes an insight: the API, the report, the command line, the CSV and the documentation have it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser
from pydantic import Field
from starlette.testclient import TestClient
from typer.testing import CliRunner

from insights import catalogue
from insights.catalogue import INSIGHTS
from insights.insight import Insight, Schema, Shop
from serving.engine.scoreboard import Scoreboard, sweep
from serving.http.docs_page import docs_page
from serving.http.openapi import document
from serving.http.routes import ROUTES, all_routes
from tests.browser import violations
from tests.serving import conftest
from tests.serving.conftest import NOW, Place, serve
from waypost import app


class Band(Schema):
    """How many customers have so many orders."""

    orders: str
    customers: int = Field(description="With so many orders ever.")
    share: float | None


class OrderBands(Schema):
    """Customers by how often they ordered."""

    bands: list[Band]


def _order_bands(shop: Shop) -> OrderBands:
    orders = shop.columns["purchases_ever"]
    counts = {"none": int((orders == 0).sum()), "one or more": int((orders > 0).sum())}
    number = sum(counts.values())
    return OrderBands(
        bands=[
            Band(orders=name, customers=count, share=count / number if number else None)
            for name, count in counts.items()
        ]
    )


TOY = Insight("order-bands", "How often do customers order?", _order_bands, OrderBands)


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue has one insight more."""
    monkeypatch.setitem(INSIGHTS, TOY.name, TOY)


@pytest.fixture
def client(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client of a server whose shop is swept."""
    engine = place.engine()
    sweep(engine, Scoreboard(place.folder / "scoreboard", engine.fold.fingerprint), NOW)
    engine.states.close()
    monkeypatch.setattr(conftest, "ROUTES", all_routes())
    with serve(place) as opened:
        yield opened


def test_the_api_answers_it(client: TestClient) -> None:
    answer = client.get("/v1/order-bands").json()
    assert list(answer) == ["as_of", "model", "notice", "bands"]
    assert [band["orders"] for band in answer["bands"]] == ["none", "one or more"]
    assert sum(band["customers"] for band in answer["bands"]) == 200
    assert client.get("/v1/order-bands?format=xml").status_code == 422


def test_its_table_is_csv(client: TestClient) -> None:
    by_query, by_header = (
        client.get("/v1/order-bands", params=query, headers=headers)
        for query, headers in (({"format": "csv"}, {}), ({}, {"accept": "text/csv"}))
    )
    header, none, *_ = by_query.text.splitlines()
    band = client.get("/v1/order-bands").json()["bands"][0]
    assert header == "orders,customers,share" and none == f"none,{band['customers']},{band['share']}"
    assert by_query.text == by_header.text and by_query.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="order-bands.csv"' in by_query.headers["content-disposition"] and by_query.headers["x-as-of"]


def test_the_report_has_a_section_that_all_can_read(client: TestClient, browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(client.get("/").text)
    assert page.get_by_role("heading", name="Order bands").is_visible()
    assert TOY.question in page.inner_text("main")
    assert page.get_by_role("rowheader", name="one or more").is_visible()
    assert violations(page) == []
    page.close()


def test_the_command_line_shows_it(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in place.environment().items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["insights", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert TOY.question in run("list")
    assert TOY.question in run("show", TOY.name) and "one or more" in run("show", TOY.name)
    bands = json.loads(run("show", TOY.name, "--json"))["bands"]
    run("show", TOY.name, "--out", str(tmp_path / "bands.csv"))
    lines = (tmp_path / "bands.csv").read_text().splitlines()
    assert lines == ["orders,customers,share", *(",".join(map(str, band.values())) for band in bands)]


def test_the_documentation_has_it() -> None:
    routes = all_routes()
    assert len(routes) == len(ROUTES) + 1
    described = document(routes)
    assert described["paths"]["/v1/order-bands"]["get"]["summary"] == TOY.question
    assert set(described["components"]["schemas"]["OrderBandsAnswer"]["properties"]) >= {"as_of", "model", "bands"}
    page = docs_page(routes)
    assert 'id="getOrderBands"' in page and TOY.question in page
    assert "| `customers` | With so many orders ever. |" in catalogue.markdown()


def test_a_scoreboard_without_it_is_swept_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = place.engine()
    before = Scoreboard(place.folder / "scoreboard", engine.fold.fingerprint)
    assert np.all(sweep(engine, before, NOW).everyone() >= 0)
    engine.states.close()
    monkeypatch.delitem(INSIGHTS, TOY.name)
    assert Scoreboard(place.folder / "scoreboard", engine.fold.fingerprint).current() is None
