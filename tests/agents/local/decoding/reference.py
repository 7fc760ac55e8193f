"""Ways of decoding step by step, written from their formulas: one sequence, no cache, no batch."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from arena.decoding import CertaintyStop, CkPlug, SoftThinking, SpeculativeThinking


@dataclass
class Told:
    """Tokens of a reply, the logits before each (log-softmax), and what a way did."""

    ids: list[int] = field(default_factory=list)
    logprobs: list[torch.Tensor] = field(default_factory=list)
    adjusted: list[torch.Tensor] = field(default_factory=list)
    mixed: int = 0
    handed_over: int = 0
    handovers: int = 0
    checks: int = 0
    dropped: int = 0
    gains: list[float] = field(default_factory=list)
    weighed: int = 0
    cut: bool = False


def drawn(logits: torch.Tensor, temperature: float, uniform: float) -> int:
    """The token at which the cumulative distribution passes a uniform number."""
    if temperature == 0:
        return int(logits.argmax())
    p = (logits / temperature).double().softmax(-1)
    return int((p.cumsum(-1) <= uniform).sum().clamp(max=len(p) - 1))


def embedded(model: torch.nn.Module, parts: list[torch.Tensor]) -> torch.Tensor:
    return model(inputs_embeds=torch.stack(parts)[None]).logits[0, -1].float()


def soft(
    model: torch.nn.Module,
    prompt: tuple[int, ...],
    way: SoftThinking,
    end: tuple[int, ...],
    length: int,
    seed: int,
    temperature: float = 0.0,
    stops: frozenset[int] = frozenset(),
) -> Told:
    """Think in concept tokens, then answer in tokens."""
    table = model.get_input_embeddings()
    parts = [table(torch.tensor(token)) for token in prompt]
    told, stream = Told(), random.Random(seed)
    thinking, cold, write = True, 0, 0
    while len(told.ids) < length:
        logits = embedded(model, parts)
        told.logprobs.append(logits.log_softmax(-1))
        uniform = stream.random()
        p = (logits / (way.temperature or 1)).softmax(-1)
        entropy = float(-(p * p.log()).sum())
        if not thinking:
            token = drawn(logits, temperature, uniform)
            cold = cold + 1 if entropy < way.cold_entropy else 0
            told.cut = way.cold_answer and cold >= way.cold_tokens
            told.ids.append(token)
            parts.append(table(torch.tensor(token)))
            if token in stops or told.cut:
                break
            continue
        order = p.argsort(descending=True, stable=True).tolist()
        kept = order[: way.top_k or None]
        mass = float(p[kept].sum()) if way.top_k else 1.0
        before, allowed = 0.0, []
        for each in kept:
            if before < way.top_p * mass and float(p[each]) >= way.min_p * float(p[order[0]]):
                allowed.append(each)
            before += float(p[each])
        allowed = allowed[: 1 if way.temperature == 0 else way.concepts]
        cold = cold + 1 if entropy < way.cold_entropy else 0
        mixes = not write and cold < way.cold_tokens
        token = allowed[0] if mixes else end[write]
        write += not mixes
        told.ids.append(token)
        thinking = tuple(told.ids[-len(end) :]) != end
        if thinking and mixes:
            weight = p[allowed] / p[allowed].sum()
            parts.append((weight[:, None] * table(torch.tensor(allowed))).sum(0))
            told.mixed += len(allowed) > 1
        else:
            parts.append(table(torch.tensor(token)))
        if not thinking:
            cold = 0
        if token in stops:
            break
    return told


def thoughts(
    assistant: torch.nn.Module,
    weights: dict[str, torch.Tensor],
    ids: list[int | None],
    initial: int,
) -> list[torch.Tensor]:
    """Project the assistant's last states at the places where its prompt has no token."""
    table = assistant.get_input_embeddings()
    parts = [
        weights["embedding"][initial] if token is None else table(torch.tensor(token))
        for token in ids
    ]
    states = assistant(inputs_embeds=torch.stack(parts)[None], output_hidden_states=True)
    last = states.hidden_states[-1][0]
    return [
        weights["weight"] @ last[place] + weights["bias"]
        for place, token in enumerate(ids)
        if token is None
    ]


def thought_before(
    model: torch.nn.Module,
    ids: list[int | None],
    soft: list[torch.Tensor],
    length: int,
    seed: int,
    temperature: float = 0.0,
    stops: frozenset[int] = frozenset(),
) -> Told:
    """Go on from a prompt in which soft thoughts stand where there is no token."""
    table = model.get_input_embeddings()
    rest = iter(soft)
    parts = [next(rest) if token is None else table(torch.tensor(token)) for token in ids]
    told, stream = Told(), random.Random(seed)
    while len(told.ids) < length:
        logits = embedded(model, parts)
        told.logprobs.append(logits.log_softmax(-1))
        token = drawn(logits, temperature, stream.random())
        told.ids.append(token)
        parts.append(table(torch.tensor(token)))
        if token in stops:
            break
    return told


def ck(
    model: torch.nn.Module,
    prompt: tuple[int, ...],
    without: tuple[int, ...],
    way: CkPlug,
    length: int,
    seed: int,
    temperature: float = 0.0,
    stops: frozenset[int] = frozenset(),
) -> Told:
    """Two passes a token, whose distributions are weighed where the context confuses."""
    told, stream = Told(), random.Random(seed)
    while len(told.ids) < length:
        logits = [
            model(torch.tensor([[*head, *told.ids]])).logits[0, -1].float()
            for head in (prompt, without)
        ]
        told.logprobs.append(logits[0].log_softmax(-1))
        c, p = (each.log_softmax(-1) for each in logits)
        keep = torch.zeros(len(c), dtype=torch.bool)
        for each in (c, p):
            ordered = each.sort(descending=True).values
            keep |= each >= min(float(ordered[9]), float(ordered[0]) + math.log(0.01))
        nothing = torch.tensor(-math.inf)
        c, p = (torch.where(keep, each, nothing).log_softmax(-1) for each in (c, p))
        h_c, h_p = (float(-(x[keep].exp() * x[keep]).sum()) for x in (c, p))
        times = 2 if way.rule == "released" else 1
        told.gains.append(h_p - h_c)
        adjusted = c
        if h_p - times * h_c < way.epsilon:
            told.weighed += 1
            d = h_c + h_p * (1 + abs(h_c - h_p) / (h_c + h_p))
            a, b = (2 * h_c / d, 2 * h_p / d) if way.alpha is None else (way.alpha, 1 - way.alpha)
            adjusted = torch.where(keep, a * p + b * (c - p), nothing)
        told.adjusted.append(adjusted)
        token = drawn(adjusted, temperature, stream.random())
        told.ids.append(token)
        if token in stops:
            break
    return told


def sure(
    model: torch.nn.Module,
    prompt: tuple[int, ...],
    way: CertaintyStop,
    end: tuple[int, ...],
    length: int,
    seed: int,
    temperature: float,
    stops: frozenset[int] = frozenset(),
) -> Told:
    """Write the end of the thought once the mean self-certainty of a window is high enough."""
    told, stream = Told(), random.Random(seed)
    certain: list[float] = []
    write = 0
    while len(told.ids) < length:
        logits = model(torch.tensor([[*prompt, *told.ids]])).logits[0, -1].float()
        told.logprobs.append(logits.log_softmax(-1))
        window = certain[-way.window :]
        thinking = all(tuple(told.ids[n : n + len(end)]) != end for n in range(len(told.ids)))
        full = len(window) == way.window and len(certain) >= way.least
        uniform = stream.random()
        if thinking and (write or (full and sum(window) / way.window >= way.threshold)):
            token = end[write]
            write += 1
        else:
            token = drawn(logits, temperature, uniform)
        told.ids.append(token)
        certain.append(float(-math.log(len(logits)) - logits.log_softmax(-1).mean()))
        if token in stops:
            break
    return told


def plain(
    model: torch.nn.Module,
    ids: list[int],
    reply: int,
    tokens: int,
    seed: int,
    temperature: float,
    is_end: Callable[[list[int]], bool],
) -> tuple[list[int], list[torch.Tensor]]:
    """Go on from ids, whose last `reply` tokens are of the reply: tokens, logits before each."""
    stream = random.Random(seed)
    for _ in range(reply):
        stream.random()
    new: list[int] = []
    logprobs = []
    while len(new) < tokens and not (new and is_end(new)):
        logits = model(torch.tensor([[*ids, *new]])).logits[0, -1].float()
        logprobs.append(logits.log_softmax(-1))
        new.append(drawn(logits, temperature, stream.random()))
    return new, logprobs


def speculative(
    small: torch.nn.Module,
    large: torch.nn.Module,
    prompt: tuple[int, ...],
    way: SpeculativeThinking,
    decode: Callable[[list[int]], str],
    classify: Callable[[str], int],
    verifies: Callable[[str], bool],
    check: list[int],
    length: int,
    seed: int,
    temperature: float,
    stops: frozenset[int],
) -> Told:
    """A larger model writes what follows an end of a paragraph where the draft reflects."""
    told = Told()

    def write(
        model: torch.nn.Module, tokens: int, *, paragraph: bool = False
    ) -> tuple[list[int], list[torch.Tensor]]:
        def is_end(new: list[int]) -> bool:
            return new[-1] in stops or (paragraph and "\n\n" in decode(new))

        room = min(tokens, length - len(told.ids))
        ids = [*prompt, *told.ids]
        return plain(model, ids, len(told.ids), room, seed, temperature, is_end)

    def over() -> bool:
        return len(told.ids) >= length or (bool(told.ids) and told.ids[-1] in stops)

    def hand_over(tokens: int) -> list[int]:
        new, logprobs = write(large, tokens)
        told.ids += new
        told.logprobs += logprobs
        told.handed_over += len(new)
        return new

    if way.every:
        hand_over(way.first_tokens)
    count, most, longer = 0, way.most_negative, way.check_tokens
    while not over():
        new, logprobs = write(small, length, paragraph=True)
        told.ids += new
        told.logprobs += logprobs
        if over():
            break
        if count >= most:
            told.checks += 1
            sentence = check[: length - len(told.ids)]
            told.ids += sentence
            told.handed_over += len(sentence)
            if not over():
                hand_over(longer)
            count = 0
            most = min(most + way.negative_step, way.negative_limit)
            longer = min(longer + way.check_step, way.check_limit)
            continue
        draft, logprobs = write(small, way.piece)
        kind = classify(decode(draft))
        count += kind < 0
        if kind or way.every:
            told.handovers += 1
            told.dropped += len(draft)
            draft = hand_over(way.piece)
        else:
            told.ids += draft
            told.logprobs += logprobs
        if not over() and verifies(decode(draft)):
            hand_over(way.check_tokens)
    return told
