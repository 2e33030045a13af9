"""What is an address of this machine alone."""

from serving.access.loopback import is_loopback, names_loopback


def test_what_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("", "0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "localhost", "1.2.3", "::2")))
    assert all(map(names_loopback, ("localhost", "LOCALHOST:80", "127.0.0.1:3000", "[::1]:3000", "[::1]", "::1")))
    assert not any(map(names_loopback, ("", "a.localhost.example", "127.0.0.1.example:80", "[::2]:1", "0.0.0.0", "[")))
