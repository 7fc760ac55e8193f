r"""Read how probable an option is before the model has reasoned, and after.

"Multiple Choice Questions: Reasoning Makes Large Language Models (LLMs) More Self-Confident Even
When They Are Wrong", Tairan Fu et al., arXiv 2501.09775.

Kept: at first the option is the first token of the reply; then the model reasons, and the options
are scored at the place of its answer, after the question and its own reasoning.  The probability is
that of the chosen option; the analysis (analysis/reports/option_probabilities.py) compares both by
item, over all, right and wrong ones.  Different: the option is the most probable one and not drawn;
the reasoning ends where the box of its answer would begin, and the options are scored in that box;
beside the raw probability stands the share among the options.  Ours: the words, and `scored="text"`
for models without tokens of letters (the toy), which scores the boxed text of each option.  Left
out: the paper's prompts, which were not available.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from arena.errors import ProtocolError
from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt, verbatim
from arena.play.reading import CUT_OFF, read_as_public, unfinished_reason
from arena.types import Answer, Model, Reading, Reply, Sampling, Seat, Subject, Turn
from protocols import asking

VERSION = "1"

Scored = Literal["letter", "text"]
DIRECT = "direct"
AFTER = "after reasoning"
# A reply that reasons stops before its box, so that the options can be scored in that place.
BOX = "\\boxed{"
SOURCE = "probability"
AT_ONCE = {
    "letter": "\nReply with the letter of one option, and with nothing else.\n",
    "text": "\nReply with the text of one option in \\boxed{}, and with nothing else.\n",
}
REASONED = {
    "letter": asking.STEPS + asking.FORM_WITH_OPTIONS,
    "text": asking.STEPS + asking.FORM,
}


async def option_probability(
    episode: Episode, question: Subject, solver: Seat, *, scored: Scored = "letter"
) -> list[Answer]:
    """Return the likeliest option before reasoning (stage 0), and after it (stage 1, final).

    The confidence is the option's share of the probability of all options; raw ones are in
    `measures` ("logprob of ...").  `scored` is the letter of each option, or its text.  A reasoning
    that was cut off gives no second answer.  Raises ProtocolError without options, or for a model
    that cannot score them or continue a prefill.
    """
    check_question(question, solver)
    letters = LETTERS[: len(question.choices)]
    texts = letters if scored == "letter" else [f"{BOX}{text}}}" for text in question.choices]
    scoring = Sampling(choices=tuple(texts))
    read = asking.reader(question, reask=False)
    told = asking.with_images(question, asking.question_text(question) + AT_ONCE[scored])
    direct = await episode.ask(solver, told, phase=DIRECT, read=read, sampling=scoring)
    before = scored_answer(solver, direct, final=False)

    told = asking.with_images(question, asking.question_text(question) + REASONED[scored])
    reasoning = await episode.ask(
        solver, told, phase="reasoning", round=1, read=read_reasoning, sampling=reasoned(solver)
    )
    if CUT_OFF in reasoning.flags:
        return [before, Answer(solver.name, None, stage=1)]
    begun: Prompt = verbatim(reasoning)
    if scored == "letter":
        begun = [begun, BOX]
    after = await episode.ask(
        solver, told, phase=AFTER, round=1, read=read, prefill=begun, sampling=scoring
    )
    return [before, scored_answer(solver, after, final=True)]


def reasoned(solver: Seat) -> Sampling:
    """Return the agent's sampling, ended before the box of the answer."""
    own = solver.agent.sampling
    return replace(own, stop=(*own.stop, BOX))


def read_reasoning(reply: Reply) -> Reading:
    """Read a reply that reasons; a flag says if it was not finished."""
    reading = read_as_public(reply)
    reason = unfinished_reason(reply)
    return Reading(reading.public, flags=() if reason is None else (CUT_OFF,))


def scored_answer(solver: Seat, turn: Turn, *, final: bool) -> Answer:
    """Return the option that a turn chose, with its share of the probability of all options."""
    shares = [
        value for name, value in (turn.measures or {}).items() if name.startswith("probability of ")
    ]
    return Answer(
        solver.name,
        turn.answer,
        confidence=max(shares, default=None),
        final=final,
        stage=int(final),
        confidence_source=SOURCE,
    )


def check_question(question: Subject, solver: Seat) -> None:
    """Raise ProtocolError unless there are options, and the model can do what is asked of it."""
    if not question.choices:
        raise ProtocolError(
            f"option_probability needs questions with options; this one has none:"
            f" {question.text[:80]!r}"
        )
    if (why_not := reason_against(solver.agent.model)) is not None:
        raise ProtocolError(why_not)


def reason_against(model: Model) -> str | None:
    """Return why a model cannot play this protocol, None if it can."""
    missing = {"choices", "prefill"} - model.capabilities
    if not missing:
        return None
    return (
        f"{model.name} has no {' and no '.join(sorted(missing))}: its options cannot be scored"
        " after its reasoning; use a local model or a vLLM server"
    )
