"""Debate a motion with the prompts of version 1, as they were in 0.1.0; kept for one release.

To go on with a study that was begun with them: `-o version=1`.  protocols/debate.py has the
protocol of today, with the paper and what differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from annotated_types import MinLen

from arena.play.episode import Episode
from arena.play.prompt import Prompt, own, rated
from arena.play.reading import Reader
from arena.types import Seat, Subject, Turn
from protocols.parsing.chances import speech_and_chances
from protocols.parsing.tags import speech_and_confidence, speech_only
from protocols.version_1.debate_wordings import SECOND, THIRD, Words

VERSION = "1"

Phase = Literal["opening", "rebuttal", "rebuttal_1", "rebuttal_2", "closing"]
Schedule = Literal["simultaneous", "sequential"]
Confidence = Literal["private", "public", "none"]
OpponentNote = Literal["none", "copy", "even_odds"]
Rating = Literal["likelihood", "stake", "both", "scored", "win_and_lose"]
Reflection = Literal["plain", "both_sides"]
Wording = Literal["first", "second", "third"]

THREE_SPEECHES: tuple[Phase, ...] = ("opening", "rebuttal", "closing")
FOUR_SPEECHES: tuple[Phase, ...] = ("opening", "rebuttal_1", "rebuttal_2", "closing")
ORDINALS = {"1": "first", "2": "second", "3": "third"}

ROLE = """You are debating the motion below as the {side}. You {task} the motion, whatever you \
think of it yourself. Now is your {phase} speech.

Motion: {motion}
"""
TASK = {"proposition": "argue for", "opposition": "argue against"}

SCAFFOLDS = {
    "opening": """
Build your case. Give two arguments, or three if you need them. For each, state the claim in one \
sentence, support it with evidence or with a
principle that you explain, and show why it decides the motion. End by saying how your arguments \
work together.
""",
    "rebuttal": """
Answer the other side. Choose the three points on which the debate turns. For each, quote what was \
said, say what is wrong with it (the facts,
the logic, the relevance, or the weight), and what follows for the motion. Then defend your own \
case where it was attacked, and weigh both.
""",
    "closing": """
Close the debate. Name the questions that decide it. For each, show what both sides have said and \
why you have won it, or why it matters less
than what you have won. Bring no new arguments. End with the reasons for which the motion should \
be decided your way.
""",
}
CRITERIA = """
You will be judged on substance alone: answering what the other side said; evidence, strong before \
weak; sound reasoning; replying to every
argument (what goes unanswered counts as granted, and late answers count less); and weighing what \
matters most. Style counts for nothing.
"""

NOTES = {
    "none": "",
    "copy": (
        "\nYour opponent is a copy of you: the same model with the same instructions, speaking for"
        " the other side.\n"
    ),
    "even_odds": (
        "\nYour opponent is a copy of you: the same model with the same instructions, speaking for"
        " the other side. By symmetry, your chance of winning is exactly 50%, and so is your"
        " opponent's.\n"
    ),
}
LIKELIHOOD = (
    "Rate how likely you are to win this debate, from 0 (certain to lose) through 50 (as likely to"
    " win as to lose) to 100 (certain to win)."
)
STAKE = (
    "Stake tokens on winning this debate: you hold 100, and may stake any number from 0 to 100. The"
    " winner takes both stakes; the loser's stake is gone."
)
RATINGS = {
    "likelihood": LIKELIHOOD,
    "stake": STAKE + " Your stake is your rating.",
    "both": LIKELIHOOD + " The same number is also your stake. " + STAKE,
    "scored": (
        LIKELIHOOD + " Your rating is paid by Brier's rule: if you win, you get 100 points minus"
        " (100 - rating)\N{SUPERSCRIPT TWO} / 100; if you lose, 100 points minus"
        " rating\N{SUPERSCRIPT TWO} / 100. A rating of 80, for example, brings 96 points if you win"
        " and 36 if you lose; a rating of 50 brings 75 either way. The rating that brings most on"
        " average is your true chance of winning, so state that."
    ),
    "win_and_lose": (
        "Rate two things apart: how likely you are to win this debate, and how likely you are to"
        " lose it, each from 0 (impossible) to 100 (certain)."
    ),
}
# Where the number that becomes the confidence comes from (`turns.confidence_source`).
SOURCES = {
    "likelihood": "stated",
    "stake": "stake",
    "both": "stated and stake",
    "scored": "scored",
}
REFLECTIONS = {
    "plain": "Before you rate, think about how the debate stands.",
    "both_sides": (
        "Before you rate, make the best case that you will win, and then the best case that your"
        " opponent will win."
    ),
}
VISIBLE = {
    "private": (
        "Your thoughts and your rating are private: nobody else in the debate will ever see them,"
        " and the judges will not."
    ),
    "public": (
        "Your thoughts are private. Your rating is public: your opponent will see the number from"
        " its next speech on."
    ),
}
VISIBLE_CHANCES = {
    "private": (
        "Your thoughts and both ratings are private: nobody else in the debate will ever see them,"
        " and the judges will not."
    ),
    "public": (
        "Your thoughts and your chance of losing are private. Your chance of winning is public:"
        " your opponent will see that number from its next speech on."
    ),
}
FORM_WITH_RATING = """
Reply with these three blocks and nothing else:
<thoughts>your private thoughts about how the debate stands</thoughts>
<speech>your {phase} speech, the only part that others will read</speech>
<rating>one number from 0 to 100</rating>
"""
FORM_WITH_CHANCES = """
Reply with these four blocks and nothing else:
<thoughts>your private thoughts about how the debate stands</thoughts>
<speech>your {phase} speech, the only part that others will read</speech>
<win>how likely you are to win, one number from 0 to 100</win>
<lose>how likely you are to lose, one number from 0 to 100</lose>
"""
FORM_WITHOUT_RATING = """
Reply with these two blocks and nothing else:
<thoughts>your private thoughts, if you have any</thoughts>
<speech>your {phase} speech, the only part that others will read</speech>
"""

FIRST = Words(
    ROLE,
    TASK,
    SCAFFOLDS,
    CRITERIA,
    NOTES,
    RATINGS,
    REFLECTIONS,
    VISIBLE,
    VISIBLE_CHANCES,
    FORM_WITH_RATING,
    FORM_WITH_CHANCES,
    FORM_WITHOUT_RATING,
    "\nNobody has spoken yet.\n",
    "\nThe debate so far:\n",
)
WORDINGS: dict[str, Words] = {"first": FIRST, "second": SECOND, "third": THIRD}


async def debate(
    episode: Episode,
    motion: Subject,
    proposition: Seat,
    opposition: Seat,
    *,
    phases: Annotated[tuple[Phase, ...], MinLen(1)] = THREE_SPEECHES,
    schedule: Schedule = "simultaneous",
    confidence: Confidence = "private",
    memory: bool = True,
    opponent_note: OpponentNote = "none",
    rating: Rating = "both",
    reflection: Reflection = "plain",
    wording: Wording = "first",
) -> None:
    """Let both sides speak in each phase and rate their own chances (Section 3 of the paper).

    `schedule`: simultaneous, both speak in parallel and blind within a phase; sequential, the
    opposition has read the proposition's speech of the same phase.  `confidence`: private; public,
    the other side sees the number (never the thoughts) from the next speech on; none, no rating is
    asked for.  `memory`: whether a side sees its own earlier ratings and thoughts.
    `opponent_note`: nothing, a copy of yourself, or a copy and therefore exactly even odds.
    `rating`: asked for as a likelihood, as a stake of 100 tokens, or as both at once; scored, as a
    likelihood that is paid by Brier's rule; win_and_lose, as the chances of winning and of losing,
    of which the first is the confidence and the second a measure of the turn.  `reflection`:
    plainly, or after arguing both sides' best case.  `wording`: one of three ways to say all this.
    """
    words = WORDINGS[wording]
    spoken: list[Turn] = []

    async def speak(side: Seat, phase: str, round: int) -> Turn:
        """Speak once, with a rating, after everything that the side may see."""
        # Built anew for each speech from `spoken`, in the faces that this side may see; a history
        # that a side carried along could hold what it must not read.
        instructions = speech_instructions(motion, side, phase, opponent_note, words)
        history = [(turn, face(turn, side, confidence, memory)) for turn in spoken]
        ending = rating_instructions(phase, confidence, rating, reflection, words)
        read = reply_reader(confidence, rating)
        prompt = [instructions, transcript(history, words), ending]
        return await episode.ask(
            side, prompt, phase=phase, round=round, read=read, public_rating=confidence == "public"
        )

    for round, phase in enumerate(phases):
        # Both are asked before either reply is appended, so that neither reads the other's speech
        # of this phase.
        if schedule == "simultaneous":
            spoken += await asyncio.gather(
                speak(proposition, phase, round), speak(opposition, phase, round)
            )
        else:
            spoken.append(await speak(proposition, phase, round))
            spoken.append(await speak(opposition, phase, round))


def face(turn: Turn, reader: Seat, confidence: Confidence, memory: bool) -> Prompt:
    """Return the face of an earlier turn that a reader is shown."""
    # own() holds thoughts and rating, rated() the rating alone, and a bare turn neither.
    if turn.seat == reader.name:
        return own(turn) if memory and confidence != "none" else turn
    return rated(turn) if confidence == "public" else turn


def reply_reader(confidence: Confidence, rating: Rating) -> Reader:
    """Return the reader of a reply to these questions."""
    if confidence == "none":
        return speech_only
    if rating == "win_and_lose":
        return speech_and_chances
    return partial(speech_and_confidence, source=SOURCES[rating])


def speech_instructions(
    motion: Subject, side: Seat, phase: str, opponent_note: OpponentNote, words: Words = FIRST
) -> str:
    """Return the text before the history: side, motion, how to speak, criteria, opponent."""
    # Both rebuttals of multi_round have one scaffold: "rebuttal_2" is read as "rebuttal".
    scaffold = words.scaffolds[phase.partition("_")[0]]
    role = words.role.format(
        side=side.name,
        task=words.tasks[side.name],
        phase=phase_in_words(phase),
        motion=motion.text,
    )
    return role + scaffold + words.criteria + words.notes[opponent_note]


def transcript(history: Sequence[tuple[Turn, Prompt]], words: Words = FIRST) -> Prompt:
    """Return the speeches so far, each under its side and phase."""
    if not history:
        return words.nothing_said
    speeches: list[Prompt] = [
        [f"\n--- {turn.seat}, {phase_in_words(turn.phase)} ---\n", shown, "\n"]
        for turn, shown in history
    ]
    return [words.history, *speeches]


def rating_instructions(
    phase: str,
    confidence: Confidence,
    rating: Rating,
    reflection: Reflection,
    words: Words = FIRST,
) -> str:
    """Return the text after the history: how to rate, who will see it, the form of the reply."""
    if confidence == "none":
        return words.form_without_rating.format(phase=phase_in_words(phase))
    apart = rating == "win_and_lose"
    visible = (words.visible_chances if apart else words.visible)[confidence]
    form = words.form_with_chances if apart else words.form_with_rating
    asked = f"\n{words.reflections[reflection]} {words.ratings[rating]} {visible}\n"
    return asked + form.format(phase=phase_in_words(phase))


def phase_in_words(phase: str) -> str:
    """Return the phase in words: "rebuttal_2" is "second rebuttal"."""
    name, _, number = phase.partition("_")
    return f"{ORDINALS.get(number, number)} {name}".strip()
