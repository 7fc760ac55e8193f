"""Let seats at a table speak in rounds, and read each other: the loop of all formats of this kind.

What is said is the format's: it gives the words (`say`), how replies are shown (`show`), and when
the talk is over (`is_over`).  Who reads whom, and in which order, is the table's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from arena.play.episode import Episode
from arena.play.prompt import Prompt, ShownTurn
from arena.tournaments.orders import williams
from arena.types import Seat, Turn
from protocols import asking
from protocols.topologies import Graph

Order = Literal["parallel", "in_turn"]
Places = Literal["by_seat", "williams"]
# The turn of every seat in a round, None as long as it has not spoken in it.
Round = list[Turn | None]
History = list[Round]
# A seat by its number, and its turn.
Heard = list[tuple[int, Turn]]
Say = Callable[[int, int, Prompt | None], Awaitable[Turn]]
Show = Callable[[Heard, History], Prompt | None]
IsOver = Callable[[History], Awaitable[bool]]
AfterRound = Callable[[History], Awaitable[None]]
# Seats that speak at once, one group after the other.
Groups = tuple[tuple[int, ...], ...]


ONE_REPLY = (
    asking.REPLIES_INTRO.replace("stand {count} replies", "stands a reply")
    .replace("heading of each carries", "headings carry")
    .replace("their authors", "its author")
    .replace("part of a reply, and words in a reply", "part of it, and words in it")
)


@dataclass(frozen=True, slots=True)
class Table:
    """Who sits at a table, who reads whom, and in which order.

    `order` in_turn: a seat reads what was said before it in the same round; `blind`: in the first
    round all speak at once whatever the order, and read nobody.  `places` williams: the order of
    speaking changes from round to round, and that of the replies in a prompt from reader to reader,
    by the rows of a Williams design, from a row that is drawn for the episode.  `visible` bounds
    the whole history to so many rounds.  `speakers` are the groups that speak in each round, if
    these are not all seats; they begin anew after the last.
    """

    seats: tuple[Seat, ...]
    reads: Graph
    rounds: int
    order: Order = "parallel"
    blind: bool = True
    whole_history: bool = False
    places: Places = "by_seat"
    visible: int | None = None
    speakers: tuple[Groups, ...] = ()

    def groups(self, round: int, speaking: Sequence[int]) -> Groups:
        """Return who speaks in a round, in this order of seats unless `speakers` say otherwise."""
        if round == 0 and self.blind and (self.speakers or self.order == "in_turn"):
            return (tuple(range(len(self.seats))),)
        if self.speakers:
            return self.speakers[round % len(self.speakers)]
        if self.order == "parallel":
            return (tuple(range(len(self.seats))),)
        return tuple((seat,) for seat in speaking)

    def is_whole(self, history: History) -> bool:
        """Return whether everybody has spoken who speaks in the last round."""
        spoken = history[-1]
        everybody = range(len(self.seats))
        groups = self.groups(len(history) - 1, everybody)
        return all(spoken[seat] is not None for group in groups for seat in group)


def seated(solvers: Sequence[Seat], agents: int, roles: Sequence[str] = ()) -> tuple[Seat, ...]:
    """Return the seats of the table: copies of one agent, or several as they are, with their roles.

    Roles begin anew where there are fewer than seats.
    """
    given = [seat.agent for seat in solvers]
    given = given * agents if len(given) == 1 else given
    seats = []
    for number, agent in enumerate(given):
        role = roles[number % len(roles)] if roles else ""
        system = "\n\n".join(words for words in (agent.system, role) if words)
        seats.append(Seat(f"agent{number}", replace(agent, system=system)))
    return tuple(seats)


def list_heard(episode: Episode, turns: Sequence[Turn | ShownTurn], names: Sequence[str]) -> Prompt:
    """Return replies that a seat reads as a prompt, also a single one, under these names."""
    intro = asking.REPLIES_INTRO if len(turns) > 1 else ONE_REPLY
    return asking.list_replies(episode, turns, names, intro=intro)


async def talk(
    episode: Episode,
    table: Table,
    say: Say,
    show: Show,
    is_over: IsOver,
    after_round: AfterRound | None = None,
) -> History:
    """Let the table talk until it is over, at most for its rounds; return all turns.

    `say(seat, round, shown)` asks a seat that is shown this (None: it has nothing to read); `show`
    makes a prompt of what a seat reads, its own turns among them, if there is anything.  `is_over`
    is asked whenever those who spoke at once have spoken.  `after_round` may do something between
    two rounds, such as sum the first of them up.
    """
    count = len(table.seats)
    rows = williams(count)
    first = episode.rng("places").randrange(len(rows)) if table.places == "williams" else 0
    history: History = []
    for round in range(table.rounds):
        history.append([None] * count)
        speaking = rows[(first + round) % len(rows)] if table.places == "williams" else range(count)
        is_alone = round == 0 and table.blind
        for group in table.groups(round, speaking):
            # Readers of the same replies in the same order are shown one text, which a provider's
            # cache holds; it is made before anybody speaks, since replies come in any order.
            shown: dict[tuple[tuple[int, int], ...], Prompt | None] = {}
            asks = []
            for seat in group:
                heard = [] if is_alone else heard_by(seat, table, history)
                if table.places == "williams":
                    row = rows[(first + round * count + seat) % len(rows)]
                    heard = in_order(heard, row, table.whole_history)
                key = tuple((number, turn.step) for number, turn in heard)
                if key not in shown:
                    shown[key] = None if is_alone else show(heard, history)
                asks.append(say(seat, round, shown[key]))
            for seat, turn in zip(group, await asyncio.gather(*asks), strict=True):
                history[-1][seat] = turn
            if await is_over(history):
                return history
        if after_round is not None and len(history) < table.rounds:
            await after_round(history)
    return history


def heard_by(seat: int, table: Table, history: History) -> Heard:
    """Return the turns that a seat reads, its own among them, by seat or by round and seat."""
    open_to = sorted({seat, *table.reads[seat]})
    if table.whole_history:
        recent = history if table.visible is None else history[-table.visible :]
        turns = [(each, said[each]) for said in recent for each in open_to]
    else:
        turns = [(each, latest(history, each)) for each in open_to]
    return [(each, turn) for each, turn in turns if turn is not None]


def in_order(heard: Heard, row: Sequence[int], by_round: bool) -> Heard:
    """Return what a seat reads in the order of the seats in a row, within each round or in all."""
    return sorted(heard, key=lambda pair: (pair[1].round if by_round else 0, row.index(pair[0])))


def latest(history: History, seat: int) -> Turn | None:
    """Return the last turn of a seat, None if it has not spoken."""
    return next((said[seat] for said in reversed(history) if said[seat] is not None), None)


def last_turns(history: History) -> list[Turn]:
    """Return the last turn of every seat that has spoken."""
    turns = [latest(history, seat) for seat in range(len(history[0]) if history else 0)]
    return [turn for turn in turns if turn is not None]


def all_turns(history: History) -> list[Turn]:
    """Return the turns of a talk by round and seat."""
    return [turn for said in history for turn in said if turn is not None]
