"""Ask one model in several prompts, by other examples and templates, and combine its labels.

"On Task Performance and Model Calibration with Supervised and Self-Ensembled In-Context Learning",
arXiv 2312.13772.

Kept: the voters are one model; what differs between them are the examples that stand before the
question (another draw for each variation, the same for all questions), the template, or both; their
label probabilities p_v are combined by

    max_vote     the label that most voters give; the mean of its p_v over those who give it
    mean_prob    the label of the highest mean of p_v, which is the confidence
    max_prob     the label of the highest max of p_v, renormalised over the labels

Different: the templates are ours, for any question; 4 examples are shown unless told otherwise (16
in the paper).  Ours: without label probabilities each prompt is sampled `draws` times, and shares
take the place of probabilities; what cannot be read stays in the denominator, and a voter without
any readable reply is left out; ties go to the label that was named first.  Left out: models that
are tuned.  An example about the question that is asked is never shown.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge

from arena.errors import ProtocolError, StudyError
from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.play.reading import as_reply
from arena.types import Answer, Reading, Reply, Sampling, Seat, Subject, Turn
from protocols import asking
from protocols.parsing.confidence import said_in

VERSION = "1"

Vary = Literal["examples", "templates", "both"]
Combine = Literal["max_vote", "mean_prob", "max_prob"]
Readout = Literal["choices", "sampling"]
Labels = Literal["letters", "texts"]
# Label probabilities of a voter; their sum may be below 1 where replies could not be read.
Shares = Mapping[str, float]
# What stands first, and how a question is written, the examples with their label behind it.
TEMPLATES = (
    ("", "Question: {question}Answer:"),
    ("Each item has one right label.\n", "Item: {question}Label:"),
    ("What is right?\n", "{question}Right is:"),
    ("This is a test.\n", "Task: {question}Solution:"),
    ("Decide about the last one.\n", "Given: {question}Decision:"),
)
SHORT = {
    "letters": "Reply with the letter of an option and nothing else.\n",
    "texts": "Reply with the words of an option and nothing else.\n",
}


async def self_ensembling(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    vary: Vary = "both",
    variations: Annotated[int, Ge(1)] = 5,
    combine: Combine = "mean_prob",
    examples: Sequence[tuple[str, str]] = (),
    shots: Annotated[int, Ge(0)] = 4,
    readout: Readout = "choices",
    labels: Labels = "letters",
    draws: Annotated[int, Ge(1)] = 10,
    temperature: Annotated[float, Ge(0)] | None = None,
) -> list[Answer]:
    """Return the label of each voter and that of all, with their probabilities as confidences.

    `examples` are questions with their labels (`examples_of`), of which each variation shows
    `shots`.  `readout` "choices" scores the options of the question, by their letters or their
    texts (`labels`), for models with "choices"; "sampling" draws `draws` replies a variation, at
    `temperature` or the agent's own.
    """
    check(question, solver, vary, readout, examples)
    prompts = [
        asking.with_images(question, text)
        for text in prompts_of(question, vary, variations, examples, shots, readout, labels)
    ]
    if readout == "choices":
        ask = partial(score_labels, episode, question, solver, labels)
    else:
        sampling = asking.sampling_at(solver.agent, temperature)
        ask = partial(sample_labels, episode, question, solver, draws, sampling)
    shares = await asyncio.gather(*(ask(number, prompt) for number, prompt in enumerate(prompts)))
    source = "probability" if readout == "choices" else asking.VOTE_SHARE
    answers = [
        answer_of(f"voter{number}", [one] if one else [], "mean_prob", source)
        for number, one in enumerate(shares)
    ]
    last = answer_of(solver.name, [each for each in shares if each], combine, source)
    return [*answers, replace(last, final=True)]


async def score_labels(
    episode: Episode, question: Subject, solver: Seat, labels: Labels, number: int, prompt: Prompt
) -> Shares:
    """Return the probability of each letter, from the probabilities of options."""
    letters = LETTERS[: len(question.choices)]
    texts = tuple(letters) if labels == "letters" else question.choices
    turn = await episode.ask(
        Seat(f"voter{number}", solver.agent),
        prompt,
        phase="label",
        read=partial(label_read, texts=texts),
        sampling=Sampling(choices=texts),
    )
    measures = turn.measures or {}
    known = {
        letter: measures[f"probability of {text}"]
        for letter, text in zip(letters, texts, strict=True)
        if f"probability of {text}" in measures
    }
    return known if len(known) == len(letters) else {}


async def sample_labels(
    episode: Episode,
    question: Subject,
    solver: Seat,
    draws: int,
    sampling: Sampling | None,
    number: int,
    prompt: Prompt,
) -> Shares:
    """Return the share of each value among so many replies to one prompt."""
    seats = [Seat(f"voter{number}" + f"_{i}" * (i > 0), solver.agent) for i in range(draws)]
    read = asking.reader(question, reask=False)
    turns: list[Turn] = await asyncio.gather(
        *(episode.ask(seat, prompt, phase="label", read=read, sampling=sampling) for seat in seats)
    )
    cast = asking.votes(turns, question)
    return {vote: cast.count(vote) / draws for vote in dict.fromkeys(cast) if vote is not None}


def combine_shares(voters: Sequence[Shares], combine: Combine) -> tuple[str | None, float | None]:
    """Return (label, confidence in [0, 1]) of all voters; (None, None) without one."""
    labels = list(dict.fromkeys(label for shares in voters for label in shares))
    if not labels:
        return None, None
    if combine == "max_vote":
        chosen = [max(shares, key=shares.__getitem__) for shares in voters]
        label = max(labels, key=chosen.count)
        own = [shares[label] for shares, each in zip(voters, chosen, strict=True) if each == label]
        return label, sum(own) / len(own)
    if combine == "mean_prob":
        means = {
            label: sum(shares.get(label, 0.0) for shares in voters) / len(voters)
            for label in labels
        }
        label = max(means, key=means.__getitem__)
        return label, min(1.0, means[label])
    highest = {label: max(shares.get(label, 0.0) for shares in voters) for label in labels}
    label = max(highest, key=highest.__getitem__)
    return label, highest[label] / sum(highest.values())


def answer_of(seat: str, voters: Sequence[Shares], combine: Combine, source: str) -> Answer:
    """Return the answer of some voters as that of a seat, not final."""
    label, confidence = combine_shares(voters, combine)
    kind = None if confidence is None else source
    return Answer(seat, label, confidence=confidence, final=False, confidence_source=kind)


def prompts_of(
    question: Subject,
    vary: Vary,
    variations: int,
    examples: Sequence[tuple[str, str]],
    shots: int,
    readout: Readout,
    labels: Labels,
) -> list[str]:
    """Return the prompt of each variation; number 0 has the first template and the first draw."""
    text = asking.question_text(question)
    usable = [
        each for each in examples if plain(each[0]) not in (plain(text), plain(question.text))
    ]
    form = SHORT[labels] if readout == "choices" or question.choices else asking.form(question)
    prompts = []
    for number in range(variations):
        seed = number if vary != "templates" else 0
        head, item = TEMPLATES[number % len(TEMPLATES) if vary != "examples" else 0]
        # The same draw for all questions, so that a variation is one prompt.
        order = random.Random(f"examples {seed}").sample(range(len(examples)), len(examples))
        drawn = [examples[place] for place in order if examples[place] in usable][:shots]
        shown = "".join(
            item.format(question=f"{asked.rstrip()}\n") + f" {label}\n\n" for asked, label in drawn
        )
        prompts.append(f"{head}{form}\n{shown}{item.format(question=text)}")
    return prompts


def plain(text: str) -> str:
    """Return a text with single spaces, in small letters."""
    return " ".join(text.split()).casefold()


def label_read(reply: Reply, texts: Sequence[str]) -> Reading:
    """Read the option that was chosen as the answer."""
    public, words = said_in(as_reply(reply))
    found = [text for text in texts if text.strip() == words.strip()]
    return Reading(public, answer=found[0] if found else None)


def check(
    question: Subject,
    solver: Seat,
    vary: Vary,
    readout: Readout,
    examples: Sequence[tuple[str, str]],
) -> None:
    """Raise ProtocolError for labels that cannot be scored, or examples that are missing."""
    if readout == "choices" and not question.choices:
        raise ProtocolError(
            f"self_ensembling scores the options of a question, and {question.text[:60]!r} has"
            " none; give questions with choices, or readout='sampling'"
        )
    if readout == "choices" and "choices" not in solver.agent.model.capabilities:
        raise ProtocolError(
            f"self_ensembling needs a model with 'choices', which {solver.agent.model.name} has"
            " not; take a local model, or readout='sampling'"
        )
    if vary == "examples" and not examples:
        raise ProtocolError(
            "self_ensembling was to vary examples, and was given none; give examples, or"
            " vary='templates'"
        )


def examples_of(questions: Sequence[Subject]) -> list[tuple[str, str]]:
    """Return questions that have a right answer as examples: text with options, and label.

    Raises StudyError if none has one.
    """
    examples = [
        (asking.question_text(each), str(each.gold)) for each in questions if each.gold is not None
    ]
    if not examples:
        raise StudyError(
            f"none of {len(questions)} questions has a right answer, which an example needs"
        )
    return examples


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make `calls` calls.  Raises StudyError below one."""
    asking.check_calls(calls, 1, "self_ensembling needs a voter")
    return {"variations": calls}
