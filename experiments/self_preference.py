"""Do models prefer their own answers?  Judges that read their own and others', to copy and change.

The paper is "Beyond the Surface: Measuring Self-Preference in LLM Judgments" (arXiv 2506.02592).

    arena run self_preference                    simulated solvers and questions, no key, seconds
    arena report --study self_preference         the DBG score, ours beside it, flips by order
    arena run self_preference -o models=openai/gpt-5-mini,anthropic/claude-haiku-4-5 \\
        -o judges=gemini/gemini-2.5-flash,mistral/mistral-large-latest -o questions=my.jsonl
    arena run self_preference -o criterion="how faithful it is" -o questions=translations.jsonl

Every model answers every question once.  Then each reads every pair of its own answer and another
model's, in both orders, and so do `judges`, which answer nothing: they are the gold, by the
majority of their votes.  The paper's panel has three judges, which is six votes a pair.

The paper's DBG scores, in points (rate of wins by oneself minus that by the panel), on 500 items a
task of AlpacaEval (helpfulness), of truthfulness, and of WMT-19 German to English:

    Qwen2.5-0.5B-Instruct    41.7        (both as a secondary source quotes them)
    Qwen2.5-14B-Instruct      2.1
    in words                 reasoning models are not clearly less biased; style and shared
                             post-training data change the bias
    other models, by task    not known: the tables were not available

Comparable: sign and size of the DBG score, with models and questions as the paper has them, judges
that score choices, and three judges outside the pair.  Not comparable: judges that answer in words,
and our prompt's words.  A majority is surer than any judge, so that a fair judge that is unsure
seems to dislike itself by the paper's rule; the column against the panel's share of votes does not
have that.  With the simulated solvers nothing can be compared: `love` (logits for a reply with as
many `steps` as their own) was planted in the first, and not in the second.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.questions import simulated_questions
from arena import Arm, Sampling, Stage, Study
from arena.studies.questions import questions as read_questions
from protocols.self_preference import CRITERION, preferences_of
from protocols.single import single

SOLVERS = ["sim/solver:steps=3:love=3.0", "sim/solver:steps=5:seed=1"]
JUDGES = ["sim/solver:ability=2.0", "sim/solver:ability=2.0:first=1.0", "sim/solver:ability=1.0"]


def study(
    *,
    models: list[str] = SOLVERS,
    judges: list[str] = JUDGES,
    questions: str | None = None,
    question: str = "question",
    answer: str | None = "answer",
    number: int = 100,
    criterion: str = CRITERION,
    temperature: float | None = None,
    max_tokens: int | None = None,
) -> list[Study | Stage]:
    """Return the answers, and the stage in which models and judges compare them.

    `questions` is a file or a name of the hub, or else `number` simulated questions.
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    lineups = [{"solver": agent(reference, sampling=sampling)} for reference in models]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    answers = Study("self_preference", [Arm("answers", single, lineups)], subjects)
    panel = [agent(reference) for reference in judges]
    return [
        answers,
        preferences_of("preferences", answers, panel, criterion=criterion),
    ]
