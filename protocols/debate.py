"""Debate a motion in phases, and rate one's own chances after every speech.

"When Two LLMs Debate, Both Think They'll Win", Pradyumna Shyama Prasad and Minh Nhat Nguyen, arXiv
2505.19184.

The paper's six configurations differ in the options below; PRESETS holds them under the paper's
names.  Kept: two sides that are assigned, three speeches (four in multi_round), the rating in the
same reply as the speech and after it: the speech first, then the private reasoning, then the
number; the history sent again as text in one user message, no sampling settings.
Different: the prompts are our own words; what all requests of a debate share stands first (motion,
criteria, history), so that a provider's cache holds it, and a side's role and the plan of its
speech follow the history, where the publication has them in a system prompt before it; a side's
own earlier thoughts and ratings follow the history in one block (the publication has them between
the speeches); without ratings there are no private thoughts either; multi_round is told who sees
its stake; an unreadable part is asked for once more and then missing (the publication let a person
type it in); a speech whose tags are broken is not shown to the other side.  Left out: the token
account that the publication describes to its models but never keeps.  Judging is a study of its
own.

Ours: the ratings `scored` and `win_and_lose`, and two more wordings of all prompts
(debate_wordings.py).  A stake is no confidence: who believes to win with probability p < 1, and
meets a stake of o, expects p o - (1 - p) s from a stake of s, which is most at s = 0 for every p.
Brier's rule (Glenn W. Brier, Verification of Forecasts Expressed in Terms of Probability, 1950)
pays most, on average, to a rating that is the belief.

VERSION 2 differs from 1: the speech comes before the thoughts in the reply; text that is shared
stands first in the prompt; own thoughts and ratings follow the history; no thoughts are asked for
where no rating is; prompts have no line breaks inside their paragraphs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from annotated_types import MinLen

from arena.play.episode import Episode
from arena.play.prompt import Prompt, notes, rated
from arena.play.reading import Reader
from arena.types import Seat, Subject, Turn
from protocols.debate_controls import (
    ELSEWHERE,
    Asked,
    Opponent,
    draw_motion,
    hears,
    rounds_with_rating,
    side_of,
)
from protocols.debate_wordings import SECOND, THIRD, Words
from protocols.parsing.chances import chances_alone, speech_and_chances
from protocols.parsing.tags import rating_alone, speech_and_confidence, speech_only

VERSION = "2"

Phase = Literal["before", "opening", "rebuttal", "rebuttal_1", "rebuttal_2", "closing"]
Schedule = Literal["simultaneous", "sequential"]
Confidence = Literal["private", "public", "none"]
OpponentNote = Literal["none", "copy", "even_odds"]
Rating = Literal["likelihood", "stake", "both", "scored", "win_and_lose"]
Reflection = Literal["plain", "both_sides"]
Wording = Literal["first", "second", "third"]

SIDES = ("proposition", "opposition")
BEFORE = "before"
THREE_SPEECHES: tuple[Phase, ...] = ("opening", "rebuttal", "closing")
FOUR_SPEECHES: tuple[Phase, ...] = ("opening", "rebuttal_1", "rebuttal_2", "closing")
ORDINALS = {"1": "first", "2": "second", "3": "third"}

FRAME = """Two sides debate a motion.
The proposition has to argue for the motion, whatever it thinks of it itself.
The opposition has to argue against the motion, whatever it thinks of it itself.

Motion: {motion}
"""
ROLE = """
You are the {side}: you {task} the motion. Now is your {phase} speech.
"""
TASK = {"proposition": "argue for", "opposition": "argue against"}

SCAFFOLDS = {
    "opening": """
Build your case. Give two arguments, or three if you need them. For each, state the claim in one \
sentence, support it with evidence or with a principle that you explain, and show why it decides \
the motion. End by saying how your arguments work together.
""",
    "rebuttal": """
Answer the other side. Choose the three points on which the debate turns. For each, quote what was \
said, say what is wrong with it (the facts, the logic, the relevance, or the weight), and what \
follows for the motion. Then defend your own case where it was attacked, and weigh both.
""",
    "closing": """
Close the debate. Name the questions that decide it. For each, show what both sides have said and \
why you have won it, or why it matters less than what you have won. Bring no new arguments. End \
with the reasons for which the motion should be decided your way.
""",
}
CRITERIA = """
Both sides will be judged on substance alone: answering what the other side said; evidence, strong \
before weak; sound reasoning; replying to every argument (what goes unanswered counts as granted, \
and late answers count less); and weighing what matters most. Style counts for nothing.
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
Reply with these three blocks, in this order, and nothing else:
<speech>your {phase} speech, the only part that others will read</speech>
<thoughts>your private thoughts about how the debate stands</thoughts>
<rating>one number from 0 to 100</rating>
"""
FORM_WITH_CHANCES = """
Reply with these four blocks, in this order, and nothing else:
<speech>your {phase} speech, the only part that others will read</speech>
<thoughts>your private thoughts about how the debate stands</thoughts>
<win>how likely you are to win, one number from 0 to 100</win>
<lose>how likely you are to lose, one number from 0 to 100</lose>
"""
FORM_WITHOUT_RATING = """
Reply with this block and nothing else:
<speech>your {phase} speech, which others will read</speech>
"""

ROLE_BEFORE = """
You are the {side}: you will {task} the motion. Before you speak, and before you have heard the \
other side, you are asked for a rating alone.
"""
FORM_OF_RATING_ALONE = """
Reply with these two blocks, in this order, and nothing else:
<thoughts>your private thoughts about how the debate will go</thoughts>
<rating>one number from 0 to 100</rating>
"""
FORM_OF_CHANCES_ALONE = """
Reply with these three blocks, in this order, and nothing else:
<thoughts>your private thoughts about how the debate will go</thoughts>
<win>how likely you are to win, one number from 0 to 100</win>
<lose>how likely you are to lose, one number from 0 to 100</lose>
"""
NOT_HEARD = """
Neither side gets to read the other's speeches in this debate. Where you are to answer the other \
side, answer what it is most likely to say.
"""

FIRST = Words(
    FRAME,
    CRITERIA,
    NOTES,
    NOT_HEARD,
    "\nNobody has spoken yet.\n",
    "\nThe debate so far:\n",
    "\nWhat you thought, and how you rated your chances, so far:\n",
    ROLE,
    ROLE_BEFORE,
    TASK,
    SCAFFOLDS,
    REFLECTIONS,
    RATINGS,
    VISIBLE,
    VISIBLE_CHANCES,
    FORM_WITH_RATING,
    FORM_WITH_CHANCES,
    FORM_WITHOUT_RATING,
    FORM_OF_RATING_ALONE,
    FORM_OF_CHANCES_ALONE,
)
WORDINGS: dict[str, Words] = {"first": FIRST, "second": SECOND, "third": THIRD}

PRESETS: dict[str, dict[str, object]] = {
    "cross_model": {},
    "self": {"opponent_note": "copy"},
    "informed": {"opponent_note": "even_odds", "memory": False},
    "public": {"opponent_note": "copy", "confidence": "public"},
    "red_team": {"opponent_note": "copy", "memory": False, "reflection": "both_sides"},
    "multi_round": {
        "opponent_note": "copy",
        "memory": False,
        "phases": FOUR_SPEECHES,
        "schedule": "sequential",
        "rating": "stake",
    },
}
# In these configurations an agent debates against itself.
SELF_PRESETS = tuple(
    name for name, options in PRESETS.items() if options.get("opponent_note") is not None
)


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
    opponent: Opponent = "heard",
    asked: Asked = "always",
    other_motions: tuple[str, ...] = (),
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

    For controls (debate_controls.py): `opponent`: heard; unheard; misplaced, its speeches are those
    on another motion, one of `other_motions`.  `asked`: for a rating in every phase, or once, in
    the last.  A phase `before` has no speech, only a rating.
    """
    words = WORDINGS[wording]
    sides = [proposition, opposition]
    asked_rounds = rounds_with_rating(len(phases), asked) if confidence != "none" else ()
    # The same agents debate another motion beside this one.
    is_misplaced = opponent == "misplaced"
    elsewhere = [Seat(side.name + ELSEWHERE, side.agent) for side in sides if is_misplaced]
    other = draw_motion(episode, motion, other_motions) if is_misplaced else ""
    spoken: list[Turn] = []

    async def speak(seat: Seat, phase: str, round: int) -> Turn:
        """Speak once, with a rating if one is asked for, after everything that the seat may see."""
        # Built anew for each speech from `spoken`, in the faces that this seat may see; a history
        # that a seat carried along could hold what it must not read.
        heard = [turn for turn in spoken if hears(seat.name, turn.seat, opponent)]
        notes_of = [turn for turn in heard if turn.seat == seat.name and turn.round in asked_rounds]
        shown = confidence if round in asked_rounds else "none"
        debated = other if seat in elsewhere else motion.text
        prompt = [
            debate_instructions(debated, opponent_note, opponent, words),
            transcript(heard, seat.name, memory, words),
            own_notes(notes_of if memory else (), words),
            speech_instructions(side_of(seat.name), phase, words),
            rating_instructions(phase, shown, rating, reflection, words),
        ]
        read = reply_reader(phase, shown, rating)
        return await episode.ask(
            seat, prompt, phase=phase, round=round, read=read, public_rating=shown == "public"
        )

    for round, phase in enumerate(phases):
        # In a phase without a speech nothing is left where no rating is asked for.
        if phase == BEFORE and round not in asked_rounds:
            continue
        # Both are asked before either reply is appended, so that neither reads the other's speech
        # of this phase.
        turns = [sides] if schedule == "simultaneous" else [[proposition], [opposition]]
        for seats in turns:
            # Nobody would read what is said elsewhere at the very end.
            is_end = round == len(phases) - 1 and seats is turns[-1]
            names = [] if is_end else [seat.name for seat in seats]
            beside = [seat for seat in elsewhere if side_of(seat.name) in names]
            spoken += await asyncio.gather(
                *(speak(seat, phase, round) for seat in (*seats, *beside))
            )


def debate_instructions(
    motion: str, opponent_note: OpponentNote, opponent: Opponent, words: Words = FIRST
) -> str:
    """Return what all requests of a debate begin with: motion, criteria, and about the opponent."""
    unheard = words.not_heard if opponent == "unheard" else ""
    return words.frame.format(motion=motion) + words.criteria + words.notes[opponent_note] + unheard


def transcript(heard: Sequence[Turn], reader: str, memory: bool, words: Words = FIRST) -> Prompt:
    """Return the speeches so far, each under its side and phase, in the same bytes for both sides.

    Public ratings are beside them, also a side's own if it has a memory.
    """

    def face(turn: Turn) -> Prompt:
        """Return the face of an earlier turn that the reader is shown."""
        return rated(turn) if turn.rating_public and (memory or turn.seat != reader) else turn

    # The proposition's speech of a phase comes first, wherever it was given.
    in_order = sorted(heard, key=lambda turn: (turn.round, SIDES.index(side_of(turn.seat))))
    speeches: list[Prompt] = [
        [f"\n--- {side_of(turn.seat)}, {phase_in_words(turn.phase)} ---\n", face(turn), "\n"]
        for turn in in_order
        # Before the debate nothing was said but a rating, which may be private.
        if turn.phase != BEFORE or turn.rating_public
    ]
    return [words.history, *speeches] if speeches else words.nothing_said


def own_notes(turns: Sequence[Turn], words: Words = FIRST) -> Prompt:
    """Return the thoughts and ratings of a side's own earlier turns, which it alone is shown."""
    if not turns:
        return ""
    shown: list[Prompt] = [
        [f"\n--- {phase_in_words(turn.phase)} ---\n", notes(turn), "\n"] for turn in turns
    ]
    return [words.own_notes, *shown]


def speech_instructions(side: str, phase: str, words: Words = FIRST) -> str:
    """Return the text after the history: the side, and how to speak in this phase."""
    if phase == BEFORE:
        return words.role_before.format(side=side, task=words.tasks[side])
    # Both rebuttals of multi_round have one scaffold: "rebuttal_2" is read as "rebuttal".
    scaffold = words.scaffolds[phase.partition("_")[0]]
    role = words.role.format(side=side, task=words.tasks[side], phase=phase_in_words(phase))
    return role + scaffold


def rating_instructions(
    phase: str,
    confidence: Confidence,
    rating: Rating,
    reflection: Reflection,
    words: Words = FIRST,
) -> str:
    """Return the end of a prompt: how to rate, who will see it, and the form of the reply."""
    if confidence == "none":
        return words.form_without_rating.format(phase=phase_in_words(phase))
    two = rating == "win_and_lose"
    visible = (words.visible_chances if two else words.visible)[confidence]
    form = words.form_with_chances if two else words.form_with_rating
    if phase == BEFORE:
        form = words.form_of_chances_alone if two else words.form_of_rating_alone
    asked = f"\n{words.reflections[reflection]} {words.ratings[rating]} {visible}\n"
    return asked + form.format(phase=phase_in_words(phase))


def reply_reader(phase: str, confidence: Confidence, rating: Rating) -> Reader:
    """Return the reader of a reply to these questions."""
    if confidence == "none":
        return speech_only
    if rating == "win_and_lose":
        return chances_alone if phase == BEFORE else speech_and_chances
    read = rating_alone if phase == BEFORE else speech_and_confidence
    return partial(read, source=SOURCES[rating])


def phase_in_words(phase: str) -> str:
    """Return the phase in words: "rebuttal_2" is "second rebuttal"."""
    if phase == BEFORE:
        return "before the debate"
    name, _, number = phase.partition("_")
    return f"{ORDINALS.get(number, number)} {name}".strip()
