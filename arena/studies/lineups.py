"""Say who sits where: the seats that a protocol names, and the agents that a lineup gives them.

A protocol may end its seats with one that takes any number of agents, `*audience: Seat`.  A lineup
gives a list for it, {"moderator": a, "audience": [b, c]}, and its seats are named audience1,
audience2 and so on, in ids, tables and prompts alike.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

from arena.errors import StudyError
from arena.text import join_words
from arena.types import Agent, BaseModel

Lineup = Mapping[str, Agent | Sequence[Agent]]
# Every agent by the name of its own seat.
Seating = dict[str, Agent]


@dataclass(frozen=True, slots=True)
class ProtocolSeats:
    """The seats of a protocol by the names of its parameters, in order.

    `variable` is the one that takes a list of agents, None if there is none.
    """

    fixed: tuple[str, ...]
    variable: str | None = None

    def __str__(self) -> str:
        if not self.fixed and self.variable is None:
            return "no seats (its positional parameters after episode and subject)"
        lists = () if self.variable is None else (f"{self.variable} (a list of agents)",)
        return f"the seats {', '.join((*self.fixed, *lists))}"


def seats_of(protocol: Callable[..., object]) -> ProtocolSeats:
    """Return the seats of a protocol: its positional parameters after episode and subject."""
    # Each episode asks for them, and a signature takes as long as a tenth of a call.
    return known_seats(protocol) if isinstance(protocol, Hashable) else read_seats(protocol)


def read_seats(protocol: Callable[..., object]) -> ProtocolSeats:
    """Do what `seats_of` does, without a look at what was read before."""
    parameters = inspect.signature(protocol).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [each.name for each in parameters if each.kind in kinds]
    variable = [each.name for each in parameters if each.kind is each.VAR_POSITIONAL]
    # A wrapper of `*arguments` names no seat at all: episode and subject are among them.
    return ProtocolSeats(tuple(names[2:]), variable[0] if variable and len(names) >= 2 else None)


known_seats = lru_cache(maxsize=256)(read_seats)


def seat_agents(protocol: str, seats: ProtocolSeats, lineup: Lineup, arm: str) -> Seating:
    """Return the agents of a lineup by seat, in the protocol's order, those of a list numbered.

    `protocol` and `arm` are names for the messages.  Raises StudyError if a seat is missing or
    unknown, has a list in place of an agent or the reverse, or is not taken by an agent.
    """
    variable = seats.variable
    if set(lineup) != {*seats.fixed, *(() if variable is None else (variable,))}:
        numbered = variable is not None and any(
            name.removeprefix(variable).isdecimal() for name in map(str, lineup)
        )
        hint = f"; all agents of {variable} stand in one list, {variable!r}: [...]"
        raise StudyError(
            f"{protocol} has {seats}; the lineup names {', '.join(map(str, lineup)) or 'none'}"
            f"{hint if numbered else ''}"
        )
    for seat in seats.fixed:
        if is_list(lineup[seat]):
            raise StudyError(
                f"seat {seat} of arm {arm!r} takes one agent, found a list; only a last parameter"
                f" with a star, *{seat}: Seat, takes a list of agents"
            )
    given: dict[str, object] = {seat: lineup[seat] for seat in seats.fixed}
    if variable is not None:
        for name, agent in number_seats(variable, lineup[variable], arm).items():
            if name in given:
                raise StudyError(
                    f"{protocol} has a seat {name}, which is also the name of a seat of *{variable}"
                    f" in arm {arm!r}; rename one of the two parameters"
                )
            given[name] = agent
    seating = {}
    for seat, agent in given.items():
        seating[seat] = as_agent(agent, f"seat {seat} of arm {arm!r}")
    return seating


def as_agent(given: object, place: str) -> Agent:
    """Return what is given for an agent; StudyError, which names the place, if it is none."""
    if isinstance(given, Agent):
        return given
    make = "agents.agent(...)"
    if isinstance(given, str):
        # Behind an "@" stands an address, which may hold a password.
        make = f"agents.agent({given.partition('@')[0]!r:.80})"
    elif callable(given):
        is_model = hasattr(given, "capabilities")
        make = f"Agent(name, {'model' if is_model else 'agents.scripted.scripted_model(function)'})"
    raise StudyError(f"{place} needs an Agent, found {type(given).__name__}; make one with {make}")


def check_agents(given: object, place: str) -> None:
    """Raise StudyError, which names the place, unless these are agents, or agents by a name."""
    if isinstance(given, str) or not isinstance(given, Collection):
        raise StudyError(f"{place} holds several agents, found {type(given).__name__}")
    for one in given.values() if isinstance(given, Mapping) else given:
        as_agent(one, place)


def number_seats(variable: str, given: object, arm: str) -> dict[str, object]:
    """Return what a list gives to the seats of a variable parameter, by their numbered names."""
    if not is_list(given) or not given:
        found = "an empty one" if is_list(given) else f"one {type(given).__name__}"
        raise StudyError(
            f"seat {variable} of arm {arm!r} takes a list of one or more agents, found {found};"
            f" write {variable!r}: [agent, ...]"
        )
    return {f"{variable}{number}": agent for number, agent in enumerate(given, 1)}


def is_list(given: object) -> TypeGuard[Sequence[object]]:
    """Tell whether a lineup gives a list of agents to a seat."""
    return isinstance(given, Sequence) and not isinstance(given, str)


def agents_in(lineup: Lineup) -> list[Agent]:
    """Return the agents of a lineup, those in its lists too; whatever is no agent is left out."""
    given = [one for value in lineup.values() for one in (value if is_list(value) else [value])]
    return [one for one in given if isinstance(one, Agent)]


def map_agents(lineup: Lineup, change: Callable[[Agent], Agent]) -> Lineup:
    """Return the lineup with each agent changed, those in its lists too."""
    return {
        seat: change(given) if isinstance(given, Agent) else [change(agent) for agent in given]
        for seat, given in lineup.items()
    }


def describe_same(arm: str, subject: str, lineups: Sequence[Seating]) -> str:
    """Say which episode of an arm these lineups all have, why, and what to do."""
    names = ", ".join(agent.name for agent in lineups[0].values())
    dropped = {
        f"{', '.join(agent.model.left_out)} of {agent.model.name}": None
        for lineup in lineups
        for agent in lineup.values()
        if isinstance(agent.model, BaseModel) and agent.model.left_out
    }
    words = (
        f"(arm {arm!r}, {subject[:60]!r}, {names}); remove the duplicate, or use repeats (agents"
        " are told apart by model, system prompt and sampling, not by name or address)"
    )
    if dropped:
        words += f"; settings are left out, and tell nobody apart: {join_words([*dropped])}"
    return words
