"""Compare ways to guess tokens: none, what stood before (prompt lookup), an adapter of Kangaroo.

    python experiments/benchmarks/self_speculation.py [--draft FOLDER] [--model local/...]

Each way plays the same jobs, sums that the toy works out, some of them quoted in the prompt.  The
texts must be those without guesses; the share of guesses that came true, the steps and the
processor time a token stand beside.  Without a folder the adapter has random weights: it shows that
no text changes, and nothing about how well a trained one guesses.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers.utils import logging

# Started as a program, a file finds only its neighbours.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.local.choosing import TokenSampling
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from agents.local.engines import drafter_for
from agents.local.loading import LoadedModel, load
from agents.local.model import TOY
from agents.local.settings import Settings
from agents.local.sizing import rows_for
from agents.local.speculation import Guesses
from experiments.kangaroo import random_adapter


def some_jobs(loaded: LoadedModel, temperature: float) -> list[Job]:
    """Return jobs of the toy's form; every other one has its own answer in the prompt."""
    jobs = []
    for n in range(12):
        text = f"Q{10 + 7 * n % 89}+{11 + 13 * n % 88}+{12 + 5 * n % 87}:"
        ids = loaded.tokenizer(text, add_special_tokens=False).input_ids
        sampling = TokenSampling(temperature)
        jobs.append(Job(tuple(ids * (1 + n % 2)), 60, sampling, n, loaded.end_ids))
    return jobs


def play(
    loaded: LoadedModel, drafter: Callable[[], Guesses] | None, jobs: list[Job]
) -> tuple[list[GenerationResult], int, float]:
    """Return replies, steps, and processor seconds; one job at a time, as the released code."""
    engine = Engine(rows_for(loaded, Settings(slots=2, context=256)), str, drafter=drafter)

    async def ask() -> list[GenerationResult]:
        return [await engine.generate(job) for job in jobs]

    before = time.process_time()
    try:
        return asyncio.run(ask()), engine.counts.steps, time.process_time() - before
    finally:
        engine.close()


def main() -> None:
    """Print a line for each way and temperature."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=str(TOY), help="a folder or hub id")
    parser.add_argument("--draft", help="a folder with given weights; random ones without it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    loaded = load(options.model, Settings(device="cpu"))
    folder = options.draft or str(random_adapter(f"local/{options.model}"))
    ways = {
        "none": Settings(),
        "prompt lookup": Settings(seeds="free"),
        "Kangaroo" if options.draft else "Kangaroo, random": Settings(draft=folder),
    }
    for temperature in (0.0, 1.0):
        jobs = some_jobs(loaded, temperature)
        plain: list[GenerationResult] = []
        for way, settings in ways.items():
            replies, steps, seconds = play(loaded, drafter_for(loaded.model, settings), jobs)
            plain = plain or replies
            same = sum(a.ids == b.ids for a, b in zip(plain, replies, strict=True))
            shares = [r.measures["guesses_true_share"] for r in replies
                      if "guesses_true_share" in r.measures]  # fmt: skip
            tokens = sum(len(reply.ids) for reply in replies)
            share = f"{sum(shares) / len(shares):.2f}" if shares else "-"
            print(
                f"temperature {temperature:g}, {way:17}: {same} of {len(jobs)} texts the same,"
                f" guesses true {share}, {steps / tokens:.2f} steps and"
                f" {1e3 * seconds / tokens:.2f} ms a token"
            )
            if same < len(jobs):
                sys.exit("a guess has changed a text")


if __name__ == "__main__":
    main()
