"""Train the toy model, or measure it: `python -m agents.toy.train --steps N --out DIR`, `python -m agents.toy.train --evaluate DIR`.

A Qwen3 of two layers with 64 numbers a token, from scratch on random lessons (lessons.py), on one thread, so that a seed gives the same
weights on the same machine and versions.  Same loss as any language model, but for its weights: see `lessons.weighted`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

from agents.toy.language import END, IDS, PAD, tokenizer
from experiments.toy.evaluate import evaluate, format_scores
from experiments.toy.lessons import lesson, token_weights

STEPS, BATCH, RATE, WARM_UP = 1200, 64, 4e-3, 40
POOL = 16  # batches drawn at once and sorted by length, so that little is padding

Batch = tuple[torch.Tensor, torch.Tensor]


def new_model(seed: int) -> Qwen3ForCausalLM:
    """A model with random weights: the same for the same seed."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(IDS),
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=16,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=IDS[END],
        pad_token_id=IDS[PAD],
        dtype="float32",
    )
    return Qwen3ForCausalLM(config)


def pad(rows: list[tuple[list[int], list[float]]]) -> Batch:
    """Token ids and weights, both of shape (rows, longest row), with padding on the right, which weighs nothing."""
    longest = max(len(tokens) for tokens, _ in rows)
    tokens = torch.tensor([row + [IDS[PAD]] * (longest - len(row)) for row, _ in rows])
    weights = torch.tensor([row + [0.0] * (longest - len(row)) for _, row in rows])
    return tokens, weights


def batches(rng: random.Random, size: int) -> Iterator[Batch]:
    """Batches of lessons without end."""
    while True:
        rows = sorted(
            (token_weights(lesson(rng)) for _ in range(POOL * size)), key=lambda row: len(row[0])
        )
        pool = [pad(rows[start : start + size]) for start in range(0, len(rows), size)]
        rng.shuffle(pool)
        yield from pool


def loss_of(model: Qwen3ForCausalLM, batch: Batch) -> torch.Tensor:
    """The weighted mean of the cross entropy of each next token."""
    tokens, weights = batch
    logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
    each = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
    )
    weight = weights[:, 1:].flatten()
    return (each * weight).sum() / weight.sum()


def learning_rate_factor(done: int, steps: int) -> float:
    """The learning rate's share of its peak: a short rise, then half a cosine down to a hundredth."""
    if done < WARM_UP:
        return (done + 1) / WARM_UP
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / max(1, steps - WARM_UP)))


def make_optimizers(model: Qwen3ForCausalLM) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices inside, AdamW for the embeddings and norms; with AdamW alone the loss was 15 times as high after 400 steps."""
    inside = {
        name: each
        for name, each in model.named_parameters()
        if each.ndim == 2 and "embed" not in name
    }
    rest = [each for name, each in model.named_parameters() if name not in inside]
    return (
        torch.optim.Muon(
            inside.values(), lr=RATE, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(rest, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01),
    )


def train(
    steps: int = STEPS, seed: int = 0, *, batch: int = BATCH, report: int = 50
) -> Qwen3ForCausalLM:
    """A model trained for `steps` batches; prints the mean loss of every `report` steps."""
    torch.set_num_threads(1)
    model, lessons = new_model(seed).train(), batches(random.Random(f"lessons {seed}"), batch)
    optimizers = make_optimizers(model)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(each, lambda done: learning_rate_factor(done, steps))
        for each in optimizers
    ]
    lost, started = 0.0, time.process_time()
    for done in range(1, steps + 1):
        loss = loss_of(model, next(lessons))
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for each in (*optimizers, *schedules):
            each.step()
        lost += float(loss.detach())
        if done % report == 0:
            print(
                f"step {done:5}  loss {lost / report:.4f}  {time.process_time() - started:.0f} CPU seconds",
                flush=True,
            )
            lost = 0.0
    return model.eval()


def save(model: Qwen3ForCausalLM, folder: Path, made: dict[str, object]) -> None:
    """Write weights, configuration and tokenizer as an ordinary transformers folder, and how they were made into accuracy.json."""
    # No top_k: the default of 50 is more than the whole vocabulary, so that sampling is plain.
    model.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=128, eos_token_id=IDS[END], pad_token_id=IDS[PAD]
    )
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder, save_jinja_files=False)
    (folder / "accuracy.json").write_text(json.dumps({"training": made}, indent=2) + "\n")


def main() -> None:
    """The command line: `--steps`, `--seed` and `--out` train, `--evaluate` measures and writes accuracy.json."""
    parser = argparse.ArgumentParser(
        prog="python -m agents.toy.train", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for the trained model")
    parser.add_argument("--evaluate", type=Path, metavar="DIR", help="measure the model in DIR")
    options = parser.parse_args()
    if options.out is None and options.evaluate is None:
        parser.error("give --out DIR to train, --evaluate DIR to measure, or both")
    if options.out is not None:
        model = train(options.steps, options.seed)
        save(
            model,
            options.out,
            {"steps": options.steps, "seed": options.seed, "cpu_s": round(time.process_time())},
        )
    if options.evaluate is not None:
        print(format_scores(evaluate(options.evaluate)))


if __name__ == "__main__":
    main()
