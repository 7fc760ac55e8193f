"""Do models believe a text too much?  What they know against what they are told, to copy.

The paper is "Enhancing Large Language Models' Situated Faithfulness to External Contexts" (Yukun
Huang et al., arXiv 2410.14675).

    arena run situated_faithfulness        simulated reasoners, questions and texts, no key, seconds
    arena run situated_faithfulness -o model=openai/gpt-4o-mini -o questions=my.jsonl \\
        -o right=right_text -o wrong=wrong_text
    arena run situated_faithfulness -o model=openai/gpt-4o-mini -o questions=gsm8k.jsonl \\
        -o peer=openai/gpt-4.1-nano        a peer's reply in place of a text
    arena report --study situated_faithfulness     means over both kinds of texts, and gains
    python situated_faithfulness.py        this file as a program: planted and the paper's, too

A file has `question`, `answer`, and columns with a right and a wrong text.  Every method is an arm
on the right texts and one on the wrong ones: without the text (closed), with it (direct), weighed
in one prompt (implicit SCR) or after reasons (explicit SCR), and by a rule (RCR) by stated
confidence, by samples and, where the model gives log probabilities, by tokens.

What could be checked of the paper, of accuracy over right and wrong texts:

    GPT-4o, GPT-4o-mini    SCR is better than RCR, by up to 24.2 points over direct input
    Llama-3-8B             RCR is better than SCR; CR-DPO, which trains weights, adds 8.9 points
    tables, thresholds     not known: they were not available, nor the prompts

Comparable: the order of the methods, and their gain over direct input, on as many right texts as
wrong ones.  With simulated reasoners nothing can be compared: how far they follow (`peer_weight`),
weigh (`implicit`, `explicit`) and rate themselves (`noise`, `discrimination`) was planted.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents import agent
from agents.simulated.documents import simulated_documents
from agents.simulated.questions import simulated_questions
from agents.simulated.reasoner_truth import expected_weighing, profile_in
from analysis.reports.beside_paper import print_beside
from arena import Arena, Arm, Sampling, Study, Subject
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.situated_faithfulness import Method, situated_faithfulness
from protocols.weigh_peer import weigh_peer

METHODS: list[Method] = ["closed", "direct", "implicit", "explicit", "token", "stated", "sampled"]
SOLVER = "sim/reasoner:ability=1.0:peer_weight=3.0"
TEXTS = ("right text", "wrong text")


def study(
    *,
    model: str = SOLVER,
    peer: str | None = None,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    right: str = "right_text",
    wrong: str = "wrong_text",
    number: int = 60,
    methods: list[Method] = METHODS,
    samples: int = 5,
    threshold: float = 0.0,
    temperature: float | None = None,
    max_tokens: int | None = None,
) -> Study:
    """Return an arm for each method on right texts and on wrong ones, or with a peer's replies.

    `questions` is a file or a name of the hub, with the columns `question`, `answer`, `right` and
    `wrong`, or else `number` simulated questions.  Models without log probabilities have no arm
    "token".
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    solver = agent(model, sampling=sampling)
    able = [
        method for method in methods if method != "token" or "logprobs" in solver.model.capabilities
    ]
    options = {method: options_of(method, samples, threshold) for method in able}
    if peer is not None:
        subjects = (
            read_questions(questions, question=question, gold=answer)
            if questions
            else simulated_questions(number)
        )
        lineup = [{"solver": solver, "peer": agent(peer, sampling=sampling)}]
        arms = [Arm(method, weigh_peer, lineup, each) for method, each in options.items()]
        return Study("weigh_peer", arms, subjects)
    kinds: dict[str, Sequence[Subject]] = {
        kind: read_questions(questions, question=question, gold=answer, passage=column)
        if questions
        else simulated_documents(number, right=kind == TEXTS[0])
        for kind, column in zip(TEXTS, (right, wrong), strict=True)
    }
    arms = [
        Arm(f"{method}, {kind}", situated_faithfulness, [{"solver": solver}], each, subjects)
        for method, each in options.items()
        for kind, subjects in kinds.items()
    ]
    every = [subject for subjects in kinds.values() for subject in subjects]
    return Study("situated_faithfulness", arms, every)


def options_of(method: Method, samples: int, threshold: float) -> dict[str, object]:
    """Return the options of an arm, those alone that its method reads."""
    by_rule = {"threshold": threshold} if method in ("token", "stated", "sampled") else {}
    several = {"samples": samples} if method == "sampled" else {}
    return {"method": method, **by_rule, **several}


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and each arm beside what was planted and what the paper has."""
    profile = profile_in(played)
    planted = {
        arm.label: expected_weighing(profile, list(arm.subjects), str(arm.options["method"]))
        for arm in played.arms
        if profile is not None and arm.subjects is not None
    }
    note = (
        "The mean of the two arms of a method is its situated faithfulness, which the report has"
        " with its gain over direct input; the paper's gain of SCR: up to 24.2 points (GPT-4o)."
    )
    print_beside(arena.path, played.name, planted, {}, note)


if __name__ == "__main__":
    run_study_program(__file__, show_results)
