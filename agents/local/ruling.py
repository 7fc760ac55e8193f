"""Decide how the next tokens of some lanes are drawn: penalties, ways of decoding, tokens given.

What a graph on a GPU cannot do, since it looks at all tokens of a reply.  Lanes of one way are
computed together, each as if it were alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch

from agents.local.decoding.ck_plug import plug
from agents.local.decoding.soft_thinking import concepts
from agents.local.decoding.states import CertaintyState, PlugState, SoftState
from agents.local.drafts import Draft
from agents.local.rows import NOT_GIVEN, Ruled
from arena.decoding import SoftThinking

# What a rule raises for a reply that cannot go on under it.
RULE_ERRORS = (ValueError, TypeError, IndexError)


def rule_lanes(drafts: Sequence[Draft], logits: torch.Tensor) -> Ruled:
    """Return how the next token of each draft is drawn, for logits [drafts, vocabulary].

    A reply of two passes has both of its drafts here; nothing is drawn for the second.
    """
    changed: torch.Tensor | None = None
    given = [0 if draft.lead is not None else NOT_GIVEN for draft in drafts]
    faults: dict[int, Exception] = {}
    if any(draft.job.rules or isinstance(draft.state, PlugState) for draft in drafts):
        changed = logits.float().clone()
        weigh_contexts(drafts, changed)
        for number, draft in enumerate(drafts):
            if draft.job.rules:
                try:
                    changed[number] = draft.ruled_logits(changed[number : number + 1])[0]
                except RULE_ERRORS as error:
                    faults[number] = error
    think(drafts, logits if changed is None else changed, given)
    return Ruled(changed, given, faults)


def weigh_contexts(drafts: Sequence[Draft], logits: torch.Tensor) -> None:
    """Weigh both passes of replies that have two, in place."""
    where = {draft: number for number, draft in enumerate(drafts)}
    first, second, states = [], [], []
    for number, draft in enumerate(drafts):
        if isinstance(draft.state, PlugState) and draft.companion is not None:
            first.append(number)
            second.append(where[draft.companion])
            states.append(draft.state)
    if not first:
        return
    found = plug(logits[first], logits[second], [state.way for state in states])
    logits[first] = found.logits
    gains, adjusted = found.gain.tolist(), found.adjusted.tolist()
    for state, gain, is_adjusted in zip(states, gains, adjusted, strict=True):
        state.weigh(gain, is_adjusted)


def think(drafts: Sequence[Draft], logits: torch.Tensor, given: list[int]) -> None:
    """Note the tokens that thoughts are given."""
    soft: dict[SoftThinking, list[int]] = defaultdict(list)
    for number, draft in enumerate(drafts):
        if isinstance(draft.state, CertaintyState):
            given[number] = draft.state.next_token()
        elif isinstance(draft.state, SoftState) and draft.state.needs_concepts:
            soft[draft.state.way].append(number)
    for way, numbers in soft.items():
        found = concepts(logits[numbers].float(), way)
        parts = (found.tokens.tolist(), found.weights.tolist(), found.entropy.tolist())
        for number, tokens, weights, entropy in zip(numbers, *parts, strict=True):
            state = drafts[number].state
            assert isinstance(state, SoftState)
            given[number] = state.next_token(tokens, weights, entropy)
