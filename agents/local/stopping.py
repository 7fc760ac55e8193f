"""Decide after each token whether a reply has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agents.local.drafts import Draft

# Tokens that are decoded beyond the number of characters of the longest stop word: a character may
# be spread over several tokens.
SPARE_TOKENS = 8


class EndDetector:
    """Finds the ends of replies; `decode` turns token ids into text."""

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._pieces: dict[int, str] = {}

    def finish_reason(self, draft: Draft, token: int) -> str | None:
        """Return how a draft ends with its last token, "stop" or "length"; None if it goes on."""
        job = draft.job
        if token in job.end_ids or (job.stop and self._completes_stop_word(draft, token)):
            return "stop"
        if draft.state is not None and draft.state.is_cut:
            return "length"
        return "length" if len(draft.ids) - len(job.ids) >= job.max_tokens else None

    def _completes_stop_word(self, draft: Draft, token: int) -> bool:
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._decode([token])
        stop = draft.job.stop
        # A stop word ends with its last character, so most tokens need no look at the text.  Some
        # tokenizers drop a space at the beginning of a text, and a character that is spread over
        # several tokens decodes to U+FFFD: such tokens may be the end of any word.
        if (
            not any(word[-1].isspace() or word[-1] in piece for word in stop)
            and "\ufffd" not in piece
        ):
            return False
        tail = self._decode(draft.new_ids[-(max(map(len, stop)) + SPARE_TOKENS) :])
        return any(word in tail for word in stop)
