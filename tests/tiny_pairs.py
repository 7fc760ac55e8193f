"""Tiny models of pairs with random weights, as folders that transformers reads."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModel, AutoModelForSequenceClassification
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from tests.tiny_models import tokenizer

NLI = ("contradiction", "ENTAILMENT", "neutral")


def tiny_pairs(folder: Path, labels: tuple[str, ...] | None, *, positions: int = 128) -> Path:
    """Write a tiny BERT: a classification with these labels, an encoder without any."""
    words = tokenizer()
    words.model_max_length = positions
    outputs = {} if labels is None else {"id2label": dict(enumerate(labels))}
    config = CONFIG_MAPPING["bert"](
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=positions,
        pad_token_id=words.pad_token_id,
        initializer_range=0.3,
        **outputs,
    )
    torch.manual_seed(3)
    reader = AutoModel if labels is None else AutoModelForSequenceClassification
    reader.from_config(config, dtype=torch.float32).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
