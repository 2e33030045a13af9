"""The server's log: one JSON object a line, with what finds the place and nothing that finds a customer."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from serving.process.failures import note_failure
from serving.process.logs import NAME, REQUEST_ID, set_up_logs


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """The logger as it was before."""
    logger = logging.getLogger(NAME)
    before = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate, logger.level = before


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object() -> None:
    stream = io.StringIO()
    set_up_logs("json", stream)
    set_up_logs("json", stream)  # set up twice, told once
    token = REQUEST_ID.set("request-1")
    logging.getLogger(NAME).warning('two lines\nand "quotes" of %s', "ü")
    REQUEST_ID.reset(token)
    logging.getLogger(f"{NAME}.part").info("outside of a request")
    first, second = lines(stream)
    assert datetime.fromisoformat(first.pop("time")).tzinfo is not None
    assert first == {
        "level": "warning",
        "logger": "waypost",
        "message": 'two lines\nand "quotes" of ü',
        "request_id": "request-1",
        "pid": os.getpid(),
    }
    assert (second["logger"], second["request_id"]) == ("waypost.part", None)


def test_of_an_error_the_place_is_told_and_not_the_message() -> None:
    stream = io.StringIO()
    set_up_logs("json", stream)
    logger = logging.getLogger(NAME)
    try:
        raise LookupError("jane.doe@example.com")
    except LookupError as error:
        note_failure(logger, "a test", error)
        logger.exception("told by a library")
    noted, told = lines(stream)
    assert "LookupError" in noted["message"] and "test_logs.py" in noted["message"]
    assert told["error"] == "LookupError"
    assert "jane" not in stream.getvalue()


def test_text_is_left_to_whoever_set_the_root_up(caplog: pytest.LogCaptureFixture) -> None:
    set_up_logs("text")
    logging.getLogger(NAME).info("for people")
    assert caplog.messages == ["for people"]
