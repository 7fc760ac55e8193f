"""Choose the likeliest of some options by the log probabilities of their tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arena.types import Reply

if TYPE_CHECKING:
    from agents.local.drafts import GenerationResult


def choice_reply(
    name: str, options: tuple[str, ...], ids: tuple[int, ...], scored: list[GenerationResult]
) -> Reply:
    """Return the reply to a request with choices, from the scores of each.

    Its measures are the log probability (nats) of each choice, and the probabilities of the choices
    relative to each other, which sum to 1.
    """
    import numpy as np

    total = np.array([sum(result.scores) for result in scored])
    # The largest is subtracted first: probabilities of long choices are too small for a float.
    share = np.exp(total - total.max())
    share /= share.sum()
    names = [f"logprob of {option}" for option in options]
    names += [f"probability of {option}" for option in options]
    measures = dict(zip(names, [*total.tolist(), *share.tolist()], strict=True))
    return Reply(
        options[int(total.argmax())],
        model_served=name,
        finish_reason="options",
        tokens_in=sum(result.reused + result.prefilled for result in scored),
        tokens_cached=sum(result.reused for result in scored),
        tokens_out=0,
        measures=measures,
        tokens_prefilled=sum(result.prefilled for result in scored),
        decode_steps=0,
    )
