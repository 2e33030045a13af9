"""What the monitor's page is given: plain data, the furthest columns first."""

import json

from features.events import days
from tests.training.monitoring.reports import everything_wrong
from training.monitoring.page import page_content


def test_the_content_is_plain_and_the_furthest_column_comes_first() -> None:
    content = page_content(*everything_wrong(days(20_000)))
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert [each["name"] for each in content["drifts"]] == [
        "days_since_purchase",
        "conversion_7d",
        "purchases_trend_fast",
    ]
    assert content["drifts"][0]["found"] == "0.90" and content["drifts"][0]["drifted"]
    assert content["realised"][0]["slope"] == "0.800 [0.700, 0.900]"
    assert content["step"] == "retrain"
