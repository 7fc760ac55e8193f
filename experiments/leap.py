"""Do paths that read each other's summaries reason better than as many alone?  To copy and change.

The paper is "Learning from Peers in Reasoning Models" (LeaP; Tongxu Luo et al., arXiv 2505.07787),
here beside self-consistency.

    arena run leap        the toy that adds three numbers, no download, about a minute
    arena run leap -o model=local/Qwen/Qwen3-1.7B -o questions=aime.jsonl
    arena run leap \\
        -o model=vllm/deepseek-r1-distill-qwen-7b@http://127.0.0.1:8000/v1 \\
        -o questions=aime.jsonl -o paths=32
    arena run leap -o model=openai/gpt-5-mini -o questions=aime.jsonl
        (chat alone: the segmented variant, and so named)

The arms have the same budget of generated tokens a question: `independent` samples as many paths as
LeaP has, each as long as a path of LeaP with its summaries and its forced answer may become.
Pass@1 is the mean over paths, Cons@n the vote over them.

Pass@1 in percent as the paper reports it (tables 1 and 5), with 32 paths, 4,096 tokens a turn:

                  AIME 2024                  AIME 2025                  AIMO 2025
    R1-distill    independent  dispersed-4   independent  dispersed-4   independent  dispersed-4
    Qwen 7B             51.35        60.52         37.81        38.44         37.50        45.00
    Qwen 14B            64.47        77.29         48.64        54.17         46.87        51.25
    QwQ 32B             79.69        85.83         68.13        71.67         63.75        67.19

Comparable: the same models on the same questions, with `paths=32 turns=4 top_k=4`; then the sign of
the difference, and its size with the interval that the paper does not give (30 problems: about
7 points for one standard error over problems).  Not comparable: the words of the prompts, which are
ours, and anything measured on the toy, which was trained to read its peers.
"""

from __future__ import annotations

from dataclasses import replace

from agents import agent
from agents.toy.problems import sums
from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import print_report
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.leap import leap
from protocols.leap_segmented import leap_segmented
from protocols.routing import Router
from protocols.self_consistency import self_consistency

ROUTERS: list[Router] = ["dispersed"]
# As the paper sampled, and as the toy scores about 60% alone.
PAPER_SAMPLING = Sampling(temperature=0.6, top_p=0.95, top_k=40, min_p=0.05)
TOY_SAMPLING = Sampling(temperature=1.7)
TOY_SIZES = {"turns": 4, "think_tokens": 24, "summary_tokens": 16, "answer_tokens": 8}
PAPER_SIZES = {"turns": 4, "think_tokens": 4096, "summary_tokens": 256, "answer_tokens": 256}


def study(
    *,
    model: str = "toy/sum",
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 40,
    paths: int = 8,
    turns: int | None = None,
    think_tokens: int | None = None,
    part: list[int] | None = None,
    routers: list[Router] = ROUTERS,
    top_k: int = 3,
    temperature: float | None = None,
    repeats: int = 1,
) -> Study:
    """Return LeaP with each router, and as many independent paths with the same tokens.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` sums for the toy.  Sizes and the temperature default to
    the paper's, or to the toy's; the toy writes one summary, after its first turn, since it thinks
    for 50 tokens in all.
    """
    toy = model.startswith("toy/")
    sampling = TOY_SAMPLING if toy else PAPER_SAMPLING
    if temperature is not None:
        sampling = replace(sampling, temperature=temperature)
    solver = agent(model, sampling=sampling, drop_unsupported=True)
    sizes = dict(TOY_SIZES if toy else PAPER_SIZES)
    changes = {"turns": turns, "think_tokens": think_tokens}
    sizes |= {name: size for name, size in changes.items() if size is not None}
    blocks = part if part is not None else [0] if toy else []
    # The solver's own sampling: settings that its provider does not know are dropped from it.
    bound = replace(solver.sampling, max_tokens=path_tokens(sizes, blocks))
    alone = replace(solver, sampling=bound)
    arms = [Arm("independent", self_consistency, [{"solver": alone}], {"paths": paths})]
    for router in routers:
        shared = {"paths": paths, "router": router, "top_k": top_k}
        # LeaP proper continues a reply from its own first words, which chat APIs do not offer.
        if "prefill" in solver.model.capabilities:
            options = {**shared, **sizes, "part": blocks}
            arms.append(Arm(f"leap {router}-{top_k}", leap, [{"solver": solver}], options))
        else:
            options = {**shared, "turns": sizes["turns"]}
            label = f"segmented {router}-{top_k}"
            arms.append(Arm(label, leap_segmented, [{"solver": solver}], options))
    subjects = (
        read_questions(questions, question=question, gold=answer) if questions else sums(number)
    )
    return Study("leap", arms, subjects, repeats)


def path_tokens(sizes: dict[str, int], blocks: list[int]) -> int:
    """Return the most tokens that one path of LeaP generates: turns, summaries and the answer.

    `blocks` are the turns that a summary may follow; empty stands for all.
    """
    # A single turn is followed by a block as well; of several turns, all but the last can be.
    followed = range(max(1, sizes["turns"] - 1))
    summaries = sum(turn in blocks or not blocks for turn in followed)
    thinking = sizes["turns"] * sizes["think_tokens"]
    return thinking + summaries * sizes["summary_tokens"] + sizes["answer_tokens"]


def show_results(arena: Arena, played: Study) -> None:
    """Print the study's report."""
    print_report(study_reports(arena.path, played.name))


if __name__ == "__main__":
    run_study_program(__file__, show_results)
