"""Run tokens of many rows through a model, with keys and values in pages.

`OwnForward` computes Llama, Mistral, Qwen2 and Qwen3 with a few fused kernels; `ModelForward` runs
the model's own code with an attention that reads pages.  Both are compared with transformers when
a model is loaded.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple, Protocol

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin

from agents.local import plain
from agents.local.cache import cache_name
from agents.local.lane_inputs import Pass
from agents.local.row_attention import attention_by

FAMILY = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
# Rotations whose frequencies do not depend on the length of the text.
FIXED_ROTATIONS = ("default", "linear", "llama3", "yarn")
ATTENTION = "pages"


@dataclass(slots=True)
class Pages:
    """Keys and values of all layers, [layers, pages, page, kv heads, size], and the page table."""

    keys: torch.Tensor
    values: torch.Tensor
    table: torch.Tensor


class Mixed(NamedTuple):
    """Embeddings `states` [T, size] that stand in the place of tokens, where `lanes` [T, 1] are."""

    lanes: torch.Tensor
    states: torch.Tensor


class Forward(Protocol):
    """A model that keeps its keys and values in pages."""

    model: PreTrainedModel
    name: str

    def hidden(
        self, ids: torch.Tensor, tokens: Pass, pages: Pages, mixed: Mixed | None = None
    ) -> torch.Tensor:
        """Return the last hidden states [T, size] of tokens ids [T], int64."""

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits [n, vocabulary] of hidden states, in the model's dtype."""


def functions_for(device: torch.device) -> ModuleType:
    """Return the module with the functions of a step: Triton's on a GPU, else plain torch."""
    if device.type != "cuda":
        return plain
    from agents.local import kernels

    return kernels


def family_problem(model: PreTrainedModel) -> str | None:
    """Return why a model cannot be computed by OwnForward, or None."""
    config = model.config
    if type(model).__name__ not in FAMILY:
        return f"{type(model).__name__} is not of the family"
    rotation = getattr(model.model.rotary_emb, "rope_type", "")
    if rotation not in FIXED_ROTATIONS:
        return f"its rotations are of the kind {rotation!r}"
    if config.hidden_act != "silu":
        return f"its activation is {config.hidden_act}"
    linear = [
        module
        for layer in model.model.layers
        for part in (layer.self_attn, layer.mlp)
        for module in part.modules()
        if module is not part and next(module.children(), None) is None
    ]
    odd = {
        type(module).__name__
        for module in linear
        if isinstance(module, nn.Module) and hasattr(module, "in_features")
    } - {"Linear"}
    if odd:
        return f"its layers hold {', '.join(sorted(odd))}"
    if any(layer.self_attn.o_proj.bias is not None for layer in model.model.layers):
        return "its attention has a bias at the end"
    if any(module.bias is not None for layer in model.model.layers for module in
           (layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj)):  # fmt: skip
        return "its other layers have biases"
    return None


def merge(owner: nn.Module, names: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return weights and biases of linear modules as one, of which their own become views.

    One product of matrices takes less time than several, and no memory is taken twice.
    """
    known = getattr(owner, "merged_" + names[0], None)
    if known is not None:
        return known  # type: ignore[no-any-return]
    modules = [getattr(owner, name) for name in names]
    whole = torch.cat([module.weight.data for module in modules])
    bias = None
    if modules[0].bias is not None:
        bias = torch.cat([module.bias.data for module in modules])
    start = 0
    for module in modules:
        end = start + len(module.weight)
        module.weight.data = whole[start:end]
        if bias is not None:
            module.bias.data = bias[start:end]
        start = end
    setattr(owner, "merged_" + names[0], (whole, bias))
    return whole, bias


class Layer(NamedTuple):
    """The weights of a layer."""

    before: torch.Tensor
    qkv: torch.Tensor
    qkv_bias: torch.Tensor | None
    norms: torch.Tensor | None
    out: torch.Tensor
    after: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


class OwnForward:
    """Llama, Mistral, Qwen2 and Qwen3, with a handful of kernels a layer."""

    name = "own forward"

    def __init__(self, model: PreTrainedModel, capacity: int) -> None:
        self.model = model
        self._run = functions_for(model.device)
        config = model.config
        self._eps = config.rms_norm_eps
        size = head_size(model)
        self._scale = size**-0.5
        # One angle a position and pair, in the format in which transformers multiplies them.
        positions = torch.arange(capacity, device=model.device)[None]
        like = torch.zeros(1, dtype=model.dtype, device=model.device)
        cos, sin = model.model.rotary_emb(like, positions)
        self._cos, self._sin = (angle[0, :, : size // 2].contiguous() for angle in (cos, sin))
        self._layers = [self._weights(layer) for layer in model.model.layers]
        if model.device.type == "cuda":
            torch.cuda.empty_cache()

    def _weights(self, layer: nn.Module) -> Layer:
        attention, mlp = layer.self_attn, layer.mlp
        qkv, bias = merge(attention, ("q_proj", "k_proj", "v_proj"))
        gate_up, _ = merge(mlp, ("gate_proj", "up_proj"))
        norms = None
        if hasattr(attention, "q_norm"):
            norms = torch.stack((attention.q_norm.weight.data, attention.k_norm.weight.data))
        return Layer(
            layer.input_layernorm.weight.data,
            qkv.t(),
            bias,
            norms,
            attention.o_proj.weight.data.t(),
            layer.post_attention_layernorm.weight.data,
            gate_up.t(),
            mlp.down_proj.weight.data.t(),
        )

    def hidden(
        self, ids: torch.Tensor, tokens: Pass, pages: Pages, mixed: Mixed | None = None
    ) -> torch.Tensor:
        """Return the last hidden states [T, size] of tokens ids [T], int64."""
        run, eps = self._run, self._eps
        x = nn.functional.embedding(ids, self.model.model.embed_tokens.weight)
        if mixed is not None:
            x = torch.where(mixed.lanes, mixed.states, x)
        residual = torch.empty_like(x)
        for number, layer in enumerate(self._layers):
            keys, values = pages.keys[number], pages.values[number]
            h = run.add_norm(x, residual, layer.before, eps, first=number == 0)
            bias = layer.qkv_bias
            qkv = h @ layer.qkv if bias is None else torch.addmm(bias, h, layer.qkv)
            angles = (self._cos, self._sin)
            q = run.place(qkv, layer.norms, *angles, keys, values, pages.table, tokens, eps)
            attended = attend(run, q, keys, values, pages.table, tokens, self._scale)
            x = attended.flatten(1) @ layer.out
            h = run.add_norm(x, residual, layer.after, eps, first=False)
            x = run.gate(h @ layer.gate_up) @ layer.down
        return run.add_norm(x, residual, self.model.model.norm.weight, eps, first=False)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits [n, vocabulary] of hidden states, in the model's dtype."""
        return hidden @ self.model.lm_head.weight.t()


def attend(
    run: ModuleType,
    q: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    table: torch.Tensor,
    tokens: Pass,
    scale: float,
) -> torch.Tensor:
    """Return the attention [T, heads, size] of queries to the keys of their rows up to them."""
    spans = tokens.spans
    if spans is None:
        return run.attend(q, keys, values, table, tokens, scale)
    k, v = (block.flatten(0, 1)[spans.index] for block in (keys, values))
    if q.is_cuda and q.dtype != torch.float32 and q.shape[2] % 8 == 0 and q.shape[2] <= 256:
        # The flash kernel takes all pieces at once, aligns the last query of each with its last
        # key, and needs no repeated heads.
        begins = (spans.queries, spans.keys, spans.most_queries, spans.most_keys)
        flash = torch.ops.aten._flash_attention_forward
        return flash(q, k, v, *begins, 0.0, True, False, scale=scale)[0]
    out = torch.empty_like(q)
    begin = 0
    for piece in spans.pieces:
        end = begin + piece.place + piece.end - piece.start
        part = slice(piece.start, piece.end)
        out[part] = causal(q[part], k[begin:end], v[begin:end], scale)
        begin = end
    return out


def causal(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float) -> torch.Tensor:
    """Return the attention of q [n, heads, size], the last of the tokens of k and v [m, ...]."""
    n, m = len(q), len(k)
    mask = torch.ones(n, m, dtype=torch.bool, device=q.device).tril(m - n)
    q, k, v = (part.transpose(0, 1)[None] for part in (q, k, v))
    attended = nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
    )
    return attended[0].transpose(0, 1)


# The model's own code: transformers calls `page_attention` for its attention, and the layers of
# `PageLayer` for its cache.  What they need of the running pass is here.
RUNNING = threading.local()


@dataclass(slots=True)
class Running:
    """The pass that runs in a thread; `calls` counts the layers that asked for attention."""

    run: ModuleType
    tokens: Pass
    pages: Pages
    calls: int = 0


def page_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Attend in the running pass, in the form in which transformers asks for it.

    `query` is [T, heads, 1, size] for lanes and [1, heads, T, size] for pieces of prompts; `key`
    and `value` are the pages of the layer.
    """
    odd = [name for name in ("softcap", "s_aux", "position_bias") if options.get(name) is not None]
    if odd:
        raise TypeError(f"its attention takes {', '.join(odd)}")
    running: Running = RUNNING.now
    running.calls += 1
    heads, size = query.shape[1], query.shape[3]
    q = query.transpose(1, 2).reshape(-1, heads, size).contiguous()
    scale = size**-0.5 if scaling is None else scaling
    out = attend(running.run, q, key, value, running.pages.table, running.tokens, scale)
    return out.view(query.shape[0], query.shape[2], heads, size), None


class PageLayer(CacheLayerMixin):  # type: ignore[misc]  # transformers counts as untyped
    """Keys and values of one layer, in pages."""

    is_sliding = False
    is_initialized = True

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.is_initialized = True

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Do nothing: the pages are there."""

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        *args: object,
        kwargs: object = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values [rows, heads, n, size]; return the pages of the layer."""
        running: Running = RUNNING.now
        pages = running.pages
        keys, values = pages.keys[self.number], pages.values[self.number]
        k, v = (states.transpose(1, 2).flatten(0, 1) for states in (key_states, value_states))
        tokens = running.tokens
        plain.write(k, v, keys, values, pages.table, tokens)
        return keys, values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return (length, offset) of the keys that a mask would cover."""
        return query_length, 0

    def get_seq_length(self) -> int:
        """Return 0: a pass brings its own positions."""
        return 0

    def get_max_length(self) -> int:
        """Return -1: the pages have no length of their own."""
        return -1


class ModelForward:
    """Any model whose attention goes through transformers' AttentionInterface."""

    name = "the model's own forward"

    def __init__(self, model: PreTrainedModel, capacity: int) -> None:
        self.model = model
        self._run = functions_for(model.device)
        layers = model.config.get_text_config().num_hidden_layers
        cache = Cache(layers=[PageLayer(number) for number in range(layers)])
        self._options = {cache_name(model.base_model): cache}
        self._layers = layers
        AttentionInterface.register(ATTENTION, page_attention)

    def hidden(
        self, ids: torch.Tensor, tokens: Pass, pages: Pages, mixed: Mixed | None = None
    ) -> torch.Tensor:
        """Return the last hidden states [T, size] of tokens ids [T], int64."""
        running = Running(self._run, tokens, pages)
        # Lanes are a batch of single tokens, pieces of prompts one text.
        shape = (-1, 1) if tokens.spans is None else (1, -1)
        inputs = {"input_ids": ids.view(shape)}
        if mixed is not None:
            states = torch.where(mixed.lanes, mixed.states, self.model.get_input_embeddings()(ids))
            inputs = {"inputs_embeds": states.view(*shape, states.shape[1])}
        with attention_of_pages(self.model, running):
            output = self.model.base_model(
                **inputs,
                position_ids=tokens.places.long().view(shape),
                use_cache=True,
                **self._options,
            )
        if running.calls != self._layers:
            raise TypeError(f"{running.calls} of {self._layers} layers ask for attention")
        return output[0].reshape(len(ids), -1)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits [n, vocabulary] of hidden states, in the model's dtype."""
        return self.model.get_output_embeddings()(hidden)


@contextmanager
def attention_of_pages(model: PreTrainedModel, running: Running) -> Iterator[None]:
    """Let a model attend to pages for as long as the context lasts."""
    RUNNING.now = running
    try:
        with attention_by(model, ATTENTION):
            yield
    finally:
        del RUNNING.now


def head_size(model: PreTrainedModel) -> int:
    """Return the size of a head."""
    config = model.config.get_text_config()
    return int(
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )


def kv_heads(model: PreTrainedModel) -> int:
    """Return the number of heads of keys and values."""
    config = model.config.get_text_config()
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
