"""What do guesses of a model's own next tokens save?  Kangaroo and prompt lookup, to copy.

The paper is "Kangaroo: Lossless Self-Speculative Decoding via Double Early Exiting" (Fangcheng Liu
et al., arXiv 2404.18911).

    arena run kangaroo                     the toy, an adapter with random weights, no network
    arena run kangaroo -o model=local/lmsys/vicuna-7b-v1.3 -o draft=FOLDER \\
        -o questions=questions.jsonl -o max_tokens=1024
    arena report --study kangaroo
    arena sql "select arm, count(*) replies, sum(decode_steps) / sum(tokens_out) steps_a_token
        from calls join episodes using (episode) group by arm order by arm"
    arena sql "select arm, avg(value) from measures join episodes using (episode)
        where name = 'guesses_true_share' group by arm order by arm"

`draft` is a folder with the trained adapter; without one the weights are random: they show that no
text changes, and **nothing about how well a trained adapter guesses**.

Arms, greedy, one row: no guesses (plain), what stood before (lookup), and the
first layers with the adapter (kangaroo).  That all texts are the same is checked by

    arena sql "select count(distinct text) from turns join episodes using (episode)
        group by subject having count(distinct text) > 1"      which finds no row

The paper's numbers, and ours for the toy (PROGRAM on one thread; the adapter random):

                            paper                       plain   lookup   kangaroo
    same texts              lossless, by construction   all     all      all
    guesses that came true  not known                   -       0.36     0.34
    steps a token           not known                   0.97    0.76     0.67
    processor ms a token    not known                   1.51    1.13     2.56
    speed                   up to 1.68 times            1       1.34     0.59
    settings                exit layer 2 (Vicuna-7B), 6 drafts, threshold 0.6, greedy, one row

PROGRAM is experiments/benchmarks/self_speculation.py, on sums of which half stand in the prompt
twice, and which also samples at temperature 1; a record has the time of the clock alone
(`latency_s`), with all that runs beside it.  The sums of this study repeat hardly anything: there
0.09 (lookup) and 0.08 (kangaroo) of the guesses came true.  Comparable, with the published adapter:
the speed on one GPU, greedy and one row.
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
from arena.errors import StudyError
from arena.studies.questions import questions as read_questions
from protocols.single import single

TOY = "toy/sum"
BLOCK = (
    *(f"layers.0.self_attn.{part}_proj.weight" for part in "qkvo"),
    *("layers.0.input_layernorm.weight", "norm.weight"),
)


def study(
    *,
    model: str = TOY,
    draft: str | None = None,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 20,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return the arms plain, lookup and kangaroo.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` sums.  Raises StudyError for another model than the toy without a `draft`.
    """
    is_toy = model.startswith("toy/")
    if draft is None and not is_toy:
        raise StudyError(
            "kangaroo needs given weights for this model: say -o draft=FOLDER, a folder with"
            " config.json and the adapter; only the toy runs with random ones"
        )
    subjects = (
        read_questions(questions, question=question, gold=answer) if questions else sums(number)
    )
    sampling = Sampling(temperature=0.0, max_tokens=max_tokens or (120 if is_toy else 1024))
    # One row, as in the released code: guesses pay for few rows alone.
    one_row = f"{model}{'&' if '?' in model else '?'}slots=1"
    ways = {
        "plain": one_row,
        "lookup": f"{one_row}&seeds=free",
        "kangaroo": f"{one_row}&draft={draft or random_adapter(model)}",
    }
    arms = [
        Arm(label, single, [{"solver": agent(reference, name=label, sampling=sampling)}])
        for label, reference in ways.items()
    ]
    return Study("kangaroo", arms, subjects, repeats)


def random_adapter(model: str) -> Path:
    """Write an adapter with random weights for a model, the same each time; return its folder.

    It is deleted when the program ends.
    """
    import numpy as np
    from safetensors.numpy import save_file

    config = json.loads((model_of(model).folder() / "config.json").read_text())
    size, layers = config["hidden_size"], config["num_hidden_layers"]
    draw = np.random.default_rng(0)
    shapes = [(size, size)] * 4 + [(size,)] * 2
    tensors = {
        # Norms are around 1.
        name: (0.02 * draw.standard_normal(shape) + (len(shape) == 1)).astype(np.float32)
        for name, shape in zip(BLOCK, shapes, strict=True)
    }
    folder = Path(tempfile.mkdtemp(prefix="peer-arena-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    save_file(tensors, folder / "model.safetensors")
    told = {"num_attention_heads": config["num_attention_heads"], "early_stop_layer": layers // 2}
    (folder / "config.json").write_text(json.dumps(told))
    return folder
