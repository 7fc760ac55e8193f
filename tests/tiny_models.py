"""Tiny language models with random weights, as folders that transformers reads.

The architectures and the safetensors are real; the tokenizer works on bytes.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
SIZES = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "initializer_range": 0.25,
}
GROUPED = {**SIZES, "intermediate_size": 96, "num_key_value_heads": 2, "head_dim": 12}
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "qwen3": ("qwen3", GROUPED),
    "llama": ("llama", GROUPED),
    "gpt2": (
        "gpt2",
        {"n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": 512, "initializer_range": 0.25},
    ),
    "gpt_neox": ("gpt_neox", {**SIZES, "intermediate_size": 96}),
    "sliding": ("mistral", {**GROUPED, "sliding_window": 16}),
    "hybrid": (
        "gemma3_text",
        {**GROUPED, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "mamba": (
        "mamba2",
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "state_size": 8,
            "num_heads": 4,
            "head_dim": 16,
            "n_groups": 1,
            "chunk_size": 8,
        },
    ),
    "experts": ("mixtral", {**GROUPED, "num_local_experts": 4, "sliding_window": None}),
    "alibi": ("bloom", {"hidden_size": 48, "n_layer": 2, "n_head": 4, "initializer_range": 0.25}),
}


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of bytes with the three special words of a chat template.

    A few merges let a text be cut into tokens in more than one way.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("a", "n"), ("i", "n"), ("1", "2"), ("Ġ", "the"), ("Ċ", "Ċ")]
    words = [*alphabet, *("".join(pair) for pair in merges)]
    inner = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        additional_special_tokens=SPECIAL[1:],
    )
    fast.chat_template = TEMPLATE
    return fast


def tiny(
    folder: Path, kind: str = "qwen3", *, seed: int = 0, template: bool = True, **changes: object
) -> Path:
    """Write a tiny model of a kind into a folder; `changes` go into its configuration."""
    words = tokenizer()
    if not template:
        words.chat_template = None
    name, sizes = KINDS[kind]
    ends = {
        "bos_token_id": None,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }
    config = CONFIG_MAPPING[name](**{"vocab_size": len(words), **ends, **sizes, **changes})
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = words.eos_token_id
    model.generation_config.pad_token_id = words.pad_token_id
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    with torch.no_grad():
        assert math.isfinite(sum(float(weight.sum()) for weight in model.parameters()))
    return folder
