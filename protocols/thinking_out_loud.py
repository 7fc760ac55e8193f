"""Let a model reason, answer, and say how sure it is, or that it does not know.

"Thinking Out Loud: Do Reasoning Models Know When They're Right?", Qingcheng Zeng et al., arXiv
2504.06564.  The analysis is in analysis/reports/thinking.py; the training stage of each model is
the label of its arm, which the study gives.

Kept: a confidence in words after the answer, and the share of replies that say "I don't know"; the
confidence beside the length of the reasoning.  Different: who does not know gives no confidence.
Ours: all words, since the prompts were not available, and that every question allows "I don't know"
unless `may_not_know` is False.
"""

from __future__ import annotations

from functools import partial

from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.reading import Reader
from arena.types import STATED, Answer, Seat, Subject
from protocols import asking
from protocols.parsing.confidence import answer_and_confidence
from protocols.parsing.refusals_to_answer import answer_or_unknown

VERSION = "1"

THINK = "\nThink as long as you need.\n"
UNKNOWN = (
    "If you do not know the answer, end with `\\boxed{I don't know}` and with nothing after it."
    " Otherwise end with your answer and your confidence in it.\n"
)
KNOWN = "End with your answer and your confidence in it.\n"
FORM = (
    "The confidence says how likely it is that your answer is right, from 0% (certainly wrong) to"
    " 100% (certainly right). The last two lines have this form:\nAnswer: {answer} in \\boxed{{}}\n"
    "Confidence: N%\n"
)


async def thinking_out_loud(
    episode: Episode, question: Subject, solver: Seat, *, may_not_know: bool = True
) -> Answer:
    """Return the solver's answer with its stated confidence; None where it does not know."""
    letters, options = LETTERS[: len(question.choices)], question.choices
    reader = answer_or_unknown if may_not_know else answer_and_confidence
    read: Reader = partial(reader, letters=letters, options=options)
    answer = "the letter of the option that you choose," if letters else "your answer"
    told = THINK + (UNKNOWN if may_not_know else KNOWN) + FORM.format(answer=answer)
    prompt = asking.with_images(question, asking.question_text(question) + told)
    said = await episode.ask(solver, prompt, phase="answer", read=read)
    source = None if said.confidence is None else STATED
    return Answer(solver.name, said.answer, confidence=said.confidence, confidence_source=source)


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls, none.  Raises StudyError below one."""
    asking.check_calls(calls, 1, "thinking_out_loud makes one call a question")
    return {}
