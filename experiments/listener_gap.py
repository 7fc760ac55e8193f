"""Do those who read an explanation know whether the answer is right?  To copy and change.

The paper is "The Calibration Gap between Model and Human Confidence in Large Language Models" (Mark
Steyvers et al., arXiv 2401.13835; Nature Machine Intelligence 2025).

    arena run listener_gap                 simulated solvers and questions, no key, seconds
    arena report --study listener_gap      both gaps, and what makes listeners surer
    arena run listener_gap -o models=openai/gpt-4o-mini -o listeners=anthropic/claude-haiku-4-5 \\
        -o questions=mmlu.jsonl
    arena run listener_gap -o models=local/Qwen/Qwen2.5-7B-Instruct -o own=scored \\
        -o listeners=local/meta-llama/Llama-3.1-8B-Instruct -o questions=mmlu.jsonl

Every model answers every question, says in a second session how sure it is (`own=scored`: the
probability of its option), and explains its answer in every length and wording.  Every listener
reads question and explanation, and says how sure it would be; it sees no number of the model's.

What could be checked of the paper, whose listeners are people (GPT-3.5 and PaLM 2 on 350 questions
of MMLU, GPT-4o on 336 of TriviaQA, 321 people):

    AUROC of people, ordinary explanations     .589 to .602
    in words      longer explanations raise confidence and not accuracy; explanations whose words
                  fit the model's confidence narrow both gaps; expertise is no advantage
    ECE of people and models, AUROC of models, thresholds of the tailored wording     not known

Comparable: the signs of both gaps and of the changes by length and wording.  Listeners are models
and are called so: they say nothing about people.  With the simulated solvers nothing can be
compared: a listener there rates the answer by its own knowledge, and by `swayed` for the length of
the explanation.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents import agent
from agents.simulated.questions import simulated_questions
from arena import Arm, Sampling, Stage, Study
from arena.studies.questions import questions as read_questions
from protocols.listener import Length, Own, Wording, explain
from protocols.scoring import score

SOLVERS = ["sim/solver:ability=0.5"]
LISTENERS = ["sim/solver:bias=0.2:swayed=0.3:seed=1"]
CROSSED: list[Length] = ["short", "default", "long"]
WORDED: list[Wording] = ["none", "low", "high"]


def study(
    *,
    models: list[str] = SOLVERS,
    listeners: list[str] = LISTENERS,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 60,
    lengths: list[Length] = CROSSED,
    wordings: list[Wording] = WORDED,
    own: Own = "stated",
    max_tokens: int | None = None,
) -> Sequence[Study | Stage]:
    """Return the explanations, and a scoring by each listener.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.  `wordings` may have `tailored` too, whose level follows the
    model's own confidence.
    """
    sampling = Sampling(max_tokens=max_tokens)
    solvers = [agent(reference, sampling=sampling) for reference in models]
    options = {"lengths": lengths, "wordings": wordings, "own": own}
    arm = Arm("explained", explain, [{"solver": solver} for solver in solvers], options)
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    explained = Study("listener_gap", [arm], subjects)
    heard = [
        score(
            f"listener_gap heard by {each.name}",
            explained,
            ["listener"],
            scorers={solver.name: each for solver in solvers},
        )
        for each in (agent(reference, sampling=sampling) for reference in listeners)
    ]
    return [explained, *heard]
