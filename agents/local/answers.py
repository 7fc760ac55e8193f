"""Turn what the engine gives back into replies: a text with its thought, or one of some options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arena.play.reasoning import PartedText, part_reasoning
from arena.types import Alternative, Reply, Request, TokenChoice

if TYPE_CHECKING:
    from agents.local.drafts import GenerationResult
    from agents.local.prompts import ChatTokenizer


def written_reply(
    name: str,
    chat: ChatTokenizer,
    request: Request,
    ids: tuple[int, ...],
    result: GenerationResult,
) -> Reply:
    """Return the reply in a result; a thought in marks that it ends becomes its reasoning.

    It stays in the text if that goes on from a prefill or stops at a closing tag.  A reply without
    text is a reply like any other: with the same seed the model would end again.
    """
    stop = request.sampling.stop
    text = chat.decode_after(ids, result.ids)
    ends = [end for word in stop if (end := text.find(word)) >= 0]
    text = text[: min(ends)] if ends else text
    has_prefill = request.messages[-1].role == "assistant"
    has_tag = any("</" in word for word in stop)
    parted = part_reasoning(text, thoughts=False)
    if has_prefill or has_tag or parted.is_open:
        parted = PartedText(text)
    return Reply(
        parted.words,
        None if parted.reasoning is None else parted.inside,
        name,
        result.finish,
        tokens_in=len(ids),
        tokens_cached=result.reused,
        tokens_out=len(result.ids),
        # Without the thoughts, the tokens would not be those of the text.
        token_ids=result.ids if parted.reasoning is None else None,
        logprobs=token_choices(chat, result) if request.sampling.logprobs is not None else None,
        measures=result.measures,
        tokens_prefilled=result.prefilled,
        decode_steps=result.steps,
    )


def token_choices(chat: ChatTokenizer, result: GenerationResult) -> tuple[TokenChoice, ...]:
    """Return the tokens of a result as texts, each with its likeliest alternatives."""
    choices = []
    for record in result.records:
        others = [Alternative(chat.decode([token]), value) for token, value in record.alternatives]
        choices.append(TokenChoice(chat.decode([record.token]), record.logprob, tuple(others)))
    return tuple(choices)


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
