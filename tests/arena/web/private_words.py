"""Plant a searchable word in every private place of a store, beside hostile public words."""

from __future__ import annotations

from pathlib import Path

from agents.scripted import scripted_model
from arena.errors import RefusedError
from arena.play.episode import Episode
from arena.play.prompt import own
from arena.play.run import Arena
from arena.private import reveal
from arena.studies.study import Arm, Study
from arena.tournaments.stages import run_stages
from arena.types import (
    Agent,
    Alternative,
    Reading,
    Reply,
    Request,
    Sampling,
    Seat,
    Subject,
    TokenChoice,
)
from protocols.aside import aside
from protocols.debate import debate
from protocols.private_reasoning import RULES, labels_of

VERSION = "1"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \x1b[31mred \u202eevil"
PRIVATE = (
    "THOUGHTS-PLANTED",
    "REASONING-PLANTED",
    "RAW-PLANTED",
    "REASKED-PLANTED",
    "TOKEN-PLANTED",
    "ERROR-PLANTED",
    "PASTED-PLANTED",
)
FAILS = "This house would fail."
UNREADABLE = "This house would be unreadable."
MOTIONS = [*(f"This house would do number {n}." for n in range(5)), UNREADABLE, FAILS]


def rating_of(number: int, seat: str, step: int) -> float:
    """Return a rating that no other turn gives and that is not a mean of them."""
    return round(
        31.17 + 8.03 * number + 0.11 * number**2 + 2.31 * step + 1.13 * (seat == "opposition"), 2
    )


def reply(request: Request) -> Reply:
    """A speech with thoughts and a rating, each of which can be told from all others."""
    place = request.place
    everything = "\n".join(message.content for message in request.messages)
    if place.step == 2 and FAILS in everything:
        raise RefusedError("ERROR-PLANTED: the provider quoted it all", http_status=400)
    if place.step == 1 and UNREADABLE in everything and place.ask == 0:
        return Reply("RAW-PLANTED: no tag at all", reasoning="REASONING-PLANTED")
    number = next(n for n, motion in enumerate(MOTIONS) if motion in everything)
    rating = rating_of(number, place.seat, place.step)
    speech = f"{place.seat} said it, \x1b[31mred \u202eevil"
    raw = (
        f"<thoughts>THOUGHTS-PLANTED {place.seat}</thoughts>\n<speech>{speech}</speech>\n"
        f"<rating>{rating}</rating>\nRAW-PLANTED"
    )
    if place.ask == 1:
        raw = f"REASKED-PLANTED {raw}"
    likely = (Alternative("TOKEN-PLANTED", -0.5), Alternative("other", -1.5))
    choices = (TokenChoice("TOKEN-PLANTED", -0.5, likely), TokenChoice(" <b>", -9.0, likely))
    return Reply(
        raw,
        reasoning="REASONING-PLANTED",
        model_served="served-9",
        finish_reason="stop",
        tokens_in=7,
        tokens_out=5,
        logprobs=choices,
    )


def read_musing(text: str) -> Reading:
    """Return a hostile public word and a private thought."""
    return Reading(HOSTILE, thoughts=text, composed=True)


async def musing(episode: Episode, motion: Subject, proposition: Seat, opposition: Seat) -> None:
    """Paste a seat's own thoughts into its next prompt, which a protocol may do."""
    first = await episode.ask(proposition, motion.text, phase="first", read=read_musing)
    await episode.ask(
        proposition,
        ["You thought: ", reveal(first.thoughts) or "", own(first)],
        phase="second",
        read=read_musing,
    )
    await episode.ask(opposition, [motion.text, first], phase="first", read=read_musing)


def plant(db: Path) -> Path:
    """Return the store: seven debates (one fails, one asks again), one `musing`, and labels."""
    speaker = Agent(
        "speaker", scripted_model(reply, "speaker"), "You are a speaker.", Sampling(temperature=0.5)
    )
    thinker = Agent(
        "thinker",
        scripted_model(lambda request: "PASTED-PLANTED: something of one's own", "thinker"),
    )
    motions = [Subject(text) for text in MOTIONS]
    Arena(db).run(
        Study(
            "planted",
            [Arm("only", debate, [{"proposition": speaker, "opposition": speaker}])],
            motions,
        )
    )
    Arena(db).run(
        Study(
            "other one",
            [Arm("only", musing, [{"proposition": thinker, "opposition": thinker}])],
            motions[:1],
        )
    )
    # A seat that was asked twice is asked aside, and reads both of its replies again.
    run_stages(Arena(db), [aside("planted", agents=[speaker], seats=["opposition"], at=[1])])
    # Labellers are shown private thoughts and numbers on purpose, and no public page tells them.
    Arena(db).run(labels_of("labels", "planted", [RULES], number="shown").write(db))
    return db
