"""Learn from stored calls how long replies are, and how many bytes of a prompt are a token.

No tokenizer is used for it: that of a provider may not be public, and another one would be wrong by
more than the average of what the provider itself has counted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from arena.store.database import select_rows

# The latest calls to each model tell enough, and a large store need not be read whole.
MOST_CALLS = 2000
# A token is taken as four characters where nothing was counted, mostly of one byte.
BYTES_A_TOKEN = 4.0

LENGTHS = f"""
    with latest as (
        select c.*, s.model, p.protocol from call_ends c
        join seats s using (episode, seat) join plays p using (episode)
        where c.status = 'ok' and c.ask = 0 and c.tokens_out is not null
          and p.protocol in (select unnest($1))
        qualify row_number() over (partition by s.model order by c.started_at desc) <= {MOST_CALLS})
    select l.model, l.protocol, t.phase, count(*), sum(l.tokens_out),
           sum(coalesce(length(t.public), 0)), sum(coalesce(length(t.thoughts), 0)),
           sum(l.prompt_bytes) filter (l.tokens_in > 0),
           sum(l.tokens_in) filter (l.prompt_bytes is not null)
    from latest l join turns t using (episode, seat, step) group by all order by all
"""


@dataclass(frozen=True, slots=True)
class ReplyLength:
    """The mean length of replies: tokens, and characters of their public words and thoughts."""

    tokens: int
    public: int
    thoughts: int


@dataclass(frozen=True, slots=True)
class StoredLengths:
    """What stored calls tell of lengths.

    `replies` go by (model or "" for all, protocol, phase), `bytes_a_token` of prompts by model;
    `calls` counts the calls that told it.
    """

    replies: dict[tuple[str, str, str], ReplyLength] = field(default_factory=dict)
    bytes_a_token: dict[str, float] = field(default_factory=dict)
    calls: int = 0

    def reply(self, model: str, protocol: str, phase: str) -> ReplyLength | None:
        """Return the length of a model's replies in a phase, or that of all models' there."""
        return self.replies.get((model, protocol, phase)) or self.replies.get(("", protocol, phase))

    def describe(self, models: Collection[str]) -> str | None:
        """Say what was learned of these models, None if nothing was."""
        if not self.calls:
            return None
        counted = sorted(set(models) & self.bytes_a_token.keys())
        words = f"lengths of replies from {self.calls:,} stored calls, by model and phase"
        if counted:
            words += f"; bytes a token of {', '.join(counted)} as counted there"
        return words


def load_lengths(path: Path, protocols: Collection[str]) -> StoredLengths:
    """Return what the calls of a store tell of plays of these protocols; nothing if it is new."""
    if not path.exists():
        return StoredLengths()
    rows = select_rows(path, LENGTHS, [sorted(protocols)]).rows
    totals: dict[tuple[str, str, str], list[int]] = {}
    sizes: dict[str, list[int]] = {}
    for model, protocol, phase, *counts, prompt_bytes, tokens_in in rows:
        for name in (model, ""):
            sums = totals.setdefault((name, protocol, phase), [0, 0, 0, 0])
            totals[name, protocol, phase] = [a + b for a, b in zip(sums, counts, strict=True)]
        if prompt_bytes and tokens_in:
            size = sizes.setdefault(model, [0, 0])
            sizes[model] = [size[0] + prompt_bytes, size[1] + tokens_in]
    replies = {
        key: ReplyLength(*(round(total / count) for total in others))
        for key, (count, *others) in totals.items()
    }
    ratios = {model: size / tokens for model, (size, tokens) in sizes.items()}
    return StoredLengths(replies, ratios, sum(row[3] for row in rows))
