"""Deliver one speech of a side: as it comes, the best of several, or after a critique.

The tools by which Khan et al. (arXiv 2402.06782) make debaters more persuasive.  Best of n: n
candidates are put before a judge who has read the debate up to there, and the one after which it
holds the side's answer most probable is delivered.  Critique and refine: a critic who has read the
text criticises the delivered candidate, of several critiques the one that a rater finds most useful
counts, and n refined candidates are chosen from in the same way; where none of them can be read,
the speech before it stands.

Different: the judge's own agent prefers and rates; the paper makes three candidates for each one
that is wanted, to have enough of the right length.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.private import reveal
from arena.tournaments.stored_arguments import (
    PREFERENCE,
    REFINED,
    SPEECH,
    Form,
    delivered,
    preferring_seat,
    side_of,
)
from arena.types import Seat, Subject, Turn
from protocols import oversight_words as words
from protocols.oversight_judges import (
    Heard,
    Quotes,
    Verdict,
    ask_to_decide,
    draw_order,
    letters_in,
    scoring,
)
from protocols.oversight_words import Claim
from protocols.parsing.judgements import argument, letter_alone

USEFUL = {"A": "yes", "B": "no"}


@dataclass(frozen=True, slots=True)
class Side:
    """Who argues for which answer, and against which; None: nobody argues for the other."""

    seat: Seat
    claim: Claim
    other: Claim | None


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules by which sides speak: rounds, words a speech, and how a speech is made.

    `rated`: with a private rating of one's chances.  `verdict` is how a judge's preference is read.
    """

    rounds: int
    length: int
    rated: bool
    best_of: int
    critiques: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Floor:
    """A play in which sides speak before a judge, who reads both claims in the order drawn."""

    episode: Episode
    question: Subject
    judge: Seat
    claims: tuple[Claim, Claim]
    heard: Heard
    rules: Rules

    def history(self, turns: Sequence[Turn]) -> Prompt:
        """Return what all who argue are shown: question, answers, text, and what was said."""
        shown = words.setting(self.question, self.claims)
        if not turns:
            return [shown, words.NOTHING_SAID]
        names = {side: f"for the answer {c.text!r}" for side, c in self.heard.sides.items()}
        quotes = self.heard.quotes if self.question.passage else "off"
        faces = words.faces(turns, self.question, quotes)
        code = self.heard.codes[len(turns)]
        return [shown, words.SAID.format(code=code), words.said(turns, names, code, faces)]

    def role(self, side: Side, round: int) -> str:
        """Return what a side is told of its speech."""
        alone = words.CHOSE if self.heard.form == "open consultancy" else words.ALONE
        other = words.AGAINST.format(claim=side.other.text) if side.other else alone
        told = words.SIDE.format(
            claim=side.claim.text,
            other=other,
            round=round + 1,
            rounds=self.rules.rounds,
            words=self.rules.length,
        )
        if self.question.passage and self.heard.quotes != "off":
            told += words.QUOTING.format(told=words.TOLD[self.heard.quotes])
        if not self.rules.rated:
            return told + words.PRIVATE.format(and_rating="") + words.SPEECH_FORM
        private = words.PRIVATE.format(and_rating=" and your rating")
        return told + words.RATE + private + words.SPEECH_FORM + words.RATING_FORM


def open_floor(
    episode: Episode,
    question: Subject,
    judge: Seat,
    claims: tuple[Claim, Claim],
    sides: Sequence[Side],
    form: Form,
    quotes: Quotes,
    rules: Rules,
) -> Floor:
    """Return the floor of a play: its claims in an order that is drawn, and codes for headings."""
    # Another one for each turn that is added: who speaks has read the headings of the turns before,
    # and so would know the code of the headings under which its own speech is read.
    draw = episode.rng("headings")
    codes = [f"{draw.getrandbits(32):08x}" for _ in range(3 * rules.rounds + 1)]
    by_side = {side.seat.name: side.claim for side in sides}
    heard = Heard(form, question, by_side, quotes, codes)
    return Floor(episode, question, judge, draw_order(episode, claims), heard, rules)


async def deliver(floor: Floor, side: Side, heard: Sequence[Turn], round: int) -> Turn:
    """Return the speech that a side delivers in a round, after everything that it has heard."""
    prompt = [floor.history(heard), floor.role(side, round)]
    made = await candidates(floor, side, heard, round, prompt, SPEECH)
    (chosen,) = delivered(made)
    if floor.rules.critiques == 0 or not chosen.public:
        return chosen
    critique = await criticise(floor, side, heard, round, chosen)
    draft: Prompt = ["\nDraft:\n", chosen, "\n\nCritique:\n", critique, "\n", words.REFINE]
    refined = await candidates(floor, side, heard, round, [prompt, draft], REFINED)
    (best,) = delivered([*made, *refined])
    return best


async def candidates(
    floor: Floor, side: Side, heard: Sequence[Turn], round: int, prompt: Prompt, phase: str
) -> list[Turn]:
    """Return the candidates for a speech, and how much a judge prefers each of several."""
    names = [side.seat.name, *(f"{side.seat.name} {n + 2}" for n in range(floor.rules.best_of - 1))]
    read = partial(argument, claim=side.claim.letter, rated=floor.rules.rated)
    speeches = await asyncio.gather(
        *(
            floor.episode.ask(
                Seat(name, side.seat.agent), prompt, phase=phase, round=round, read=read
            )
            for name in names
        )
    )
    if len(speeches) == 1:
        return [*speeches]

    async def prefer(speech: Turn) -> Turn:
        """Ask which answer a judge would choose if the speech were delivered."""
        seat = Seat(preferring_seat(speech), floor.judge.agent)
        floor.episode.hide_passage_from(seat)
        letters = letters_in(floor.claims, "as drawn")
        prompt = [floor.heard.transcript(letters, [*heard, speech]), words.LIKED]
        return await ask_to_decide(
            floor.episode, seat, prompt, letters, floor.rules.verdict, PREFERENCE, round
        )

    return [*speeches, *await asyncio.gather(*map(prefer, speeches))]


async def criticise(
    floor: Floor, side: Side, heard: Sequence[Turn], round: int, draft: Turn
) -> Turn:
    """Return the critique of a draft that counts: the only one, or the most useful of several."""
    told = words.CRITICISE.format(claim=side.claim.text)
    prompt = [floor.history(heard), "\nDraft:\n", draft, told]
    made = await asyncio.gather(
        *(
            floor.episode.ask(
                Seat(f"critic {n + 1} of {side.seat.name}", side.seat.agent),
                prompt,
                phase="critique",
                round=round,
            )
            for n in range(floor.rules.critiques)
        )
    )
    if len(made) == 1:
        return made[0]

    by_letter = floor.rules.verdict == "logprobs"
    sampling = scoring(floor.judge.agent, tuple(USEFUL)) if by_letter else None

    async def rate(critique: Turn) -> float:
        """Return how probable the rater holds that the critique is useful; -1 if it did not say."""
        seat = Seat(f"rater of {critique.seat}", floor.judge.agent)
        floor.episode.hide_passage_from(seat)
        rated = await floor.episode.ask(
            seat,
            ["Draft:\n", draft, words.RATE_CRITIQUE.format(claim=side.claim.text), critique],
            phase="rating of a critique",
            round=round,
            read=partial(letter_alone, letters=USEFUL),
            sampling=sampling,
        )
        if rated.answer is None:
            return -1.0
        sure = 1.0 if rated.confidence is None else reveal(rated.confidence)
        return sure if rated.answer == "yes" else 1 - sure

    useful = await asyncio.gather(*map(rate, made))
    return made[useful.index(max(useful))]


def heard_by(side: Side, turns: Sequence[Turn], hears: str) -> list[Turn]:
    """Return what a side has heard: everything, or its own speeches and the judge's questions."""
    if hears == "each other":
        return [*turns]
    return [turn for turn in turns if side_of(turn.seat) in (side.seat.name, "judge")]
