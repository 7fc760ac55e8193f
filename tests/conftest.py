"""Tests open no socket but on loopback, and the longest files are tested first."""

from __future__ import annotations

import ipaddress
import os
import socket

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of the code that is tested.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("new examples", CALM)
# The same examples in each run, so that a commit is not blamed for what another has done:
# `HYPOTHESIS_PROFILE="new examples" pytest` looks for others.
settings.register_profile("same examples", CALM, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same examples"))
# One torch thread: two of them on two busy cores are many times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves the machine: a test that needs the network fails."""
    connect = socket.socket.connect

    def connect_to_loopback(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and not ipaddress.ip_address(address[0]).is_loopback:  # type: ignore[index]
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect_to_loopback)


# One file is one worker's: the longest go first, so that nobody is left with one at the end.
LONGEST = (
    "test_documents.py",
    "test_engine.py",
    "test_publish.py",
    "test_faults.py",
    "test_studies_page.py",
    "test_sql_page.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, in one order for all workers."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))
