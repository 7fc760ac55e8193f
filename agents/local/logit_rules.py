"""Change the logits of a row before its token is drawn: penalties, and tokens ruled out or forced.

The rules are transformers' own processors, in the order in which `generate` applies them, so that a
model's generation_config.json means here what it means there.  Presence and frequency penalties,
which transformers does not have, are those of OpenAI and vLLM: they count the tokens of the reply,
and not those of the prompt.

Measures, alternatives and scores are of the logits before that, as the model gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from transformers.generation import logits_process as library

from agents.local.configured import is_neutral

# A row's tokens [1, n] and logits [1, vocabulary], float32, to its changed logits.
Processor = Callable[[torch.LongTensor, torch.FloatTensor], torch.FloatTensor]


def processors(
    rules: Mapping[str, Any], prompt: int, longest: int, end_ids: Iterable[int]
) -> list[Processor]:
    """Return the processors of the rules of a job, which are named as in generation_config.json.

    `prompt` is the number of its tokens before the reply, `longest` that at which it is full.
    Raises ValueError or TypeError for values that transformers refuses.
    """
    ends = sorted(end_ids)
    begin = prompt + (prompt <= 1 and rules.get("forced_bos_token_id") is not None)
    makers: dict[str, Callable[[Any], Processor]] = {
        "sequence_bias": library.SequenceBiasLogitsProcessor,
        "repetition_penalty": lambda value: library.RepetitionPenaltyLogitsProcessor(float(value)),
        "presence_penalty": lambda value: ReplyPenalty(prompt, presence=float(value)),
        "frequency_penalty": lambda value: ReplyPenalty(prompt, frequency=float(value)),
        "no_repeat_ngram_size": library.NoRepeatNGramLogitsProcessor,
        "bad_words_ids": lambda value: library.NoBadWordsLogitsProcessor(value, ends),
        "min_length": lambda value: library.MinLengthLogitsProcessor(value, ends),
        "min_new_tokens": lambda value: library.MinNewTokensLengthLogitsProcessor(
            prompt, value, ends
        ),
        "forced_bos_token_id": library.ForcedBOSTokenLogitsProcessor,
        "forced_eos_token_id": lambda value: library.ForcedEOSTokenLogitsProcessor(longest, value),
        "exponential_decay_length_penalty": lambda value: library.ExponentialDecayLengthPenalty(
            value, ends, prompt
        ),
        "suppress_tokens": library.SuppressTokensLogitsProcessor,
        "begin_suppress_tokens": lambda value: library.SuppressTokensAtBeginLogitsProcessor(
            value, begin
        ),
    }
    return [
        make(rules[name])
        for name, make in makers.items()
        if name in rules and not is_neutral(name, rules[name])
    ]


class ReplyPenalty:
    """Lower the logits of the tokens that stand in the reply already.

    By `presence` for each of them, and by `frequency` for each time that it stands there.
    """

    def __init__(self, prompt: int, *, presence: float = 0.0, frequency: float = 0.0) -> None:
        self._prompt = prompt
        self._presence = presence
        self._frequency = frequency

    def __call__(self, ids: torch.LongTensor, logits: torch.FloatTensor) -> torch.FloatTensor:
        """Return the changed logits [1, vocabulary]."""
        said, times = ids[0, self._prompt :].unique(return_counts=True)
        logits[0, said] -= self._presence + self._frequency * times
        return logits


def changed_logits(
    process: Sequence[Processor], ids: Sequence[int], logits: torch.Tensor
) -> torch.Tensor:
    """Return the logits [1, vocabulary], float32, of the token after `ids` under some rules.

    Raises ValueError if they leave no token.
    """
    # They work on the host, where the logits of one row are cheap.
    tokens = torch.tensor([list(ids)])
    found = logits.detach().float().cpu().clone()
    for step in process:
        found = step(tokens, found)
    if bool(torch.isneginf(found).all()):
        raise ValueError("its rules leave no token that could follow")
    return found.to(logits.device)
