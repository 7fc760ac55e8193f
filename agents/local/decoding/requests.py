"""Turn the way of decoding of a request into what the engine takes, or say why it cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from agents.local.decoding.partners import Partner, Partners
from agents.local.decoding.soft_cot import check_weights, numbers_of, thinker
from arena.decoding import CertaintyStop, CkPlug, SoftCot, SoftThinking, SpeculativeThinking
from arena.errors import ContextOverflowError, RefusedError, StudyError
from arena.types import Request, Sampling

if TYPE_CHECKING:
    from agents.local.drafts import GenerationResult, Job
    from agents.local.engine import Engine
    from agents.local.engines import Engines
    from agents.local.prompts import ChatTokenizer


def wrong_decoding(sampling: Sampling, find: Callable[[str], Partner], me: Partner) -> str | None:
    """Return why a sampling's way of decoding cannot be had by a model, or None.

    `find` returns the model of a reference without reading it, or raises StudyError.
    """
    way = sampling.decoding
    if way is None:
        return None
    if sampling.choices or sampling.readouts:
        return f"{way.by} writes a reply, and with choices or readouts nothing is written"
    if isinstance(way, SpeculativeThinking):
        try:
            find(way.model)
        except StudyError as error:
            return f"the larger model of {way.by} cannot be had: {error}"
    if isinstance(way, SoftCot):
        try:
            check_weights(way, me.folder(), find(way.assistant).folder())
        except StudyError as error:
            return f"{way.by} cannot be had: {error}"
    return None


def thoughts_in(sampling: Sampling) -> int:
    """Return how many soft thoughts stand in the prompt."""
    return sampling.decoding.thoughts if isinstance(sampling.decoding, SoftCot) else 0


async def generate(job: Job, request: Request, me: Partner, partners: Partners) -> GenerationResult:
    """Return the result of a job of a model, by the way of decoding that its request asks for.

    Raises RefusedError if it cannot be had.
    """
    way = request.sampling.decoding
    engine, chat = await me.running()
    if isinstance(way, SpeculativeThinking):
        larger = await partners.opened(way.model, me)
        return await hand_over(way, job, (engine, chat), await larger.running())
    if isinstance(way, SoftCot):
        assistant = await partners.opened(way.assistant, me)
        return await think_before(way, job, request, engine, assistant)
    return await engine.generate(decoded_job(job, request, chat, me.name))


def decoded_job(job: Job, request: Request, chat: ChatTokenizer, served: str) -> Job:
    """Return a job with the way of decoding of its request.

    Raises RefusedError if the prompt does not hold the context that is to be left out, or the
    tokenizer has no tokens for the end of a thought.
    """
    from agents.local.decoding.states import Way

    way = request.sampling.decoding
    if isinstance(way, CkPlug):
        beside = chat.ids(without_context(request, way.context), served)
        return replace(job, way=Way(way), beside=beside)
    if isinstance(way, SoftThinking | CertaintyStop):
        end = tuple(chat.tokenizer(way.end, add_special_tokens=False).input_ids)
        if not end:
            why = f"{served} has no tokens for {way.end!r}, with which {way.by} ends a thought"
            raise RefusedError(why, sent=False)
        return replace(job, way=Way(way, end))
    return job


def without_context(request: Request, context: str) -> Request:
    """Return a request whose messages do not hold a text; RefusedError if they never did."""
    found = {n for n, each in enumerate(request.messages) if context and context in each.content}
    if not found:
        raise RefusedError(
            f"ck_plug compares a prompt with and without a context, and this prompt holds no"
            f" {context!r:.60}: give CkPlug(context=...) a part of the prompt, word for word",
            sent=False,
        )
    messages = tuple(
        replace(each, content=each.content.replace(context, "")) if n in found else each
        for n, each in enumerate(request.messages)
    )
    # The places of generated tokens in a message that has changed are not known any more.
    spans = tuple(span for span in request.generated_spans if span.message not in found)
    return replace(request, messages=messages, generated_spans=spans)


async def think_before(
    way: SoftCot, job: Job, request: Request, engine: Engine | Engines, assistant: Partner
) -> GenerationResult:
    """Return the reply to a job whose prompt has places for soft thoughts.

    Raises ContextOverflowError if the prompt does not fit the assistant.
    """
    from agents.local.prompts import THOUGHT

    other, chat = await assistant.running()
    ids = chat.ids(request, assistant.name, way.thoughts)
    if len(ids) > other.capacity:
        why = f"the prompt of {len(ids)} tokens does not fit {way.assistant}; take a larger context"
        raise ContextOverflowError(why, sent=False)
    places = [place for place, token in enumerate(ids) if token == THOUGHT]
    found = await assistant.run(thinker(way, ids, places), job.group)
    prompt = list(job.ids)
    mine = [place for place, token in enumerate(prompt) if token == THOUGHT]
    for place, number in zip(mine, numbers_of(found), strict=True):
        prompt[place] = number
    vectors = dict(zip(mine, found, strict=True))
    result = await engine.generate(replace(job, ids=tuple(prompt), vectors=vectors))
    did = {
        "soft_thoughts": float(way.thoughts),
        "initial_token": float(way.initial),
        "forward_tokens": float(result.prefilled + result.steps),
        "forward_tokens_assistant": float(len(ids)),
    }
    return replace(result, measures=result.measures | did)


async def hand_over(
    way: SpeculativeThinking,
    job: Job,
    smaller: tuple[Engine | Engines, ChatTokenizer],
    larger: tuple[Engine | Engines, ChatTokenizer],
) -> GenerationResult:
    """Return the reply of two models to a job.

    Raises RefusedError if their tokens differ, ContextOverflowError if the prompt does not fit the
    larger one.
    """
    from agents.local.decoding.handover import Handover
    from arena.reflection import CHECK

    engine, chat = smaller
    larger_engine, larger_chat = larger
    encode = chat.tokenizer
    if encode.get_vocab() != larger_chat.tokenizer.get_vocab():
        raise RefusedError(
            f"{way.model} has other tokens than this model, so that it cannot go on from them: take"
            " two models of one family, or the protocol speculative_thinking",
            sent=False,
        )
    room = larger_engine.capacity - len(job.ids)
    if room < 1:
        why = f"the prompt of {len(job.ids)} tokens does not fit {way.model}; take a larger context"
        raise ContextOverflowError(why, sent=False)
    job = replace(job, max_tokens=min(job.max_tokens, room))
    check = tuple(encode(CHECK, add_special_tokens=False).input_ids)
    models = (engine.generate, larger_engine.generate)
    return await Handover(way, job, *models, chat.decode, check).write()
