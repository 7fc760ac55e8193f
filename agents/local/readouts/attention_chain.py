"""Read UQAC off a model: the probability of an answer over its attention chain.

"Language Model Uncertainty Quantification with Attention Chain", arXiv 2503.19168.  From the
tokens of the answer one goes back to the tokens of the reply that they attend to most, and from
these to others.  Of this chain the ten tokens most like the answer are replaced, one at a time, by
what else was likely there; the confidence is the sum, over these texts and the reply itself, of
the probability of the answer times that of the chain.

Kept from the released code (https://github.com/Yinghao-Li/UQAC, commit 610e9a4): all settings, the
order of steps, and that the source of a token is the position before it, whose query predicts it.
Positions of the prompt are no sources.  Different: attention is reduced while the pass runs, so
that no weights are kept; the first token of a reply belongs to the last position of the prompt,
where the code takes the last of the reply; what the original token is not likely enough to replace
stays in, where the code drops the likeliest one; the sum, which can exceed 1, is cut there and
flagged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import local as thread_local

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.utils import ModelOutput

from agents.local.readouts.passes import last_states, logits_of
from agents.local.row_attention import attention_by

# What weights on the ten positions before the query are multiplied by, the nearest first.
DAMPING = (
    *(0.16644488, 0.20938152, 0.32959151, 0.46061748, 0.59304059),
    *(0.67549127, 0.73914525, 0.81274293, 0.87378443, 0.93925344),
)
HEADS = 16
# Columns of a row that are looked at, and tokens that a step takes.
LIKELIEST = 5
STEP = 3
LEAST_SCORE = 0.5
SHORTEST = 5
MOST_STEPS = 1000
# Tokens of the chain that are replaced, and replacements beside one for each.
KEPT = 10
VARIANTS = 10
LEAST_PROBABILITY = 0.01
TINY = 1e-12
# Tokens in a pass over variants, and weights that exist at once.
TOKENS_PER_PASS = 2**14
WEIGHTS_AT_ONCE = 2**25
ATTENTION = "watched"
STOP_WORDS = frozenset(
    """
    a about above after again against all am an and any are aren’t as at be because been before
    being below between both but by can’t cannot could couldn’t did didn’t do does doesn’t doing
    don’t down during each few for from further had hadn’t has hasn’t have haven’t having he he’d
    he’ll he’s her here here’s hers herself him himself his how how’s i i’d i’ll i’m i’ve if in into
    is isn’t it it’s its itself let’s me more most mustn’t my myself no nor not of off on once only
    or other ought our ours ourselves out over own same shan’t she she’d she’ll she’s should
    shouldn’t so some such than that that’s the their theirs them themselves then there there’s
    these they they’d they’ll they’re they’ve this those through to too under until up very was
    wasn’t we we’d we’ll we’re we’ve were weren’t what what’s when when’s where where’s which while
    who who’s whom why why’s with won’t would wouldn’t you you’d you’ll you’re you’ve your yours
    yourself yourselves
    """.split()  # noqa: SIM905
)
STOP_CHARACTERS = frozenset(".,!?;:'\"“”‘’()[]{}_…\\@~`")
RUNNING = thread_local()


@dataclass(frozen=True, slots=True)
class Row:
    """What a source attends to: pairs (column, weight), the heaviest first.

    `top` are the heaviest of all columns; `open` the heaviest that a chain may take.
    """

    top: tuple[tuple[int, float], ...] = ()
    open: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Variants:
    """Texts that differ in one token: for each its changes, none for the reply itself.

    `places` are positions of chain tokens, `changes` pairs (number of the place, token).
    """

    places: tuple[int, ...]
    changes: tuple[tuple[int, int] | None, ...]


class Watcher:
    """The heads with the lowest entropy of each row, while layers pass by.

    Rows are the queries [first, last) of `columns` positions, of which a chain may take those that
    are `open` [columns], bool.  Of each of the 16 best heads of a row the heaviest columns are
    kept: those of the maximum over heads are among them.
    """

    def __init__(self, first: int, last: int, open: torch.Tensor, answer: int) -> None:
        """Watch for a chain from `answer` tokens."""
        self.first, self.last, self.open = first, last, open
        # A chain that is still too short has used fewer columns than these.
        self.most_open = answer + SHORTEST + STEP + 1
        self.layers = 0
        rows = max(0, last - first)
        self.entropy = torch.full((HEADS, rows), float("inf"), device=open.device)
        width = min(LIKELIEST, len(open)) + min(self.most_open, len(open))
        self.weight = torch.zeros(HEADS, rows, width, device=open.device)
        self.column = torch.zeros(HEADS, rows, width, dtype=torch.long, device=open.device)

    def add(self, weights: torch.Tensor, start: int) -> None:
        """Note the weights [heads, n, columns], float32, of the queries from `start` on."""
        low, high = max(start, self.first), min(start + weights.shape[1], self.last)
        if low >= high:
            return
        shares = damped(weights[:, low - start : high - start], low)
        entropy = -(shares * (shares + TINY).log()).sum(-1)
        if len(entropy) > HEADS:
            # No other head of this layer can be among the best: what comes now takes the time.
            entropy, best_here = entropy.topk(HEADS, 0, largest=False)
            shares = shares.gather(0, best_here[..., None].expand(-1, -1, len(self.open)))
        top = shares.topk(min(LIKELIEST, len(self.open)), -1)
        taken = shares.masked_fill(~self.open, -1).topk(min(self.most_open, len(self.open)), -1)
        part = slice(low - self.first, high - self.first)
        found = torch.cat((self.entropy[:, part], entropy))
        weight = torch.cat((self.weight[:, part], torch.cat((top.values, taken.values), -1)))
        column = torch.cat((self.column[:, part], torch.cat((top.indices, taken.indices), -1)))
        best = found.topk(HEADS, 0, largest=False)
        places = best.indices[..., None].expand(-1, -1, weight.shape[-1])
        self.entropy[:, part] = best.values
        self.weight[:, part] = weight.gather(0, places)
        self.column[:, part] = column.gather(0, places)

    def row(self, source: int) -> Row:
        """Return what a source attends to; nothing for a position of the prompt."""
        if not self.first <= source < self.last:
            return Row()
        number = source - self.first
        known = self.entropy[:, number].isfinite()
        split = min(LIKELIEST, len(self.open))
        pairs = []
        for part, most in ((slice(0, split), LIKELIEST), (slice(split, None), self.most_open)):
            columns = self.column[known, number, part].flatten().tolist()
            weights = self.weight[known, number, part].flatten().tolist()
            heaviest: dict[int, float] = {}
            for column, weight in zip(columns, weights, strict=True):
                heaviest[column] = max(weight, heaviest.get(column, -1.0))
            order = sorted(heaviest.items(), key=lambda pair: (-pair[1], pair[0]))
            pairs.append(tuple(pair for pair in order[:most] if pair[1] >= 0))
        return Row(*pairs)


def damped(weights: torch.Tensor, start: int) -> torch.Tensor:
    """Return the shares [heads, n, columns] of weights of the queries from `start` on.

    The first column and the query's own position count nothing, the ten before it less; the rest is
    divided by its sum.
    """
    shares = weights.float().clone()
    rows, columns = shares.shape[1:]
    queries = torch.arange(start, start + rows, device=shares.device)[:, None]
    distance = queries - torch.arange(columns, device=shares.device)
    factors = torch.ones(len(DAMPING) + 2, device=shares.device)
    factors[0] = 0.0
    factors[1:-1] = torch.tensor(DAMPING, device=shares.device)
    # Columns behind the query have no weight anyhow.
    shares *= factors[distance.clamp(0, len(DAMPING) + 1)]
    shares[..., 0] = 0.0
    return shares / (shares.sum(-1, keepdim=True) + TINY)


def is_stop_word(text: str) -> bool:
    """Return whether the text of a token says too little to stand in a chain."""
    word = re.sub(r"\s+", "", text).lower()
    return not word or word in STOP_WORDS or word in STOP_CHARACTERS


def backtrack(
    row_of: Callable[[int], Row], answer: Sequence[int], open: Sequence[bool]
) -> list[int]:
    """Return the sources of a chain, in the order in which they are found, without the answer's.

    `answer` are the sources of the answer's tokens, `open` says which columns may be taken.
    """
    chain = list(answer)
    shortest = SHORTEST + len(answer)
    done: set[int] = set()
    sources = list(answer)
    for _ in range(MOST_STEPS):
        done.update(sources)
        found: dict[int, float] = {}
        for source in sources:
            row = row_of(source)
            near = {column for column, _ in row.top}
            further = [pair for pair in row.open if pair[0] not in near]
            for place, (column, weight) in enumerate((*row.top, *further)):
                enough = any(value > 0 for value in found.values()) or len(chain) >= shortest
                if place >= LIKELIEST and enough:
                    break
                if column != source and column - 1 not in done and open[column]:
                    found[column] = found.get(column, 0.0) + weight
        order = sorted(found, key=lambda column: (-found[column], column))
        taken: list[int] = []
        for column in order[:STEP]:
            # The code counts the tokens of a step twice here.
            long_enough = len(chain) + len(taken) >= shortest
            if found[column] <= 0 or (found[column] < LEAST_SCORE and long_enough):
                break
            taken.append(column)
            chain.append(column - 1)
        sources = [column - 1 for column in taken]
        if not sources:
            break
    return chain[len(answer) :]


def most_alike(states: torch.Tensor, chain: Sequence[int], answer: Sequence[int]) -> list[int]:
    """Return the sources of the ten tokens most like the answer, in the order of the text.

    Likeness is the mean cosine of the last hidden states [n, size] of a token and of those of the
    answer; it is not negative.
    """
    if not chain:
        return []
    places = torch.tensor(sorted(chain), device=states.device)
    answers = states[torch.tensor(answer, device=states.device) + 1].float()
    cosine = torch.cosine_similarity(answers[:, None], states[places + 1].float(), dim=-1)
    likeness = cosine.mean(0).tolist()
    order = sorted(range(len(likeness)), key=lambda number: -likeness[number])
    return sorted(int(places[number]) for number in order[:KEPT] if likeness[number] >= 0)


def variants_of(ids: Sequence[int], kept: Sequence[int], probability: torch.Tensor) -> Variants:
    """Return the reply and its variants: likely other tokens in the place of one that is kept.

    `probability` [kept, vocabulary] are those of the tokens behind the sources in `kept`.
    """
    changes: list[tuple[int, int] | None] = [None]
    if kept:
        likely = probability.topk(min(LIKELIEST, probability.shape[1]), -1)
        pairs = [
            (share, place, token)
            for place, row in enumerate(
                zip(likely.values.tolist(), likely.indices.tolist(), strict=True)
            )
            for share, token in zip(*row, strict=True)
            if share > LEAST_PROBABILITY
        ]
        best = sorted(pairs, key=lambda pair: -pair[0])[: VARIANTS + len(kept)]
        changes += [(place, token) for _, place, token in best if ids[kept[place] + 1] != token]
    return Variants(tuple(kept), tuple(changes))


def product(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the products [rows] of probabilities [rows, n], each at least 1e-12."""
    return probabilities.double().clamp_min(TINY).log().sum(-1).exp()


def variant_products(
    model: PreTrainedModel, ids: Sequence[int], variants: Variants, answer: Sequence[int]
) -> tuple[list[float], list[float]]:
    """Return (of the answer, of the chain) the probability in each variant, read in batches.

    `ids` end with the answer, whose sources are `answer`.
    """
    sources = torch.tensor([*variants.places, *answer], device=model.device)
    kept = len(variants.places)
    of_answer: list[float] = []
    of_chain: list[float] = []
    rows = max(1, TOKENS_PER_PASS // len(ids))
    for start in range(0, len(variants.changes), rows):
        some = variants.changes[start : start + rows]
        tokens = torch.tensor(ids, device=model.device).repeat(len(some), 1)
        for number, change in enumerate(some):
            if change is not None:
                tokens[number, variants.places[change[0]] + 1] = change[1]
        output = last_states(model, tokens)
        states = output[0][:, sources]
        logits = torch.stack([logits_of(model, output, row) for row in states])
        chosen = tokens[:, sources + 1]
        share = logits.log_softmax(-1).gather(-1, chosen[..., None])[..., 0].exp()
        of_chain += product(share[:, :kept]).tolist()
        of_answer += product(share[:, kept:]).tolist()
    return of_answer, of_chain


def measure_chain(
    model: PreTrainedModel,
    ids: Sequence[int],
    output: ModelOutput,
    watcher: Watcher,
    answer: tuple[int, int],
) -> dict[str, float]:
    """Return the measures of UQAC, for tokens ids whose [first, last) are the answer.

    `output` and `watcher` come from a pass over the ids.  `uqac` is in [0, 1], `uqac_sum` is not
    cut.  Beside them stand the probabilities of the answer, of the whole chain and of its part that
    is kept, the answer among them, as products and means.
    """
    states = output[0][0]
    sources = [place - 1 for place in range(*answer)]
    chain = backtrack(watcher.row, sources, watcher.open.tolist())
    kept = most_alike(states, chain, sources)
    measures = {
        "uqac_chain_tokens": float(len(chain)),
        "uqac_kept_tokens": float(len(kept)),
        "uqac_layers": float(watcher.layers),
    }
    for name, some in (("answer", []), ("chain", chain), ("kept", kept)):
        share = probability_of(model, output, ids, [*some, *sources])
        measures[f"uqac_{name}_product"] = float(product(share))
        measures[f"uqac_{name}_mean"] = float(share.double().mean())
    places = torch.tensor(kept, dtype=torch.long, device=states.device)
    probability = logits_of(model, output, states[places]).softmax(-1) if kept else states[:0]
    variants = variants_of(ids, kept, probability)
    products = variant_products(model, ids[: answer[1]], variants, sources)
    total = sum(one * other for one, other in zip(*products, strict=True))
    return {
        "uqac": min(1.0, total),
        "uqac_sum": total,
        "uqac_clipped": float(total > 1),
        "uqac_variants": float(len(variants.changes) - 1),
        **measures,
    }


def probability_of(
    model: PreTrainedModel, output: ModelOutput, ids: Sequence[int], sources: Sequence[int]
) -> torch.Tensor:
    """Return the probabilities [n] of the tokens behind some sources."""
    states = output[0][0]
    places = torch.tensor(sources, device=states.device)
    chosen = torch.tensor([ids[source + 1] for source in sources], device=states.device)
    shares = logits_of(model, output, states[places]).log_softmax(-1)
    return shares.gather(-1, chosen[:, None])[:, 0].exp()


def watched_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Attend as the eager attention of transformers does, in stretches, and note the weights.

    `query` is [1, heads, n, size], `key` and `value` [1, kv heads, columns, size]; `attention_mask`
    is True where a query may look, None if it may look at all before it.
    """
    odd = [name for name in ("s_aux", "position_bias") if options.get(name) is not None]
    if odd:
        raise TypeError(f"its attention takes {', '.join(odd)}")
    watcher: Watcher = RUNNING.watcher
    watcher.layers += 1
    softcap = options.get("softcap")
    heads, count = query.shape[1], query.shape[2]
    key, value = (part.repeat_interleave(heads // part.shape[1], 1) for part in (key, value))
    columns = torch.arange(key.shape[2], device=key.device)
    scale = query.shape[3] ** -0.5 if scaling is None else scaling
    out = torch.empty(1, count, heads, value.shape[3], dtype=value.dtype, device=value.device)
    stretch = max(1, WEIGHTS_AT_ONCE // (heads * len(columns)))
    for start in range(0, count, stretch):
        rows = slice(start, min(start + stretch, count))
        score = (query[:, :, rows] @ key.transpose(2, 3) * scale).float()
        if isinstance(softcap, float):
            score = (score / softcap).tanh() * softcap
        if attention_mask is None:
            sees = columns <= torch.arange(count, device=key.device)[rows, None]
        else:
            sees = attention_mask[:, :, rows, : len(columns)]
        weight = score.masked_fill(~sees, torch.finfo(torch.float32).min).softmax(-1)
        out[:, rows] = (weight.to(value.dtype) @ value).transpose(1, 2)
        watcher.add(weight[0], start)
    return out, None


@contextmanager
def watched(model: PreTrainedModel, watcher: Watcher) -> Iterator[None]:
    """Let a model attend in sight of a watcher for as long as the context lasts.

    Raises TypeError at the end if no layer has asked for attention.
    """
    AttentionInterface.register(ATTENTION, watched_attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    RUNNING.watcher = watcher
    try:
        with attention_by(model, ATTENTION):
            yield
    finally:
        del RUNNING.watcher
    if not watcher.layers:
        name = type(model).__name__
        raise TypeError(f"the attention of {name} cannot be read: it brings one of its own")
