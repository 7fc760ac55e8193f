"""Pair agents for debates: pure functions that yield lineups, each pair in both seats by default.

A round robin takes n(n-1)/2 pairs; a Swiss tournament of r rounds takes r n/2, and lets equals
meet.  The study chooses the motions: every lineup debates all of its subjects.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from arena.errors import StudyError
from arena.studies.lineups import Seating, check_agents
from arena.studies.study import Arm, Options, Protocol, Study, protocol_version
from arena.studies.versions import in_version
from arena.tournaments.stages import Stage
from arena.tournaments.stored_debates import DebateResult, results
from arena.types import Agent, Subject

SEARCH_STEPS = 10_000


def round_robin(agents: Sequence[Agent], *, mirrored: bool = True) -> Iterator[Seating]:
    """Pair every agent with every other; `mirrored` plays each pair again with the seats swapped.

    n agents give n(n-1)/2 lineups, twice as many if mirrored.  Raises StudyError with fewer than
    two agents.
    """
    if len(agents) < 2:
        raise StudyError(
            f"a round robin needs at least two agents, found {len(agents)};"
            " for a model against itself use against_itself"
        )
    yield from given_pairs(combinations(agents, 2), mirrored=mirrored)


def given_pairs(
    pairs: Iterable[tuple[Agent, Agent]], *, mirrored: bool = True
) -> Iterator[Seating]:
    """Seat the pairs, the first agent of each as the proposition.

    `mirrored` plays each pair a second time with the seats swapped.
    """
    for first, second in pairs:
        yield {"proposition": first, "opposition": second}
        if mirrored:
            yield {"proposition": second, "opposition": first}


def against_itself(agents: Sequence[Agent]) -> Iterator[Seating]:
    """Seat every agent on both sides.

    These are the self-debates of the paper's configurations self, informed, public, red_team and
    multi_round.
    """
    for agent in agents:
        yield {"proposition": agent, "opposition": agent}


def swiss(
    agents: Sequence[Agent],
    rounds: Sequence[Iterable[DebateResult]],
    *,
    seed: int = 0,
    mirrored: bool = True,
) -> Iterator[Seating]:
    """Pair the next round of a Swiss tournament, by points and without rematches if possible.

    `rounds` are the results of the rounds so far, oldest first; without any, the first round is
    drawn by `seed`.  Agents with equal points meet.  A round is worth the share of its debates that
    an agent won, a tie half; sitting out is worth one point, as in chess.  With an odd number, the
    lowest agent of those that have sat out least sits out.  Pairs are adjacent in the standings
    (Monrad); `seed` orders equal points.  The same arguments, in any order of agents, give the same
    pairs.  Raises StudyError with fewer than two agents, or two of one name.
    """
    check_agent_names(agents, "contestant")
    if len(agents) < 2:
        raise StudyError(f"a Swiss tournament needs at least two agents, found {len(agents)}")
    by_name = {agent.name: agent for agent in agents}
    points, met, sat_out = standings(list(by_name), rounds)
    # Rounded, since sums of the same shares in another order differ in the last bit.
    ranks = {
        name: (-round(points[name], 9), tie_break(seed, len(rounds), name)) for name in by_name
    }
    order = sorted(by_name, key=ranks.__getitem__)
    if len(order) % 2:
        # The last of those that sat out least: min() returns the first of equals.
        order.remove(min(reversed(order), key=lambda name: sat_out[name]))
    pairs = [(by_name[first], by_name[second]) for first, second in pair_standings(order, met)]
    yield from given_pairs(pairs, mirrored=mirrored)


def standings(
    names: Sequence[str], rounds: Sequence[Iterable[DebateResult]]
) -> tuple[dict[str, float], Counter[frozenset[str]], Counter[str]]:
    """Return (points by name, meetings of each pair, rounds that each name sat out)."""
    points = dict.fromkeys(names, 0.0)
    met: Counter[frozenset[str]] = Counter()
    sat_out: Counter[str] = Counter()
    for results_of_round in rounds:
        won: dict[str, list[float]] = defaultdict(list)
        pairs = set()
        for result in results_of_round:
            won[result.first].append(result.score)
            won[result.second].append(1 - result.score)
            # A set: a mirrored pair meets once in a round, on whatever number of motions.
            pairs.add(frozenset((result.first, result.second)))
        met.update(pairs)
        for name in names:
            points[name] += sum(won[name]) / len(won[name]) if won[name] else 1.0
            sat_out[name] += not won[name]
    return points, met, sat_out


def tie_break(seed: int, number: int, name: str) -> bytes:
    """Return the place of a name among equals in this round: a draw by these arguments alone."""
    return hashlib.sha256(repr((seed, number, name)).encode()).digest()


def pair_standings(order: Sequence[str], met: Counter[frozenset[str]]) -> list[tuple[str, str]]:
    """Pair the standings from the top, each with the next below that it has not met.

    If a short search finds no such pairing, those meet again who have met least.
    """
    # Backtracking takes exponential time in the worst case, hence a limit of steps.
    steps = iter(range(SEARCH_STEPS))

    def search(left: tuple[str, ...]) -> list[tuple[str, str]] | None:
        """Return a pairing of the names left in which nobody meets again, or None."""
        if not left:
            return []
        top, *rest = left
        for number, other in enumerate(rest):
            if next(steps, None) is None:
                return None
            if (
                not met[frozenset((top, other))]
                and (below := search((*rest[:number], *rest[number + 1 :]))) is not None
            ):
                return [(top, other), *below]
        return None

    pairs = search(tuple(order))
    return pair_least_met(order, met) if pairs is None else pairs


def pair_least_met(order: Sequence[str], met: Counter[frozenset[str]]) -> list[tuple[str, str]]:
    """Pair adjacent names, and exchange partners between two pairs while fewer then meet again."""
    pairs = list(zip(order[::2], order[1::2], strict=True))

    def count_rematches(*exchanged: tuple[str, str]) -> int:
        """Return how often these pairs have met, squared: many rematches of one pair are worst."""
        return sum(met[frozenset(pair)] ** 2 for pair in exchanged)

    changed = True
    while changed:
        changed = False
        for first, second in combinations(range(len(pairs)), 2):
            now = (pairs[first], pairs[second])
            (a, b), (c, d) = now
            exchanges = (now, ((a, c), (b, d)), ((a, d), (b, c)))
            best = min(exchanges, key=lambda exchange: count_rematches(*exchange))
            # Only a strict improvement is taken, so that the loop ends.
            if count_rematches(*best) < count_rematches(*now):
                pairs[first], pairs[second] = best
                changed = True
    return pairs


def swiss_round(
    name: str,
    number: int,
    protocol: Protocol,
    agents: Sequence[Agent],
    subjects: Sequence[Subject],
    *,
    options: Options | None = None,
    seed: int = 0,
) -> Stage:
    """Return the stage that plays rounds 1 to `number` of a Swiss tournament.

    Earlier rounds are in the store already, so it adds the last.  Put the stage that judges the
    study `name` between two rounds.  Rounds are arms of one study, and every lineup debates all
    subjects.  Pairings follow from the verdicts that were in when a round began, so that a stop, a
    repaired verdict or a later judge changes none.  The stage raises StudyError as `swiss` does.
    """

    def write(path: Path) -> Study:
        """Write the rounds up to this one, and later ones that have begun.

        If a later one has begun, this stage has been played, and its study must be whole.
        """
        # Debates of an earlier version of the protocol, which may be stored too, pair nobody.
        version = protocol_version(protocol)
        begun = len(results(path, name, version)) if path.exists() else 0
        arms = []
        for round in range(1, max(number, begun) + 1):
            so_far = results(path, name, version, before=f"round {round}") if round > 1 else {}
            earlier = [so_far.get(f"round {past}", ()) for past in range(1, round)]
            arms.append(
                Arm(f"round {round}", protocol, swiss(agents, earlier, seed=seed), options or {})
            )
        return Study(name, arms, subjects)

    episodes = number * 2 * (len(agents) // 2) * len(subjects)

    def again(name: str, protocol: Protocol) -> Stage:
        """Return the same round of a tournament of another name, or by another protocol."""
        return swiss_round(name, number, protocol, agents, subjects, options=options, seed=seed)

    return Stage(
        name,
        write,
        lambda path: episodes,
        tuple(agents),
        rename=lambda new_name: again(new_name(name), protocol),
        in_version=lambda version: again(name, in_version(protocol, version)),
    )


def check_agent_names(agents: Sequence[Agent], what: str) -> None:
    """Raise StudyError if there are no agents, if one is none, or if two share a name.

    The results of two agents with one name would be pooled.
    """
    check_agents(agents, f"the list of {what}s")
    if not agents:
        raise StudyError(f"there is no {what}; name at least one")
    name, count = Counter(agent.name for agent in agents).most_common(1)[0]
    if count > 1:
        raise StudyError(
            f"two agents are {what}s under the name {name!r};"
            " give each a name of its own, agent(reference, name=...)"
        )
