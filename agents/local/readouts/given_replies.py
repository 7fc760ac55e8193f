"""Read a given reply with a local model, and measure it: nothing is generated.

One forward pass over the prompt and the reply gives the log probability of every token, entropy and
self-certainty; numbers from the last hidden state of the prompt; and, while it runs, what UQAC
needs of the attention (attention_chain.py).  Logits exist for a stretch of tokens at a time, states
until the reply is measured, and weights of attention within a layer.

A reply that this model generated is read as the tokens that it was, with the one that ended it, so
that its numbers are those that were measured while it was spoken.  Other words are tokenized here;
the measure `read_stored_share` says how much was stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import orjson
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from agents.local.loading import LoadedModel
from agents.local.measures import measure, reply_measures
from agents.local.prompts import ChatTokenizer
from agents.local.readouts.attention_chain import Watcher, is_stop_word, measure_chain, watched
from agents.local.readouts.passes import last_states, logits_of
from arena.errors import ContextOverflowError, RefusedError
from arena.sampling import READOUT
from arena.types import Alternative, Reply, Request, TokenChoice

# Logits that exist at once.
LOGITS_PER_STRETCH = 2**23
# Numbers that a hidden state is projected to, and the seed of the directions: both are part of what
# the features mean, and never change.
STATE_NUMBERS = 64
STATE_SEED = 220705221
# Quantiles of log probabilities, arXiv 2404.10136.
PERCENTS = (0, 10, 25, 50, 75, 90)
NO_TOKENS = "the tokenizer drops characters of the reply, so that no token is known for its answer"


class Runner(Protocol):
    """An engine, or several: it runs work on its device thread."""

    @property
    def capacity(self) -> int:
        """The number of tokens that a prompt and its reply can have together."""

    async def run(self, work: Callable[[], Reply], group: str = "") -> Reply:
        """Return the result of work on the device thread; see Engine.run."""


@dataclass(frozen=True, slots=True)
class GivenReply:
    """A prompt and a reply to it as tokens.

    `answer` are the first token of the answer in the reply, and the one behind it; None: not asked.
    `stored` counts tokens of the reply that are those which the model generated.
    """

    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    stored: int
    answer: tuple[int, int] | None

    @property
    def ids(self) -> tuple[int, ...]:
        """Return all tokens."""
        return self.prompt + self.reply


@dataclass(frozen=True, slots=True)
class TokenNumbers:
    """Numbers of the n tokens of a reply, in nats: [n], but `certainty` [n + 1].

    The last certainty is that of the token which would follow.  `alternatives` holds the likeliest
    tokens in the place of each as pairs (token, log probability).
    """

    logprob: NDArray[np.float32]
    entropy: NDArray[np.float32]
    certainty: NDArray[np.float32]
    alternatives: list[list[tuple[int, float]]]


async def read_off(
    name: str,
    chat: ChatTokenizer,
    copies: Sequence[LoadedModel],
    engine: Runner,
    request: Request,
) -> Reply:
    """Return the readouts that a request asks for: measures, log probabilities, and JSON as text.

    Raises RefusedError if there is no reply to read, or no answer in it where one is said to be,
    ContextOverflowError if it is too long.
    """
    given = await asyncio.to_thread(given_reply, name, chat, request)
    if len(given.ids) > engine.capacity:
        raise ContextOverflowError(
            f"prompt and reply of {len(given.ids)} tokens do not fit {name}, whose sequences have"
            f" {engine.capacity} here (?context= sets that); read shorter ones",
            sent=False,
        )

    def work() -> Reply:
        return measured_reply(name, chat, model_here(copies), given, request)

    return await engine.run(work, request.place.episode)


def model_here(copies: Sequence[LoadedModel]) -> PreTrainedModel:
    """Return the copy of a model that is on the device of the running thread."""
    if len(copies) == 1:
        return copies[0].model
    here = torch.device("cuda", torch.cuda.current_device())
    return next(copy.model for copy in copies if copy.model.device == here)


def parts_of(request: Request) -> dict[str, tuple[int, int] | None]:
    """Return the readouts of a request, with the characters of the answer where they are given."""
    parts: dict[str, tuple[int, int] | None] = {}
    for readout in request.sampling.readouts:
        if (found := READOUT.fullmatch(readout)) is not None:
            parts[found[1]] = None if found[2] is None else (int(found[2]), int(found[3]))
    return parts


def given_reply(name: str, chat: ChatTokenizer, request: Request) -> GivenReply:
    """Return what is read: the prompt, and the prefill of a request as the reply."""
    prompt, begun = chat.parts(request, name)
    readouts = parts_of(request)
    places = {place for place in readouts.values() if place is not None}
    if "attention_chain" in readouts and not places:
        why = f"{name} was not told which characters of the reply are its answer; write"
        raise RefusedError(f"{why} readouts=('attention_chain@120:125',)", sent=False)
    if len(places) > 1:
        why = f"{name} was asked about two answers in one reply: {sorted(places)}; ask twice"
        raise RefusedError(why, sent=False)
    if set(readouts) != {"state"} and not begun.ids:
        raise RefusedError(
            f"{name} was given no reply to read: readouts of {' and '.join(readouts)} need the"
            " reply as the prefill",
            sent=False,
        )
    answer = None
    for start, end in places:
        answer = chat.token_span(prompt, begun.ids, start, end)
        # A tokenizer that drops characters reads a text that is shorter than the reply.
        if answer is None and not 0 <= start < end <= len(request.messages[-1].content):
            raise RefusedError(
                f"{name} was told that characters {start} to {end} of the reply are its answer, and"
                " no token stands there; give characters of the prefill",
                sent=False,
            )
    return GivenReply(prompt, begun.ids, begun.stored, answer)


def measured_reply(
    name: str, chat: ChatTokenizer, model: PreTrainedModel, given: GivenReply, request: Request
) -> Reply:
    """Run the passes, on the device thread, and return what was read."""
    readouts = parts_of(request)
    ids = torch.tensor(given.ids, device=model.device)
    text: dict[str, object] = {}
    measures: dict[str, float] = {}
    choices = None
    output: ModelOutput | None = None
    if "attention_chain" in readouts and given.answer is None:
        text["attention_chain"] = {"status": NO_TOKENS}
    elif "attention_chain" in readouts:
        try:
            output, found = read_chain(model, chat, given)
            measures |= found
        except (TypeError, ValueError, AttributeError) as error:
            reason = str(error).partition("\n")[0]
            text["attention_chain"] = {"status": f"no attention: {reason}"}
    if output is None:
        output = last_states(model, ids[None])
    states = output[0][0]
    if given.reply:
        measures["read_tokens"] = float(len(given.reply))
        measures["read_stored_share"] = given.stored / len(given.reply)
    if "state" in readouts:
        text["state"] = project(states[len(given.prompt) - 1])
    if "tokens" in readouts:
        most = request.sampling.logprobs
        numbers = read_tokens(model, output, ids, len(given.prompt), most or 0)
        measures |= token_measures(numbers, given.answer)
        choices = None if most is None else token_choices(chat, given.reply, numbers)
    return Reply(
        orjson.dumps(text).decode() if text else "",
        model_served=name,
        finish_reason="read",
        tokens_in=len(ids),
        tokens_out=0,
        logprobs=choices,
        measures=measures or None,
        tokens_prefilled=len(ids),
        decode_steps=0,
    )


def read_chain(
    model: PreTrainedModel, chat: ChatTokenizer, given: GivenReply
) -> tuple[ModelOutput, dict[str, float]]:
    """Return the output of a pass over a reply, and what it measures of UQAC.

    Raises TypeError, ValueError or AttributeError if the attention of the model cannot be read.
    """
    assert given.answer is not None
    start = len(given.prompt)
    words = (is_stop_word(chat.decode([token])) for token in given.reply)
    # Tokens of the prompt stand in no chain.
    open = torch.tensor([*(False for _ in given.prompt), *(not word for word in words)])
    first, last = (start + place for place in given.answer)
    watcher = Watcher(start, last - 1, open.to(model.device), last - first)
    with watched(model, watcher):
        output = last_states(model, torch.tensor([given.ids], device=model.device))
    return output, measure_chain(model, given.ids, output, watcher, (first, last))


def read_tokens(
    model: PreTrainedModel, output: ModelOutput, ids: torch.Tensor, first: int, most: int
) -> TokenNumbers:
    """Return the numbers of the tokens ids [n] from `first` on, with `most` alternatives of each.

    `output` holds the hidden states of all of them.
    """
    states = output[0][0]
    # The logits of a token are those of the state before it.  The last state has no token.
    following = torch.cat((ids[first:], ids[:1]))
    stretch = max(1, LOGITS_PER_STRETCH // model.config.get_text_config().vocab_size)
    columns, alternatives = [], []
    for start in range(first - 1, len(ids), stretch):
        logits = logits_of(model, output, states[start : start + stretch])
        chosen = following[start - first + 1 :][:stretch]
        columns.append(measure(logits, chosen).cpu())
        if most:
            # `measure` has shifted the logits, which changes no probability.
            value, token = logits.log_softmax(-1).topk(min(most, logits.shape[1]))
            pairs = zip(token.tolist(), value.clamp(max=0).tolist(), strict=True)
            alternatives += [list(zip(*pair, strict=True)) for pair in pairs]
    logprob, entropy, certainty = torch.cat(columns, 1).numpy()
    count = len(ids) - first
    return TokenNumbers(logprob[:count], entropy[:count], certainty, alternatives[:count])


def token_measures(numbers: TokenNumbers, answer: tuple[int, int] | None) -> dict[str, float]:
    """Return the measures of a reply, and those of its answer, in nats.

    The names are those of a reply that was generated (measures.py).  The published script of
    self-certainty takes the distributions behind each token in place of those it was drawn from
    (https://github.com/backprop07/Self-Certainty): `self_certainty_shifted_mean`.
    """
    logprob = numbers.logprob
    sums = (numbers.entropy.sum(dtype=np.float64), numbers.certainty[:-1].sum(dtype=np.float64))
    measures = reply_measures(logprob, *map(float, sums))
    measures["self_certainty_shifted_mean"] = float(numbers.certainty[1:].mean(dtype=np.float64))
    for percent, value in zip(
        PERCENTS, np.quantile(logprob.astype(np.float64), np.array(PERCENTS) / 100), strict=True
    ):
        measures[f"logprob_quantile_{percent}"] = float(value)
    if answer is not None:
        part = logprob[slice(*answer)].astype(np.float64)
        measures |= {
            "answer_tokens": float(len(part)),
            "answer_logprob_sum": float(part.sum()),
            "answer_logprob_mean": float(part.mean()),
            "answer_logprob_lowest": float(part.min()),
        }
    return measures


def token_choices(
    chat: ChatTokenizer, reply: tuple[int, ...], numbers: TokenNumbers
) -> tuple[TokenChoice, ...]:
    """Return the tokens of a reply with their log probabilities and alternatives."""
    others = numbers.alternatives or [[] for _ in reply]
    return tuple(
        TokenChoice(
            chat.decode([token]),
            min(float(logprob), 0.0),
            tuple(Alternative(chat.decode([other]), value) for other, value in near),
        )
        for token, logprob, near in zip(reply, numbers.logprob, others, strict=True)
    )


def project(state: torch.Tensor) -> list[float]:
    """Return 64 numbers, of six digits, for a hidden state [size].

    They are its products with random directions that are the same for all models of this size, so
    that distances between states are about kept (Johnson and Lindenstrauss, 1984).
    """
    draw = np.random.default_rng(STATE_SEED)
    directions = draw.standard_normal((STATE_NUMBERS, len(state))) / STATE_NUMBERS**0.5
    return [float(f"{number:.6g}") for number in directions @ state.double().cpu().numpy()]
