"""Test that printed tables keep every number, in terminals of any width."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from analysis.reports.blocks import Block
from analysis.reports.terminal import broken_name, print_block

HEADINGS = ("arm", "questions", "right", "95% interval", "unreadable", "95% interval of these")
ROWS = (
    ("self_consistency", "20", "50.0", "25.0 to 70.0", "0", "25.0 to 100.0"),
    ("universal_self_consistency", "20", "100.0", "83.2 to 100.0", "12", "80.0 to 100.0"),
)


def printed(width: int) -> str:
    """Return the table as a terminal of this width shows it."""
    file = io.StringIO()
    print_block(Console(file=file, width=width), Block("", HEADINGS, ROWS))
    return file.getvalue()


@given(st.integers(45, 160))
def test_no_number_is_cut_and_no_name_is_lost(width: int) -> None:
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    for row in ROWS:
        # A name may be wrapped, a number never.
        assert all(cell in text for cell in row[1:])
        assert row[0][:8] in text


@given(st.integers(8, 30))
def test_a_name_is_broken_behind_its_signs(room: int) -> None:
    name = "some/judge-14b:abstain=0.1"
    pieces = broken_name(name, room).split("\n")
    assert "".join(pieces) == name
    assert all(piece[-1] in "/:=-" and len(piece) <= room for piece in pieces[:-1])


def test_a_narrow_terminal_gets_a_list_of_each_row() -> None:
    assert "right                  50.0" in printed(60)
    assert "right" in printed(120).splitlines()[0]
