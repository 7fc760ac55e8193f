"""Train the toy model, or measure it.

    python experiments/toy/train.py --steps 1200 --out DIR
    python experiments/toy/train.py --evaluate agents/toy/weights

A Qwen3 of two layers with 64 numbers a token is trained from scratch on random lessons
(lessons.py), on one thread, so that a seed gives the same weights on the same machine with the
same versions.  The loss is that of any language model, with a weight for each token: see
`lessons.token_weights`.  evaluate.py measures the result.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

# Python puts the folder of a program on the path and not the repository that it belongs to.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.toy.language import END, IDS, PAD, tokenizer
from experiments.toy.evaluate import evaluate, format_scores
from experiments.toy.lessons import lesson, token_weights

STEPS = 1200
BATCH = 64
# The peak of the learning rate, and the steps of its rise.
RATE = 4e-3
WARM_UP = 40
# Batches drawn at once and sorted by length, so that little of a batch is padding.
POOL = 16

# Token ids, int64, and their weights in the loss, float32: both of shape (rows, longest row).
Batch = tuple[torch.Tensor, torch.Tensor]


def new_model(seed: int) -> Qwen3ForCausalLM:
    """Return a model with random weights, the same for the same seed."""
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
    """Return rows as one batch, padded on the right with tokens of weight 0."""
    longest = max(len(tokens) for tokens, _ in rows)
    tokens = torch.tensor([row + [IDS[PAD]] * (longest - len(row)) for row, _ in rows])
    weights = torch.tensor([row + [0.0] * (longest - len(row)) for _, row in rows])
    return tokens, weights


def batches(rng: random.Random, size: int) -> Iterator[Batch]:
    """Yield batches of `size` random lessons without end."""
    while True:
        rows = sorted(
            (token_weights(lesson(rng)) for _ in range(POOL * size)), key=lambda row: len(row[0])
        )
        pool = [pad(rows[start : start + size]) for start in range(0, len(rows), size)]
        # Sorting put the short lessons first; the order of the batches is made random again.
        rng.shuffle(pool)
        yield from pool


def loss_of(model: Qwen3ForCausalLM, batch: Batch) -> torch.Tensor:
    """Return the weighted mean of the cross entropy (nats) of each next token, a scalar."""
    tokens, weights = batch
    # Logits are about the token that follows: inputs lose the last token, targets the first.
    logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
    )
    weight = weights[:, 1:].flatten()
    return (losses * weight).sum() / weight.sum()


def learning_rate_factor(done: int, steps: int) -> float:
    """Return the share of the peak rate after `done` steps.

    It rises for WARM_UP steps, then falls along half a cosine to a hundredth.
    """
    if done < WARM_UP:
        return (done + 1) / WARM_UP
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / max(1, steps - WARM_UP)))


def make_optimizers(model: Qwen3ForCausalLM) -> tuple[torch.optim.Optimizer, ...]:
    """Return Muon for the inner matrices, and AdamW for the embeddings and norms.

    With AdamW alone the loss was 15 times as high after 400 steps.
    """
    matrices = {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.ndim == 2 and "embed" not in name
    }
    rest = [parameter for name, parameter in model.named_parameters() if name not in matrices]
    return (
        # Updates of Muon are scaled to the size of AdamW's, so that one learning rate serves both.
        torch.optim.Muon(
            matrices.values(), lr=RATE, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(rest, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01),
    )


def train(
    steps: int = STEPS, seed: int = 0, *, batch: int = BATCH, report: int = 50
) -> Qwen3ForCausalLM:
    """Return a model trained for `steps` batches; print the mean loss of every `report` steps."""
    # Several threads add up in an order that changes from run to run, and with it the weights.
    torch.set_num_threads(1)
    model = new_model(seed).train()
    lessons = batches(random.Random(f"lessons {seed}"), batch)
    optimizers = make_optimizers(model)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: learning_rate_factor(done, steps))
        for optimizer in optimizers
    ]
    total_loss = 0.0
    started = time.process_time()
    for done in range(1, steps + 1):
        loss = loss_of(model, next(lessons))
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for part in (*optimizers, *schedules):
            part.step()
        total_loss += float(loss.detach())
        if done % report == 0:
            seconds = time.process_time() - started
            print(
                f"step {done:5}  loss {total_loss / report:.4f}  {seconds:.0f} CPU seconds",
                flush=True,
            )
            total_loss = 0.0
    return model.eval()


def save(model: Qwen3ForCausalLM, folder: Path, training: dict[str, object]) -> None:
    """Write weights, configuration and tokenizer as an ordinary transformers folder.

    `training` tells how the weights were made; it goes into accuracy.json.
    """
    # No top_k: the default of 50 is more than the whole vocabulary, so that sampling is plain.
    model.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=128, eos_token_id=IDS[END], pad_token_id=IDS[PAD]
    )
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder, save_jinja_files=False)
    (folder / "accuracy.json").write_text(json.dumps({"training": training}, indent=2) + "\n")


def main() -> None:
    """Run the program: `--out` trains and saves, `--evaluate` measures and writes accuracy.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--steps", type=int, default=STEPS, help="batches to train on (default %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of weights and lessons (default %(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the trained model")
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
