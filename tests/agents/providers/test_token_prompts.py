"""A begun reply keeps as many of its own tokens as its text allows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agents.providers.token_prompts import matching_tokens

WORDS = "Die 你好，世界😀 \ufffd e\u0301."


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_most_tokens_are_kept_although_tokens_cut_characters_in_two(size: int) -> None:
    """Tokens of so many bytes, against all beginnings one by one."""
    data = WORDS.encode()
    ids = range(-(-len(data) // size))

    async def decode(some: Sequence[int]) -> str:
        return data[: size * len(some)].decode(errors="replace")

    for end in range(len(WORDS) + 1):
        text = f"{WORDS[:end]}~"
        words = [await decode(ids[:count]) for count in range(len(ids) + 1)]
        most = max(count for count, each in enumerate(words) if text.startswith(each))
        assert await matching_tokens(ids, text, decode) == (ids[:most], len(words[most]))
