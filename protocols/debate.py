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

Ours: the ratings `scored` and `win_and_lose`, two more wordings of all prompts
(debate_wordings.py), prompts as a chat and replies by a schema (debate_prompts.py).  A stake is no
confidence: who believes to win with probability p < 1, and meets a stake of o, expects p o - (1 -
p) s from a stake of s, which is most at s = 0 for every p.  Brier's rule (Glenn W. Brier,
Verification of Forecasts Expressed in Terms of Probability, 1950) pays most, on average, to a
rating that is the belief.

VERSION 2 differs from 1: the speech comes before the thoughts in the reply; text that is shared
stands first in the prompt; own thoughts and ratings follow the history; no thoughts are asked for
where no rating is; prompts have no line breaks inside their paragraphs.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Literal

from annotated_types import MinLen

from arena.play.episode import Episode
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
from protocols.debate_prompts import (
    BEFORE,
    Asking,
    Confidence,
    OpponentNote,
    PromptForm,
    Rating,
    Reflection,
    debate_instructions,
)
from protocols.debate_wordings import SECOND, THIRD, Words
from protocols.structured import Replies

VERSION = "2"

Phase = Literal["before", "opening", "rebuttal", "rebuttal_1", "rebuttal_2", "closing"]
Schedule = Literal["simultaneous", "sequential"]
Wording = Literal["first", "second", "third"]

THREE_SPEECHES: tuple[Phase, ...] = ("opening", "rebuttal", "closing")
FOUR_SPEECHES: tuple[Phase, ...] = ("opening", "rebuttal_1", "rebuttal_2", "closing")

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
    form: PromptForm = "transcript",
    replies: Replies = "tags",
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

    Other forms (debate_prompts.py): `form`: the prompt is a transcript in one message, or a chat.
    `replies`: in tags; or as an object by a schema, from models that serve that.
    """
    sides = [proposition, opposition]
    asked_rounds = rounds_with_rating(len(phases), asked) if confidence != "none" else range(0)
    # The same agents debate another motion beside this one.
    is_misplaced = opponent == "misplaced"
    elsewhere = [Seat(side.name + ELSEWHERE, side.agent) for side in sides if is_misplaced]
    other = draw_motion(episode, motion, other_motions) if is_misplaced else ""
    words, sequential = WORDINGS[wording], schedule == "sequential"
    asking = Asking(
        words, confidence, asked_rounds, memory, rating, reflection, sequential, form, replies
    )
    spoken: list[Turn] = []

    async def speak(seat: Seat, phase: str, round: int) -> Turn:
        """Speak once, with a rating if one is asked for, after everything that the seat may see."""
        # Built anew for each speech from `spoken`, in the faces that this seat may see; a history
        # that a seat carried along could hold what it must not read.
        heard = [turn for turn in spoken if hears(seat.name, turn.seat, opponent)]
        topic = replace(motion, text=other, images=()) if seat in elsewhere else motion
        opening = debate_instructions(topic.text, opponent_note, opponent, words)
        schema = asking.schema(seat, phase, round)
        return await episode.ask(
            seat,
            asking.prompt(seat, [*topic.images, opening], heard, phase, round),
            phase=phase,
            round=round,
            read=asking.reader(seat, phase, round),
            public_rating=asking.shown_in(round) == "public",
            sampling=None if schema is None else schema.sampling(seat),
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
