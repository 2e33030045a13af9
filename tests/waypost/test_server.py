"""`waypost serve`: where it listens."""

from __future__ import annotations

import pytest

from waypost.console import UsageProblem
from waypost.server import address_of, base_url


@pytest.mark.parametrize(
    ("host", "address", "url"),
    [
        ("127.0.0.1", "127.0.0.1", "http://127.0.0.1:3000"),
        ("localhost", "127.0.0.1", "http://localhost:3000"),
        ("0.0.0.0", "0.0.0.0", "http://localhost:3000"),
        ("::1", "::1", "http://[::1]:3000"),
        ("::", "::", "http://localhost:3000"),
    ],
)
def test_a_host_may_be_of_either_protocol(host: str, address: str, url: str) -> None:
    assert (address_of(host, 3000), base_url(host, 3000)) == (address, url)


def test_a_host_that_is_none_is_told() -> None:
    with pytest.raises(UsageProblem, match=r"nowhere\.invalid.*127\.0\.0\.1"):
        address_of("nowhere.invalid", 3000)
