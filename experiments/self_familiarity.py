"""Can a model tell, before it answers, what it does not know?  Self-familiarity, to copy.

The paper is "Zero-Resource Hallucination Prevention for Large Language Models" (arXiv 2309.02654).

    arena run self_familiarity           a scripted model and invented places, no key, seconds
    python self_familiarity.py           this file as a program prints the measures too
    arena run self_familiarity -o models=openai/gpt-5-mini -o questions=my.jsonl \\
        -o common=easy.jsonl
    arena run self_familiarity -o form=forced -o models=local/Qwen/Qwen3-1.7B -o questions=my.jsonl

Every model answers the questions; then it explains the concepts of each, and is asked which concept
a masked explanation is about: `replies` times (form=sampled, a variant for every model), or by the
probability of the concept's words (form=forced, models on this machine).  `common` are questions
about what everybody knows: from their familiarities comes the threshold below which a question
would not be answered.  Words that stand in two or more of the questions are no concepts, since no
list of common words comes with the package; give one by `words=words.txt`, a word a line, the
commonest first.

What could be checked of the paper:

    in words       asking about concepts before the answer tells which instructions lead to
                   hallucination, better than measures after it
    numbers        not known: its tables were not available

Comparable: AUROC of familiarity for right answers on questions of your own.  Not comparable: the
paper's data of concepts, its models, and its beam search, in whose place stands another number.
With the scripted model nothing can be compared: it knows each place with a chance that is planted,
by which it answers and recovers the name; the planted AUROC stands beside the measured one.
"""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.stats import binom

from agents import agent
from agents.scripted import scripted_model
from analysis.reports.tables.formatting import decimal
from analysis.statistics.calibration import auroc
from analysis.statistics.familiarity import familiarity_threshold
from arena import Agent, Arena, Arm, Sampling, Stage, Study, Subject
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from arena.types import Request
from protocols.estimators.concepts import words_of
from protocols.scoring import score
from protocols.single import single

SYLLABLES = ("bel", "dor", "fen", "gal", "kar", "lim", "mor", "nav", "pel", "rin", "sol", "tav")
PLACE = re.compile(r"(?:capital of |')(?P<name>[A-Z][a-z]+)")
NUMBER = re.compile(r"number (\d+)")
SCORES = """
    select e.arm, seats.model, q.text, a.correct::double, s.value
    from latest_scores s join answers a using (episode, seat) join seats using (episode, seat)
    join episodes e using (episode) join subjects q using (subject)
    where e.study = ? and s.name = ? and s.value is not null and a.final order by all
"""


def places(number: int, seed: str) -> list[str]:
    """Return names of invented places."""
    rng = random.Random(f"places {seed}")
    names: dict[str, None] = {}
    while len(names) < number:
        names["".join(rng.choice(SYLLABLES) for _ in range(3)).capitalize()] = None
    return list(names)


def made_up(number: int, seed: str) -> list[Subject]:
    """Return questions about invented places."""
    return [
        Subject(f"What is the capital of {name}?", "question", f"Port {name}", (), "made up")
        for name in places(number, seed)
    ]


EVERYBODY_KNOWS = frozenset(places(100, "common"))
NAMES = [*places(1000, "rare"), *places(100, "common")]


def planted(name: str) -> float:
    """Return the chance in [0, 1] that the scripted model knows a place."""
    chance = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 16**8
    return 0.7 + 0.3 * chance if name in EVERYBODY_KNOWS else chance


def know_some_places(request: Request) -> str:
    """Answer, explain and recover as somebody who knows each place with its planted chance."""
    words = request.messages[-1].content
    if (number := NUMBER.search(words)) is not None:
        name = NAMES[int(number[1])]
        return f"It is {name}." if random.Random(request.seed).random() < planted(name) else "?"
    found = PLACE.search(words)
    if found is None:
        return "I cannot tell."
    name = found["name"]
    if "in one paragraph" in words:
        return f"{name} is a place. In the list of places it has the number {NAMES.index(name)}."
    known = random.Random(request.seed).random() < planted(name)
    return f"\\boxed{{Port {name if known else 'Nowhere'}}}"


def study(
    *,
    models: list[str] | None = None,
    questions: str | None = None,
    common: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 80,
    form: Literal["sampled", "forced"] = "sampled",
    words: str | None = None,
    replies: int = 5,
) -> list[Study | Stage]:
    """Return the answers, and the stage that finds out what is familiar."""
    speakers = (
        [agent(reference, sampling=Sampling()) for reference in models]
        if models
        else [Agent("knows some places", scripted_model(know_some_places))]
    )
    lineups = [{"solver": speaker} for speaker in speakers]
    if questions:
        asked = list(read_questions(questions, question=question, gold=answer))
        easy = list(read_questions(common, question=question, gold=answer)) if common else []
    else:
        asked, easy = made_up(number, "rare"), made_up(min(100, number), "common")
    arms = [Arm("questions", single, lineups, subjects=asked)]
    if easy:
        arms.append(Arm("common", single, lineups, subjects=easy))
    answers = Study("self_familiarity", arms, [*asked, *easy])
    known = Path(words).read_text().split() if words else words_of([*asked, *easy], least=2)
    options: dict[str, object] = {"words": known}
    if form == "sampled":
        options["replies"] = replies
    wanted = [(f"self_familiarity_{form}", options)]
    return [answers, score(f"self_familiarity {form}", of=answers, estimators=wanted)]


def planted_area(chances: np.ndarray, replies: int) -> float:
    """Return the AUROC of shares of `replies` draws for answers that are right with these chances.

    Both are drawn with the same chances (N,), and are independent given these.
    """
    counts = binom.pmf(np.arange(replies + 1)[None, :], replies, chances[:, None])
    below = np.cumsum(counts, axis=1) - counts
    ahead = counts @ below.T + 0.5 * counts @ counts.T
    pairs = chances[:, None] * (1 - chances[None, :])
    np.fill_diagonal(pairs, 0)
    return float((pairs * ahead).sum() / pairs.sum())


def show_results(arena: Arena, played: Study) -> None:
    """Print how well familiarity tells right answers, and what the threshold would do."""
    options = played.arms[0].options
    form = played.name.removeprefix("self_familiarity ")
    for combined in ("", "_min", "_first"):
        rows = arena.sql(SCORES, ["self_familiarity", f"self_familiarity_{form}{combined}"]).rows
        for model in sorted({row[1] for row in rows}):
            asked = [row for row in rows if row[0] == "questions" and row[1] == model]
            easy = np.array([row[4] for row in rows if row[0] == "common" and row[1] == model])
            graded = [row for row in asked if row[3] is not None]
            correct = np.array([row[3] for row in graded])
            value = np.array([row[4] for row in graded])
            print(f"\n{model}, self_familiarity_{form}{combined}: {len(asked)} questions")
            print(f"  accuracy {decimal(float(correct.mean()), 3)}")
            line = f"  AUROC {decimal(auroc(value, correct), 3)}"
            if model.startswith("scripted"):
                places_asked = [row[2].removesuffix("?").split()[-1] for row in graded]
                chances = np.array([planted(each) for each in places_asked])
                line += f"   planted {planted_area(chances, int(str(options['replies']))):.3f}"
            print(line)
            if easy.size >= 2:
                threshold = familiarity_threshold(easy, resamples=999)
                kept = value > threshold
                print(
                    f"  threshold {threshold:.3f}: {int(kept.sum())} of {len(kept)} would be"
                    f" answered, {decimal(float(correct[kept].mean()), 3)} of them right"
                )
    print("\nThe paper's numbers are not known: see the beginning of this file.")


if __name__ == "__main__":
    run_study_program(__file__, show_results)
