"""What the control arms of a debate change: who hears whom, and when a rating is asked for.

A rating that rises in a debate may rise because of one's own words, because somebody answered, by
what the answer said, or by being asked again.  Options of `debate` take these apart, and the
paper's debate is their default:

- `opponent=unheard`: neither side reads the other's speeches, and both are told so; where a phase
  asks for an answer, they answer what they expect to hear.  One sentence of the prompt differs.
- `opponent=misplaced`: both sides read, under the opponent's name, what its agent says in the same
  seat and phase of a debate on another motion.  That debate is played beside this one, by the same
  two agents in seats whose names end in "elsewhere", with the same options, so that nothing but the
  motion differs from the speeches that are replaced; its last speeches are left out, since nobody
  reads them.  The record has those speeches as turns of those seats, and `saw` says who read them.
  The other motion is drawn by the episode's id.
- `asked=once`: no rating and no thoughts are asked for before the last phase.
- `confidence=none`: never.
- A phase `before`: a rating before the first speech, without a speech.

The controls are ours: the paper has no arm without debate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from arena.errors import StudyError
from arena.play.episode import Episode
from arena.studies.motions import MOTIONS
from arena.types import Subject

Opponent = Literal["heard", "unheard", "misplaced"]
Asked = Literal["always", "once"]
Control = Literal["before", "unheard", "misplaced", "once", "never"]

# What a control arm changes in the options of the debate that it is compared with.
CONTROLS: dict[Control, dict[str, object]] = {
    "before": {"phases": ("before",)},
    "unheard": {"opponent": "unheard"},
    "misplaced": {"opponent": "misplaced"},
    "once": {"asked": "once"},
    "never": {"confidence": "none"},
}

# Behind a side's name: the seat of the same agent in the debate on another motion.
ELSEWHERE = " elsewhere"


def rounds_with_rating(rounds: int, asked: Asked) -> range:
    """Return the rounds in which a rating is asked for."""
    return range(rounds - 1, rounds) if asked == "once" else range(rounds)


def draw_motion(episode: Episode, motion: Subject, other_motions: Sequence[str]) -> str:
    """Draw the motion of the misplaced speeches, another one than the episode's.

    From the motions that come with the package if `other_motions` names none.  Raises StudyError
    if there is no other.
    """
    named = other_motions or [each.text for each in MOTIONS]
    others = [text for text in dict.fromkeys(named) if text != motion.text]
    if not others:
        raise StudyError(
            "misplaced speeches need another motion than the debate's own; give other_motions"
        )
    return episode.rng("other motion").choice(others)


def side_of(seat: str) -> str:
    """Return the side of a seat, here or elsewhere."""
    return seat.removesuffix(ELSEWHERE)


def hears(reader: str, author: str, opponent: Opponent) -> bool:
    """Return whether a seat reads what another one says: itself, and the opponent it is given."""
    if side_of(author) == side_of(reader):
        return author == reader
    # Those elsewhere always hear each other.
    return opponent != "unheard" and author.endswith(ELSEWHERE) == (opponent == "misplaced")
