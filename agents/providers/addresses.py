"""Check the addresses of servers and read the keys that belong to them."""

from __future__ import annotations

import ipaddress
import os
import re
from urllib.parse import SplitResult, urlsplit

from arena.errors import StudyError

KEY_VARIABLE = "ARENA_HTTP_API_KEY"
EXAMPLE = "http/llama-3.1-8b@http://127.0.0.1:8000/v1"
PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


def is_private(host: str) -> bool:
    """Return whether a host is this machine or on a private network, by its name or number alone.

    No name is looked up.
    """
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        # A name without a dot can only be resolved within the local network.
        return "." not in host or host.endswith(PRIVATE_SUFFIXES)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name or number."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def parse_address(name: str, base_url: str, *, variable: str = KEY_VARIABLE) -> SplitResult:
    """Return the parts of a base URL; `variable` is the environment variable for its key.

    Raises StudyError if the address is not usable or holds a user name, password, query or
    fragment; the message never repeats the address, which may hold a secret.
    """
    try:
        url = urlsplit(base_url)
        # Reading the port raises ValueError when it is no number or out of range.
        usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x20\x7f\\]", base_url):
        raise StudyError(
            f"the address of {name} is not usable: it must begin with http:// or https:// and have"
            " a host, such as http://127.0.0.1:8000/v1"
        )
    if "@" in url.netloc:
        raise StudyError(
            f"the address of {name} holds a user name or a password; leave them out and put the key"
            f" into {variable}"
        )
    if "?" in base_url or "#" in base_url:
        raise StudyError(
            f"the address of {name} holds a query or a fragment; give only the base url, and put a"
            f" key into {variable}"
        )
    return url


def address_in(variable: str, name: str, *, key_variable: str) -> str | None:
    """Return the address in an environment variable, None if it is not set.

    Raises StudyError if the address is not usable, or the key would go over http to a host that is
    not private, and everybody on the way could read it.
    """
    address = os.environ.get(variable, "").strip()
    if not address:
        return None
    url = parse_address(f"{name} in {variable}", address, variable=key_variable)
    if url.scheme == "http" and not is_private(url.hostname or ""):
        raise StudyError(
            f"{variable} would send the key of {name} over http, where anybody can read it:"
            " use https"
        )
    return address


def key_in(variable: str) -> str:
    """Return the key in an environment variable, "" if it is not set.

    Raises StudyError if the key cannot stand in a header.
    """
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise StudyError(
            f"{variable} holds characters that no key has, such as a line break: set it again"
        )
    return key
