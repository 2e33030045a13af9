"""Which addresses and names are this machine itself."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=1024)
def is_loopback(address: str) -> bool:
    """Whether an IP address is of the loopback interface: 127.0.0.0/8, ::1, or the former written as IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


@lru_cache(maxsize=1024)
def names_loopback(host: str) -> bool:
    """Whether `host`, as in a `Host` header, with or without a port, is `localhost` or an address of loopback.

    The owner of any other name could point it to this machine.
    """
    if host.startswith("["):
        return is_loopback(host[1:].partition("]")[0])
    name = host if host.count(":") > 1 else host.partition(":")[0]
    return name.lower() == "localhost" or is_loopback(name)
