"""Run a model over whole texts: its last hidden states, and the logits of some of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel
from transformers.utils import ModelOutput


def last_states(model: PreTrainedModel, ids: torch.Tensor) -> ModelOutput:
    """Return the output of a model without its head, for texts of equal length, ids [rows, n].

    Its first entry are the hidden states after the last norm, [rows, n, size].
    """
    output: ModelOutput = model.base_model(input_ids=ids, use_cache=False, return_dict=True)
    return output


def logits_of(model: PreTrainedModel, output: ModelOutput, states: torch.Tensor) -> torch.Tensor:
    """Return the logits [k, vocabulary], float32, of hidden states [k, size].

    The model's own code makes them, with what it does behind its head (caps and scales); `output`
    is what it gave with these states, among others.
    """
    part = type(output)(**{**output, "last_hidden_state": states[None]})
    places = torch.zeros(1, len(states), dtype=torch.long, device=states.device)
    with replaced_body(model, part) as calls:
        logits = model(input_ids=places, use_cache=False).logits[0]
    if not calls:
        raise TypeError(f"{type(model).__name__} does not call its {model.base_model_prefix}")
    return logits.float()


@contextmanager
def replaced_body(model: PreTrainedModel, output: ModelOutput) -> Iterator[list[ModelOutput]]:
    """Let the body of a model return a given output; yields a list with an entry for each call."""
    calls: list[ModelOutput] = []

    def note() -> ModelOutput:
        calls.append(output)
        return output

    # An attribute of the instance hides the method of its class.
    body = vars(model.base_model)
    body["forward"] = lambda *_, **__: note()
    try:
        yield calls
    finally:
        del body["forward"]
