"""Rows keep what they hold, however pages are shared, copied, cut and given back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.local.pages import NO_PAGE, PageTable

SLOTS, CAPACITY, PAGES, SIZE = 4, 24, 14, 4
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["seat", "clear", "swap", "trim"]),
        st.integers(-1, SLOTS - 1),
        st.integers(0, SLOTS - 1),
        st.integers(0, CAPACITY),
        st.integers(1, CAPACITY),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(STEPS)
def test_rows_keep_what_they_hold(steps: list[tuple[str, int, int, int, int]]) -> None:
    book = PageTable(SLOTS, CAPACITY, PAGES, SIZE)
    memory: dict[tuple[int, int], int] = {}
    rows: list[list[int]] = [[] for _ in range(SLOTS)]
    words = iter(range(10**6))

    def page(row: int, place: int) -> int:
        return int(book.table[book.slot_of[row], place // SIZE])

    for what, source, target, keep, length in steps:
        if what == "seat":
            held = rows[source][:keep] if source >= 0 else []
            length = max(length, len(held))
            if book.missing(source, target, len(held), length):
                continue
            copied = book.seat(source, target, len(held), length)
            if copied is not None:
                for place in range(SIZE):
                    memory[copied[1], place] = memory.get((copied[0], place), -1)
            rows[target] = held
            # All that is new is written, to pages that nobody else has.
            for place in range(len(held), length):
                assert page(target, place) != NO_PAGE
                memory[page(target, place), place % SIZE] = word = next(words)
                rows[target].append(word)
        elif what == "clear":
            book.clear(target)
            rows[target] = []
        elif what == "swap":
            book.swap(max(source, 0), target)
            other = max(source, 0)
            rows[other], rows[target] = rows[target], rows[other]
        else:
            book.trim(target, keep)
            del rows[target][keep:]
        for row, held in enumerate(rows):
            there = [memory[page(row, place), place % SIZE] for place in range(len(held))]
            assert there == held
    for row in range(SLOTS):
        book.clear(row)
    assert book.free == PAGES - 1
