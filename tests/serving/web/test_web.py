"""The pages: text is escaped, numbers read well, and the picture is of the numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from serving.engine.scoreboard import Generation, Scoreboard, sweep
from serving.http.docs_page import docs_page
from serving.http.routes import ROUTES
from serving.web.formats import duration, figure, percent, prose
from serving.web.login import login_page
from serving.web.page import render
from serving.web.report import report_page, waiting_page
from serving.web.river import HEIGHT, LEAST, river
from tests.serving.conftest import NOW, Place


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory, champion: Path, stocked: Path) -> Generation:
    """The shop, swept."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "waypost.db").write_bytes(stocked.read_bytes())
    engine = Place(folder, champion).engine()
    swept = sweep(engine, Scoreboard(folder / "scoreboard", engine.fold.fingerprint), NOW)
    engine.states.close()
    return swept


def test_text_is_escaped_and_code_is_marked() -> None:
    assert prose("run `a < b` now & <then>") == "run <code>a &lt; b</code> now &amp; &lt;then&gt;"
    page = login_page(12, refused='the key <b> & "c" is unknown')
    assert "the key &lt;b&gt; &amp; &#34;c&#34; is unknown" in page


def test_a_template_fails_on_a_value_that_is_missing() -> None:
    with pytest.raises(UndefinedError, match="hours"):
        render("login.html", refused="")


def test_numbers_read_well() -> None:
    assert [percent(each) for each in (None, 0.0, 0.0004, 0.021, 0.0996, 0.5, 1.0)] == [
        "\N{EN DASH}",
        "0 %",
        "0 %",
        "2.1 %",
        "10 %",
        "50 %",
        "100 %",
    ]
    assert [duration(each) for each in (None, 0.01, 0.2, 1.5, 2.5, 45, 200)] == [
        "\N{EN DASH}",
        "14 min",
        "4.8 h",
        "36 h",
        "2.5 days",
        "45 days",
        "6.6 months",
    ]
    assert [
        figure(value, unit) for value, unit in ((2469.0, "customers"), (35.338, "currency"), (-47.1, "points"))
    ] == [
        "2,469",
        "35.34",
        "-47",
    ]


def test_the_band_is_as_thick_as_there_are_customers() -> None:
    shares, lapsing = (0.0, 0.5, 0.25, 0.25, 0.0), (None, 0.5, 0.0, 0.0, None)
    drawn = river([{"share": each, "lapsing_share": some} for each, some in zip(shares, lapsing, strict=True)])
    heights = [float(each) for each in re.findall(r",(-?[\d.]+)", drawn.flow)]
    assert min(heights) == pytest.approx((HEIGHT - HEIGHT * 0.92) / 2, abs=0.1)
    assert any(height == pytest.approx((HEIGHT - LEAST) / 2, abs=0.1) for height in heights)


def test_the_report_shows_every_stage_segment_and_target(generation: Generation, place: Place) -> None:
    engine = place.engine()
    page = report_page(generation, engine.champions.require().bundle.manifest, ROUTES)
    engine.states.close()
    for shown in ("200 customers", "Awareness", "Advocacy", "At risk", "conversion_7d", "churn_28d", "/v1/scores"):
        assert shown in page
    assert page.count('class="stage ') == 5
    assert page.count("?format=csv") == 7
    assert "evidence " in page and "Answered by" in page
    (_, counted), *_ = re.findall(r"<li>(.*?) \(\w[^:]*: (\d+)\)</li>", page)
    assert 0 < int(counted) <= 100
    assert page.count('class="why"') == 2  # the two segments that ask for a probability
    assert not any(f"household-{number}<" in page for number in range(200))
    assert "nan" not in page.lower().replace("finance", "") and "None" not in page


def test_the_base_rate_of_an_amount_is_money(generation: Generation, place: Place) -> None:
    engine = place.engine()
    manifest = engine.champions.require().bundle.manifest
    engine.states.close()
    card = replace(manifest.targets["churn_28d"], form="amount", base_rate=30.5)
    page = report_page(generation, replace(manifest, targets={"spend": card}), ROUTES)
    assert "30.50" in page and "3,050 %" not in page


def test_the_report_without_a_model_says_what_to_run(generation: Generation) -> None:
    assert "waypost train" in report_page(generation, None, ROUTES)


def test_an_empty_shop_has_a_page_too(tmp_path: Path, champion: Path) -> None:
    engine = Place(tmp_path, champion).engine()
    swept = sweep(engine, Scoreboard(tmp_path / "scoreboard", engine.fold.fingerprint), NOW)
    engine.states.close()
    page = report_page(swept, None, ROUTES)
    assert "0 customers yet" in page and "waypost import" in page
    assert "Key figures" not in page
    assert "first report is being prepared" in waiting_page()


def test_the_docs_have_every_route_and_every_problem() -> None:
    page = docs_page(ROUTES)
    for route in ROUTES:
        assert f'id="{route.name}"' in page
    anchors = set(re.findall(r' id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors


def test_wide_tables_scroll_by_themselves() -> None:
    opening = '<div class="scroll" tabindex="0" role="region" aria-label="Table of problems"><table class="problems">'
    assert opening in docs_page(ROUTES)
