"""Do paths that read each other's summaries reason better than as many alone?  To copy and change.

The paper is "Learning from Peers in Reasoning Models" (LeaP; Tongxu Luo et al., arXiv 2505.07787),
here beside self-consistency.

    arena run leap        the toy that adds three numbers, no download, about two minutes
    arena run leap -o model=local/Qwen/Qwen3-1.7B -o questions=aime.jsonl
    arena run leap \\
        -o model=vllm/deepseek-r1-distill-qwen-7b@http://127.0.0.1:8000/v1 \\
        -o questions=aime.jsonl
    arena run leap -o model=openai/gpt-5-mini -o questions=aime.jsonl
        (chat alone: the segmented variant, and so named)

LeaP beside independent paths compares more than peers: its prompt has tags and an example, its
thoughts are cut, and it sums up.  So each arm differs from the one before by one thing:

    independent           as many paths from a plain prompt, each in one piece
    prompt only           LeaP's prompt and opening: the words
    no block              the same thought cut into turns: cutting
    no peers              a summary between turns that nobody else reads: the block
    leap dispersed-3      the summaries of others too: the peers

and all may generate as many tokens a path; a path whose thought has not ended is made to answer in
every arm.  The report has these contrasts, and all of them together, with intervals over questions:
of Pass@1, the mean over paths, and of Cons@n, the vote over them.  `-o controls=` plays the first
and the last arm alone.  Models that speak by chat alone play the segmented variant, and are named
so; its turns end in summaries, so that there is no arm "no block", and a path is asked once more
in place of being made to answer.

Pass@1 in percent as the paper reports it (tables 1 and 5), with 32 paths, 4,096 tokens a turn; a
path may have 16,384 tokens of Qwen 7B and 14B, and 32,768 of QwQ (`SIZES`):

                  AIME 2024                  AIME 2025                  AIMO 2025
    R1-distill    independent  dispersed-4   independent  dispersed-4   independent  dispersed-4
    Qwen 7B             51.35        60.52         37.81        38.44         37.50        45.00
    Qwen 14B            64.47        77.29         48.64        54.17         46.87        51.25
    QwQ 32B             79.69        85.83         68.13        71.67         63.75        67.19

Comparable: the same models on the same questions, which have the paper's sizes by their names, or
by `-o sizes=`; then the sign of the difference, and its size with the interval that the paper does
not give (30 problems: about 7 points for one standard error over problems).  Not comparable: the
words of the prompts, which are ours, and anything measured on the toy, which was trained to read
its peers.  The paper has no arm between the first and the last.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from agents import agent
from agents.toy.problems import sums
from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import print_report
from arena import Agent, Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.leap import leap, plan_turns
from protocols.leap_segmented import leap_segmented
from protocols.routing import Router
from protocols.self_consistency import self_consistency

Control = Literal["prompt_only", "no_block", "no_peers"]
Size = Literal["toy", "small", "r1-distill-qwen-7b", "r1-distill-qwen-14b", "qwq-32b"]

ROUTERS: list[Router] = ["dispersed"]
CONTROLS: list[Control] = ["prompt_only", "no_block", "no_peers"]
# As the paper sampled, and as the toy scores about 60% alone.
PAPER_SAMPLING = Sampling(temperature=0.6, top_p=0.95, top_k=40, min_p=0.05)
TOY_SAMPLING = Sampling(temperature=1.7)
# A turn of 4,096 tokens: a path has 16,384 or 32,768.  The published models are the last three,
# known by their names; "small" is for all others.  The paper has 8 paths on GPQA (-o paths=8).
NUMBERS = ("paths", "top_k", "turns", "think_tokens", "summary_tokens", "answer_tokens")
SIZES: dict[Size, tuple[int, ...]] = {
    "toy": (8, 3, 4, 24, 16, 8),
    "small": (8, 3, 4, 4096, 256, 256),
    "r1-distill-qwen-7b": (32, 4, 4, 4096, 256, 256),
    "r1-distill-qwen-14b": (32, 4, 4, 4096, 256, 256),
    "qwq-32b": (32, 4, 8, 4096, 256, 256),
}
PUBLISHED: list[Size] = ["r1-distill-qwen-7b", "r1-distill-qwen-14b", "qwq-32b"]
WORDS_A_TURN = 400


def study(
    *,
    model: str = "toy/sum",
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 40,
    sizes: Size | None = None,
    paths: int | None = None,
    turns: int | None = None,
    think_tokens: int | None = None,
    part: list[int] | None = None,
    routers: list[Router] = ROUTERS,
    top_k: int | None = None,
    controls: list[Control] = CONTROLS,
    temperature: float | None = None,
    repeats: int = 1,
    version: str | None = None,
) -> Study:
    """Return LeaP with each router, and the arms that differ from it by one thing each.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` sums for the toy.  `sizes` default to those of the model where they are published;
    `paths`, `turns`, `think_tokens` and `top_k` replace one of them.  The toy writes one summary,
    after its first turn, since it thinks for 50 tokens in all.  `version=1` plays the arms and
    prompts of version 0.1.0.
    """
    toy = model.startswith("toy/")
    sampling = TOY_SAMPLING if toy else PAPER_SAMPLING
    if temperature is not None:
        sampling = replace(sampling, temperature=temperature)
    solver = agent(model, sampling=sampling, drop_unsupported=True)
    blocks = part if part is not None else [0] if toy else []
    # Version 0.1.0 knew the sizes of no model.
    size = sizes or size_of(model if version != "1" or toy else "")
    numbers = dict(zip(NUMBERS, SIZES[size], strict=True))
    changes = {"paths": paths, "top_k": top_k, "turns": turns, "think_tokens": think_tokens}
    numbers |= {name: value for name, value in changes.items() if value is not None}
    # LeaP proper continues a reply from its own first words, which chat APIs do not offer.
    if "prefill" in solver.model.capabilities:
        arms = leap_arms(solver, numbers, blocks, routers)
    else:
        arms = segmented_arms(solver, numbers, blocks, routers)
    if version == "1":
        arms = [independent_replies(solver, numbers, blocks), *arms[len(arms) - len(routers) :]]
    left_out = {name.replace("_", " ") for name in CONTROLS if name not in controls}
    subjects = (
        read_questions(questions, question=question, gold=answer) if questions else sums(number)
    )
    return Study("leap", [arm for arm in arms if arm.label not in left_out], subjects, repeats)


def leap_arms(
    solver: Agent, numbers: dict[str, int], blocks: list[int], routers: list[Router]
) -> list[Arm]:
    """Return all arms of a model that continues its own thought, which differ in options alone."""
    alone = {**numbers, "part": blocks, "router": "none"}
    options: dict[str, dict[str, object]] = {
        "independent": {**alone, "communication": "uncut", "prompt": "plain"},
        "prompt only": {**alone, "communication": "uncut"},
        "no block": {**alone, "communication": "never"},
        "no peers": alone,
    }
    for router in routers:
        options[f"leap {router}-{numbers['top_k']}"] = {**alone, "router": router}
    return [Arm(label, leap, [{"solver": solver}], each) for label, each in options.items()]


def segmented_arms(
    solver: Agent, numbers: dict[str, int], blocks: list[int], routers: list[Router]
) -> list[Arm]:
    """Return the arms of a model that speaks by chat alone."""
    alone = {name: numbers[name] for name in ("paths", "top_k", "turns")}
    # As many words in one turn as in all of them.
    words = WORDS_A_TURN * numbers["turns"]
    options: dict[str, dict[str, object]] = {
        "prompt only": {**alone, "router": "none", "turns": 1, "words": words},
        "no peers": {**alone, "router": "none"},
    }
    for router in routers:
        options[f"segmented {router}-{numbers['top_k']}"] = {**alone, "router": router}
    lineups = [{"solver": solver}]
    arms = [Arm(label, leap_segmented, lineups, each) for label, each in options.items()]
    return [independent_replies(solver, numbers, blocks), *arms]


def independent_replies(solver: Agent, numbers: dict[str, int], blocks: list[int]) -> Arm:
    """Return the arm of paths that are a reply each, as long as a path of LeaP may become."""
    sizes = (numbers["turns"], numbers["think_tokens"], numbers["summary_tokens"])
    [(tokens, _)] = plan_turns(*sizes, blocks, "uncut")
    # The solver's own sampling: settings that its provider does not know are dropped from it.
    sampling = replace(solver.sampling, max_tokens=tokens + numbers["answer_tokens"])
    lineup = {"solver": replace(solver, sampling=sampling)}
    return Arm("independent", self_consistency, [lineup], {"paths": numbers["paths"]})


def size_of(model: str) -> Size:
    """Return the sizes that were published for a model, by its name."""
    otherwise: Size = "toy" if model.startswith("toy/") else "small"
    return next((size for size in PUBLISHED if size in model.lower()), otherwise)


def show_results(arena: Arena, played: Study) -> None:
    """Print the study's report."""
    print_report(study_reports(arena.path, played.name))


if __name__ == "__main__":
    run_study_program(__file__, show_results)
