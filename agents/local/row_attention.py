"""Attention over rows on a CPU that neither repeats grouped heads nor asks for a kernel per head.

transformers' own, with the kernel of torch, copies keys and values for every query head wherever
there is a mask, and is slow for one query a row, which is all that a decoding step has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

ATTENTION = "rows"
# Settings of an attention that is not plain.
ODD = ("softcap", "s_aux", "position_bias")


@contextmanager
def attention_by(model: PreTrainedModel, name: str | None) -> Iterator[None]:
    """Let a model attend by a function that is registered under a name; None changes nothing."""
    config = model.config.get_text_config()
    before = config._attn_implementation
    config._attn_implementation = name or before
    try:
        yield
    finally:
        config._attn_implementation = before


def row_attention_of(model: PreTrainedModel) -> str | None:
    """Return the name under which a model attends by `row_attention`; None if it shall not."""
    plain = model.config.get_text_config()._attn_implementation == "sdpa"
    if not plain or (model.device.type, model.dtype) != ("cpu", torch.float32):
        return None
    AttentionInterface.register(ATTENTION, row_attention)
    return ATTENTION


def row_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Attend in the form in which transformers asks for it.

    `query` is [rows, heads, n, size], `key` and `value` [rows, kv heads, columns, size]; the mask
    [rows, 1, n, columns] is added to the scores.  Without one a row has one query, or as many as
    columns.
    """
    rows, heads, count, size = query.shape
    is_odd = any(options.get(name) is not None for name in ODD)
    if count > 1 or is_odd:
        if attention_mask is None or is_odd:
            own, _ = sdpa_attention_forward(
                module, query, key, value, attention_mask, dropout, scaling, **options
            )
            return own, None
        out = nn.functional.scaled_dot_product_attention(
            query, key, value, attention_mask, scale=scaling, enable_gqa=True
        )
        return out.transpose(1, 2), None
    kv_heads = key.shape[1]
    scale = size**-0.5 if scaling is None else scaling
    score = (query.reshape(rows, kv_heads, -1, size) * scale) @ key.transpose(2, 3)
    if attention_mask is not None:
        score += attention_mask
    out = score.softmax(-1) @ value
    return out.reshape(rows, 1, heads, -1), None
