"""Do paths that tell each other how far they are reason better than as many that work alone?  LeaP beside self-consistency, to copy and change.

    python experiments/leap.py                                     the toy that adds three numbers, no download, about a minute
    arena run experiments/leap.py -o model=local/Qwen/Qwen3-1.7B -o questions=aime.jsonl
    arena run experiments/leap.py -o model=vllm/deepseek-r1-distill-qwen-7b@http://127.0.0.1:8000/v1 -o questions=aime.jsonl -o paths=32
    arena run experiments/leap.py -o model=openai/gpt-5-mini -o questions=aime.jsonl      (chat alone: the segmented variant, named so)

The arms have the same budget of generated tokens a question: `independent` samples as many paths as LeaP has, each as long as a path of LeaP
with its summaries and its forced answer may become.  Pass@1 is the mean over paths, Cons@n the vote over them.

What the paper (Tongxu Luo et al., arXiv 2505.07787, tables 1 and 5) reports as Pass@1 in percent, with 32 paths, 4,096 tokens a turn:

                      AIME 2024                    AIME 2025                    AIMO 2025
    R1-distill        independent   dispersed-4    independent   dispersed-4    independent   dispersed-4
    Qwen 7B                 51.35         60.52          37.81         38.44          37.50         45.00
    Qwen 14B                64.47         77.29          48.64         54.17          46.87         51.25
    QwQ 32B                 79.69         85.83          68.13         71.67          63.75         67.19

What can be compared: the same models on the same questions, with `paths=32 turns=4 top_k=4`; then the sign of the difference, and its size
with the interval that the paper does not give (30 problems: about 7 points for one standard error over problems).  What cannot: the words of
the prompts, which are ours, and anything measured on the toy, which was trained to read its peers.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from agents import agent
from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import print_report
from arena import Arena, ArenaError, Arm, Sampling, Study
from arena.studies.questions import questions as read_questions
from arena.tournaments.study_file import load_study
from protocols.leap import Router, leap
from protocols.leap_segmented import leap_segmented
from protocols.self_consistency import self_consistency

# As the paper sampled, and as the toy scores about 60% alone.
PAPER_SAMPLING = Sampling(temperature=0.6, top_p=0.95, top_k=40, min_p=0.05)
TOY_SAMPLING = Sampling(temperature=1.7)
TOY_SIZES = {"turns": 4, "think_tokens": 24, "summary_tokens": 16, "answer_tokens": 8}
PAPER_SIZES = {"turns": 4, "think_tokens": 4096, "summary_tokens": 256, "answer_tokens": 256}


def study(
    *,
    model: str = "toy/sum",
    questions: str | None = None,
    number: int = 40,
    paths: int = 8,
    turns: int | None = None,
    think_tokens: int | None = None,
    part: list[int] | None = None,
    routers: list[Router] = ["dispersed"],  # noqa: B006 (read, never changed)
    top_k: int = 3,
    temperature: float | None = None,
    repeats: int = 1,
) -> Study:
    """LeaP with each router, and as many independent paths with the same tokens.

    `questions` is a file, else there are `number` sums for the toy.  What is not given is as in the paper, or fits the toy; the toy sums up
    once, after its first turn, since it thinks for 50 tokens in all.
    """
    toy = model.startswith("toy/")
    chosen = TOY_SAMPLING if toy else PAPER_SAMPLING
    sampling = chosen if temperature is None else replace(chosen, temperature=temperature)
    solver = agent(model, sampling=sampling, drop_unsupported=True)
    if questions:
        subjects = read_questions(questions)
    else:
        from agents.toy.problems import sums

        subjects = sums(number)
    sizes = dict(TOY_SIZES if toy else PAPER_SIZES)
    sizes |= {
        name: given
        for name, given in (("turns", turns), ("think_tokens", think_tokens))
        if given is not None
    }
    blocks = part if part is not None else [0] if toy else []
    # One turn alone is followed by a block as well; of more, all but the last can be.
    followed = range(max(1, sizes["turns"] - 1))
    count = len([turn for turn in followed if turn in blocks or not blocks])
    each = (
        sizes["turns"] * sizes["think_tokens"]
        + count * sizes["summary_tokens"]
        + sizes["answer_tokens"]
    )
    alone = replace(solver, sampling=replace(solver.sampling, max_tokens=each))
    arms = [Arm("independent", self_consistency, [{"solver": alone}], {"paths": paths})]
    for router in routers:
        shared = {"paths": paths, "router": router, "top_k": top_k}
        if "prefill" in solver.model.capabilities:
            arms.append(
                Arm(
                    f"leap {router}-{top_k}",
                    leap,
                    [{"solver": solver}],
                    {**shared, **sizes, "part": blocks},
                )
            )
        else:
            arms.append(
                Arm(
                    f"segmented {router}-{top_k}",
                    leap_segmented,
                    [{"solver": solver}],
                    {**shared, "turns": sizes["turns"]},
                )
            )
    return Study("leap", arms, subjects, repeats)


def main(options: list[str]) -> int:
    """Play the study with options such as "paths=16"; print its report."""
    made = load_study(__file__, options)
    arena = Arena()
    summary = arena.run(made)
    print(summary)
    print_report(study_reports(arena.path, made.name))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ArenaError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
