"""A place is parsed once, and a wrong one says the forms that there are."""

from __future__ import annotations

import pytest

from arena.errors import StudyError
from arena.machines.places import OnProcesses, OnRay, parse_place


def test_the_three_forms() -> None:
    assert parse_place("ray") == OnRay()
    assert parse_place("ray", 2) == OnRay(None, 2)
    assert parse_place("ray://10.0.0.5:6379") == OnRay("10.0.0.5:6379")
    assert parse_place("ray://[fe80::1]:6379", 8) == OnRay("[fe80::1]:6379", 8)
    assert parse_place("processes=4") == OnProcesses(4)


@pytest.mark.parametrize(
    ("text", "engines", "said"),
    [
        ("slurm", None, "is played on ray, ray://HOST:PORT, processes=N or shards, found 'slurm'"),
        ("", None, "is played on ray"),
        ("processes", None, "is played on ray"),
        ("processes=", None, "processes is a whole number from 2 to 256, found ''"),
        ("processes=1", None, "from 2 to 256, found '1'"),
        ("processes=2", 2, "engines are of Ray"),
        ("ray://", None, r"as `ray start --head` prints it.*found 'ray://'"),
        ("ray://10.0.0.5", None, "is ray://HOST:PORT"),
        ("ray://user:secret@host:1", None, "is ray://HOST:PORT"),
        ("ray://host:0", None, "is ray://HOST:PORT"),
        ("ray://host:65536", None, "is ray://HOST:PORT"),
        ("http://host:80", None, "is played on ray"),
        ("ray", 0, "engines is a whole number from 1 to 4096, found '0'"),
    ],
)
def test_whatever_else_is_refused_with_the_forms(text: str, engines: int | None, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        parse_place(text, engines)
