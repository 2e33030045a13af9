"""`waypost serve`: where it listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.servers import free_port
from serving.access.first_key import make_first_key
from waypost.console import UsageProblem
from waypost.server import address_of, base_url, check_place


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


def test_a_folder_that_is_made_for_the_log_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_place("sqlite:///data/waypost.db", "127.0.0.1", free_port())
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    make_first_key(tmp_path / "other" / "keys.json", 0)
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o700
