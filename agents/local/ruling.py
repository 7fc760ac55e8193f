"""Decide how the next tokens of some lanes are drawn: penalties, ways of decoding, tokens given.

What a graph on a GPU cannot do, since it looks at all tokens of a reply.  Lanes of one way are
computed together, each as if it were alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

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

    The logits stay as they are.  A reply of two passes has both of its drafts here; nothing is
    drawn for the second.
    """
    given = [0 if draft.lead is not None else NOT_GIVEN for draft in drafts]
    faults: dict[int, Exception] = {}
    numbers, weighed = weigh_contexts(drafts, logits)
    changed = dict(zip(numbers, weighed.split(1), strict=True)) if numbers else {}
    for number, draft in enumerate(drafts):
        if draft.job.rules:
            own = changed.get(number, logits[number : number + 1])
            try:
                changed[number] = draft.ruled_logits(own)
            except RULE_ERRORS as error:
                faults[number] = error
    think(drafts, logits, changed, given)
    if any(draft.job.rules for draft in drafts):
        weighed = torch.cat([each.float() for each in changed.values()]) if changed else weighed
    return Ruled([*changed], weighed if changed else None, given, faults)


def weigh_contexts(drafts: Sequence[Draft], logits: torch.Tensor) -> tuple[list[int], torch.Tensor]:
    """Return the first drafts of replies that have two, and their weighed logits."""
    where = {draft: number for number, draft in enumerate(drafts)}
    first, second, states = [], [], []
    for number, draft in enumerate(drafts):
        if isinstance(draft.state, PlugState) and draft.companion is not None:
            first.append(number)
            second.append(where[draft.companion])
            states.append(draft.state)
    if not first:
        return [], logits
    found = plug(logits[first], logits[second], [state.way for state in states])
    gains, adjusted = found.gain.tolist(), found.adjusted.tolist()
    for state, gain, is_adjusted in zip(states, gains, adjusted, strict=True):
        state.weigh(gain, is_adjusted)
    return first, found.logits


def think(
    drafts: Sequence[Draft],
    logits: torch.Tensor,
    changed: Mapping[int, torch.Tensor],
    given: list[int],
) -> None:
    """Note the tokens that thoughts are given, by logits [drafts, vocabulary] or changed ones."""
    soft: dict[SoftThinking, list[int]] = defaultdict(list)
    for number, draft in enumerate(drafts):
        if isinstance(draft.state, CertaintyState):
            given[number] = draft.state.next_token()
        elif isinstance(draft.state, SoftState) and draft.state.needs_concepts:
            soft[draft.state.way].append(number)
    for way, numbers in soft.items():
        own = logits if len(numbers) == len(logits) else logits[numbers]
        if not changed.keys().isdisjoint(numbers):
            rows = (changed.get(number, logits[number : number + 1]) for number in numbers)
            own = torch.cat([each.float() for each in rows])
        found = concepts(own.float(), way)
        parts = (found.tokens.tolist(), found.weights.tolist(), found.entropy.tolist())
        for number, tokens, weights, entropy in zip(numbers, *parts, strict=True):
            state = drafts[number].state
            assert isinstance(state, SoftState)
            given[number] = state.next_token(tokens, weights, entropy)
