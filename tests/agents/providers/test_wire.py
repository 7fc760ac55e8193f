"""Text of servers is cut and cleaned: a key that it echoes is gone before any cut."""

from __future__ import annotations

import json

import pytest

from agents.providers.completions import read_reply
from agents.providers.faults import read_fault
from agents.providers.wire import MAX_ERROR_BYTES, READ_ERROR_BYTES, excerpt
from arena.errors import ModelError
from tests.provider_faults import KEY

PIECES = {KEY[i : i + 12] for i in range(len(KEY) - 11)}


def check_clean(words: str) -> None:
    """Fail if a piece of the key can be read in these words."""
    assert not [piece for piece in PIECES if piece in words]


@pytest.mark.slow
@pytest.mark.parametrize("filler", ["\x01", "\u200b", "x"])
def test_a_key_across_the_limit_of_an_error_leaves_no_piece(filler: str) -> None:
    for end in (MAX_ERROR_BYTES, READ_ERROR_BYTES):
        for before in range(end - len(KEY) - 1, end + 2, 9):
            text = filler * (before // len(filler.encode())) + KEY + "after"
            fault = read_fault(500, {}, text.encode(), endpoint="http/m", key=KEY)
            check_clean(str(fault))
            with pytest.raises(ModelError) as caught:
                read_reply(json.dumps({"error": {"message": text}}).encode(), endpoint="m", key=KEY)
            check_clean(str(caught.value))


def test_an_excerpt_has_no_piece_of_a_key_that_is_hidden_or_cut() -> None:
    for echo in (
        KEY,
        KEY[:-3],
        "\u200b".join(KEY),
        KEY.encode().hex(),
        f"\x00{KEY[:9]}\x00{KEY[9:]}",
    ):
        words = excerpt(f"status: {echo}, sorry", KEY)
        assert words == "status: [key], sorry"
    assert len(excerpt("word " * 200, KEY)) == 200
