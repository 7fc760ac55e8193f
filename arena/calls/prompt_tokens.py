"""Expect how many tokens a prompt has, by script, and learn it from the replies of its model.

A token is four letters of English and may be a third of a Thai one, and every model cuts in its own
way.  So each script has a ratio of tokens to bytes for each model.  It begins high: no tokenizer
that works on bytes makes more tokens than bytes.  Each reply that states the tokens of its prompt
corrects it: upward at once, so that limits hold, downward at once for the first reply only.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Mapping

from arena.images import TOKENS_OF_AN_IMAGE
from arena.types import Message

# Tokens before the first reply: of a letter of English or a space, of a message's surroundings in a
# chat template, of an image, and of any other byte.
FIRST_RATIO = {"letters": 0.5, "messages": 12.0, "images": float(TOKENS_OF_AN_IMAGE)}
BOUND = 1.0
LETTERS = (string.ascii_letters + " \n").encode()
# The share of the way down that a later reply goes.
DOWNWARD = 0.1
# The first characters of the largest blocks above the small ones, which have 128 characters.
CJK = 0x2E80
PRIVATE = 0xE000
ASTRAL = 0x10000

Sizes = Mapping[str, int]


def script_of(character: str) -> str:
    """Return a word for the script of a character, by the block in which it stands."""
    code = ord(character)
    if code < 0x80:
        return "letters" if code in LETTERS else "signs"
    if code < CJK:
        return f"block {code >> 7}"
    if code < PRIVATE:
        return "cjk"
    return "bmp" if code < ASTRAL else f"plane {code >> 12}"


def bytes_by_script(messages: Iterable[Message]) -> dict[str, int]:
    """Return how many bytes in UTF-8 messages have in each script, how many they and images are."""
    sizes: Counter[str] = Counter()
    for message in messages:
        sizes["messages"] += 1
        if message.images:
            sizes["images"] += len(message.images)
        if message.content.isascii():
            signs = len(message.content.encode().translate(None, LETTERS))
            sizes["signs"] += signs
            sizes["letters"] += len(message.content) - signs
            continue
        # Few characters are different, so that each is looked at once.
        for character, count in Counter(message.content).items():
            size = len(character.encode("utf-8", "replace"))
            sizes[script_of(character)] += count * size
    return sizes


class PromptTokens:
    """The ratios of tokens to bytes by model and script, as learned so far."""

    def __init__(self) -> None:
        self._ratios: dict[str, dict[str, float]] = {}

    def knows(self, model: str) -> bool:
        """Return whether a prompt of this model has taught anything."""
        return model in self._ratios

    def _ratio(self, model: str, name: str) -> float:
        return self._ratios.get(model, {}).get(name, FIRST_RATIO.get(name, BOUND))

    def expect(self, model: str, sizes: Sizes) -> float:
        """Return the tokens that a prompt of these sizes is expected to have, rather too many."""
        return sum(size * self._ratio(model, name) for name, size in sizes.items())

    def learn(self, model: str, sizes: Sizes, tokens: int) -> None:
        """Correct the ratios of a model by the tokens that a prompt had."""
        shares = {name: size * self._ratio(model, name) for name, size in sizes.items() if size}
        expected = sum(shares.values())
        if tokens <= 0 or expected <= 0:
            return
        ratios = self._ratios.setdefault(model, {})
        for name, share in shares.items():
            # A script that makes little of the prompt is little to blame for the difference.
            way = share / max(shares.values())
            if tokens < expected and name in ratios:
                way *= DOWNWARD
            ratios[name] = self._ratio(model, name) * (tokens / expected) ** way
