"""Do soft thoughts of a small model help a large one to think?  SoftCoT++ on local models, to copy.

The paper is "SoftCoT++: Test-Time Scaling with Soft Chain-of-Thought Reasoning" (Yige Xu et al.,
arXiv 2505.11484).

    arena run soft_cot                     the toy, with random weights, a minute, no network
    arena run soft_cot -o model=local/meta-llama/Llama-3.1-8B-Instruct \\
        -o assistant=local/meta-llama/Llama-3.2-1B-Instruct -o weights=FOLDER \\
        -o questions=gsm8k.jsonl -o max_tokens=1024
    arena report --study soft_cot
    arena sql "select arm, name, avg(value) from measures join turns using (episode, seat, step)
        join episodes using (episode) where name like 'forward_tokens%' group by all order by all"

`weights` is a folder with projection.bin, as the released code writes it when it trains.  Training
is no part of this project, and without a folder the weights are random: **nothing is learned from
random weights**, about the paper or about soft thoughts; they show that all runs, and which harm
noise in a prompt does to the toy.

Arms, at the same calls a question: a vote without thoughts (plain), all samples behind the thought
of one initial token (one thought), and `samples` behind each of `initial_tokens` (soft_cot).

What could be checked of the paper:

    pairs       Llama-3.1-8B with 3.2-1B, Qwen2.5-7B with 1.5B, Qwen3-8B with 0.6B
    settings    10 initial tokens, 4 thoughts at test (32 in training), temperature 1, top-p 1,
                1,024 tokens (Qwen3 4,096), seeds 41 to 45
    accuracy    not known: no table was available
    weights     not known whether those of SoftCoT++ are published; those of SoftCoT, which are,
                have no initial embeddings and are not taken

Comparable, with trained weights: the sign of one thought minus plain, and of soft_cot minus one
thought, which is what several initial tokens add.  On the toy the latter is positive with noise
already, since errors behind different noises do not agree: read it beside the share of right
replies behind each initial token (LOG.md).  The words that announce the thoughts in the released
prompt are left out.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from pathlib import Path

from agents import agent
from agents.local.model import model_of
from agents.toy.problems import sums
from arena import Arm, Sampling, Study
from arena.decoding import SoftCot
from arena.errors import StudyError
from arena.studies.questions import questions as read_questions
from protocols.self_consistency import self_consistency
from protocols.soft_cot import soft_cot

TOY = "toy/sum"


def study(
    *,
    model: str = TOY,
    assistant: str | None = None,
    weights: str | None = None,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 20,
    initial_tokens: int = 10,
    samples: int = 1,
    thoughts: int = 4,
    temperature: float = 1.0,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return the three arms.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` sums.  Without an `assistant` the model assists itself.  Raises StudyError for another
    model than the toy without `weights`.
    """
    is_toy = model.startswith("toy/")
    other = assistant or model
    if weights is None and not (is_toy and other.startswith("toy/")):
        raise StudyError(
            "soft_cot needs given weights for these models: say -o weights=FOLDER, a folder with"
            " projection.bin; only the toy runs with random ones"
        )
    folder = weights or str(random_weights(model, other, initial_tokens))
    subjects = (
        read_questions(questions, question=question, gold=answer) if questions else sums(number)
    )
    longest = max_tokens or (120 if is_toy else 1024)
    plain = Sampling(temperature=temperature, max_tokens=longest)
    way = SoftCot(other, folder, thoughts=thoughts)
    thinking = Sampling(temperature=temperature, max_tokens=longest, decoding=way)
    calls = initial_tokens * samples
    solver = agent(model, sampling=plain)
    thinker = agent(model, sampling=thinking)
    each = {"initial_tokens": initial_tokens, "samples": samples}
    arms = [
        Arm("plain", self_consistency, [{"solver": solver}], {"paths": calls}),
        Arm(
            "one thought", soft_cot, [{"solver": thinker}], {"initial_tokens": 1, "samples": calls}
        ),
        Arm("soft_cot", soft_cot, [{"solver": thinker}], each),
    ]
    return Study("soft_cot", arms, subjects, repeats)


def random_weights(model: str, assistant: str, initial_tokens: int) -> Path:
    """Write random weights between two models, the same each time, and return their folder.

    It is deleted when the program ends; only its name is part of the record.
    """
    import numpy as np
    from safetensors.numpy import save_file

    large, small = (
        json.loads((model_of(each).folder() / "config.json").read_text())["hidden_size"]
        for each in (model, assistant)
    )
    draw = np.random.default_rng(0)
    shapes = {"weight": (large, small), "bias": (large,), "embedding": (initial_tokens, small)}
    # About as large as the toy's embeddings.
    tensors = {
        name: (0.1 * draw.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    scratch = Path(tempfile.mkdtemp(prefix="peer-arena-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    folder = scratch / "random-weights"
    folder.mkdir()
    save_file(tensors, folder / "projection.safetensors")
    return folder
