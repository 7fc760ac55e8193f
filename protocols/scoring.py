"""Score stored replies by estimators: a study to come, whose subjects are the replies.

    score("scores", of=study, estimators=["stated_confidence", "length"])

Each function of an estimator is an arm for each agent that it asks.  What it returns are rows of
the table `scores`; the view `latest_scores` shows those of finished scorings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arena.errors import StoreError, StudyError
from arena.studies.lineups import Lineup, agents_in, as_agent, check_agents, seats_of
from arena.studies.study import Arm, Protocol, Study, protocol_name, subjects_of
from arena.text import join_words
from arena.tournaments.stages import Rename, Stage, agents_of, count_episodes, rename_stage
from arena.tournaments.stored_replies import StoredSamples, stored_samples
from arena.types import Agent
from protocols.estimators import estimator, needs_of

Options = Mapping[str, object]
# An estimator by its name, or a function of yours that is one; either with options.
Wanted = str | Protocol | tuple[str | Protocol, Options]
# The seats of an estimator that compare texts, with models of pairs that read what others wrote.
PAIRS = {
    "entailment": "nli/microsoft/deberta-large-mnli",
    "similarity": "similarity/cross-encoder/stsb-roberta-large",
}


@dataclass(frozen=True, slots=True)
class Function:
    """A function that gives one or more estimators, with its options.

    `wanted` is the name by which it was asked for first.
    """

    protocol: Protocol
    options: Options = field(default_factory=dict)
    wanted: str = field(default="", compare=False)

    @property
    def seats(self) -> tuple[str, ...]:
        """The names of its seats."""
        return seats_of(self.protocol).fixed


def score(
    name: str,
    of: Study | Stage | str,
    estimators: Sequence[Wanted],
    *,
    scorers: Mapping[str, Agent] | None = None,
    entailment: Agent | None = None,
    similarity: Agent | None = None,
    writer: Agent | None = None,
) -> Stage:
    """Return the stage that scores the stored replies of a study by these estimators.

    `of` is the study, or its name.  An estimator is a name, or a function of yours that is one,
    each alone or as (name, options); names that one function gives are played once.

    `scorers` gives the agent that scores the replies of an agent, by the name of that one; without
    it each agent scores its own, which are known if `of` is a study.  `entailment` and `similarity`
    are models of pairs of texts; `writer` writes questions anew, by default the scorer does.
    Raises StudyError for an unknown estimator, one whose seat nobody can take, or a scorer whose
    model cannot do what an estimator needs.
    """
    functions = functions_of(estimators)
    check_agents(scorers or {}, "scorers of score()")
    own = {} if isinstance(of, str) else {agent.name: agent for agent in agents_of(of)}
    # An agent that another scores needs none of its own.
    by_name = {**own, **(scorers or {})}
    pairs = {"entailment": entailment, "similarity": similarity, "writer": writer}
    for seat, agent in pairs.items():
        if agent is not None:
            as_agent(agent, f"{seat} of score()")
    check_seats(functions, pairs, by_name)
    for group in groups_of(of, scorers or {}):
        check_capabilities(functions, group)
    of_name = of if isinstance(of, str) else of.name

    def write(path: Path) -> Study:
        """Return the study, from the replies that the store holds."""
        samples = stored_samples(path, of_name)
        arms = [arm for function in functions for arm in arms_of(function, samples, by_name, pairs)]
        return Study(name, arms, samples)

    def expected(path: Path) -> int:
        """Return how many episodes there will be."""
        try:
            return count_episodes(write(path), path)
        except (StudyError, StoreError):
            return count_planned(of, functions)

    def rename(new_name: Rename) -> Stage:
        """Return the same scoring under another name, of a study that may have another too."""
        renamed = new_name(of) if isinstance(of, str) else rename_stage(of, new_name)
        return score(
            new_name(name),
            renamed,
            estimators,
            scorers=scorers,
            entailment=entailment,
            similarity=similarity,
            writer=writer,
        )

    seated = [agent for agent in pairs.values() if agent is not None]
    speakers = [*by_name.values()] if any("scorer" in each.seats for each in functions) else []
    return Stage(name, write, expected, (*speakers, *seated), rename)


def count_planned(of: Study | Stage | str, functions: Sequence[Function]) -> int:
    """Return how many episodes score a study that is still to be played, 0 if nobody can tell."""
    if not isinstance(of, Study):
        return 0
    groups = sum(
        len(subjects_of(arm, of)) * len({agent.name for agent in agents_in(lineup)})
        for arm in of.arms
        for lineup in arm.lineups
    )
    return groups * len(functions)


def functions_of(estimators: Sequence[Wanted]) -> list[Function]:
    """Return the functions that give these estimators, each with its options once."""
    if isinstance(estimators, str) or not estimators:
        raise StudyError(
            "a scoring needs a list of estimators, such as ['stated_confidence', 'length'];"
            f" found {estimators!r:.80}"
        )
    functions: list[Function] = []
    for wanted in estimators:
        given, options = wanted if isinstance(wanted, tuple) else (wanted, {})
        protocol = estimator(given) if isinstance(given, str) else given
        name = given if isinstance(given, str) else protocol_name(given)
        function = Function(protocol, dict(options), name)
        if function not in functions:
            functions.append(function)
    return functions


def check_seats(
    functions: Sequence[Function], pairs: Mapping[str, Agent | None], scorers: Mapping[str, Agent]
) -> None:
    """Raise StudyError for a function with a seat that nobody takes."""
    for function in functions:
        name = f"the estimator {function.wanted}"
        for seat in function.seats:
            if seat in PAIRS and pairs[seat] is None:
                raise StudyError(
                    f"{name} compares texts; give the model that does, such as"
                    f" score(..., {seat}=agents.agent({PAIRS[seat]!r}));"
                    " of simulated replies alone, 'sim/pairs'"
                )
            if seat == "scorer" and not scorers:
                raise StudyError(
                    f"{name} asks an agent, and of a study that is given by its name none is"
                    " known; give score(..., scorers={name of who answered: agent})"
                )
            if seat not in ("scorer", "writer", *PAIRS):
                raise StudyError(
                    f"{name} has a seat {seat!r}; the seats of an estimator are"
                    " scorer, writer, entailment and similarity"
                )


def groups_of(of: Study | Stage | str, scorers: Mapping[str, Agent]) -> Iterator[Sequence[Agent]]:
    """Yield groups of agents, of which at least one is sure to score replies.

    In a lineup of several, such as a debate's, some may have no reply that is scored.
    """
    yield from ([agent] for agent in scorers.values())
    if isinstance(of, Study):
        lineups = [agents_in(lineup) for arm in of.arms for lineup in arm.lineups]
    else:
        lineups = [] if isinstance(of, str) else [list(of.agents)]
    yield from ([scorers.get(agent.name, agent) for agent in lineup] for lineup in lineups)


def check_capabilities(functions: Sequence[Function], scorers: Sequence[Agent]) -> None:
    """Raise StudyError for a function whose needs no model of these scorers meets."""
    for function in functions:
        if "scorer" not in function.seats or not scorers:
            continue
        name = f"the estimator {function.wanted}"
        needs = needs_of(function.protocol, function.options)
        missing = [needs - agent.model.capabilities for agent in scorers]
        if all(missing):
            models = join_words([*dict.fromkeys(agent.model.name for agent in scorers)])
            raise StudyError(
                f"{name} needs a model with {join_words(sorted(missing[0]))},"
                f" which {models} has not; give score(..., scorers={{name of who answered: agent}})"
                " with a model that has it, such as a local one, or leave the estimator out"
            )


def arms_of(
    function: Function,
    samples: Sequence[StoredSamples],
    scorers: Mapping[str, Agent],
    pairs: Mapping[str, Agent | None],
) -> Iterator[Arm]:
    """Yield an arm for each agent whose replies a function scores; one for all if it asks none."""
    name = label_of(function)
    if "scorer" not in function.seats:
        yield Arm(name, function.protocol, [lineup_of(function, pairs, None)], function.options)
        return
    for agent in dict.fromkeys(each.agent for each in samples):
        if agent not in scorers:
            raise StudyError(
                f"the estimator {name} needs an agent that scores the replies of {agent!r}; give"
                f" score(..., scorers={{{agent!r}: agent}})"
            )
        yield Arm(
            f"{name} of {agent}",
            function.protocol,
            [lineup_of(function, pairs, scorers[agent])],
            function.options,
            [each for each in samples if each.agent == agent],
        )


def lineup_of(
    function: Function, pairs: Mapping[str, Agent | None], scorer: Agent | None
) -> Lineup:
    """Return who sits in the seats of a function."""
    given = {**pairs, "scorer": scorer, "writer": pairs["writer"] or scorer}
    return {seat: agent for seat in function.seats if (agent := given[seat]) is not None}


def label_of(function: Function) -> str:
    """Return the label of a function with its options, by which arms are told apart."""
    # Of long options, such as examples, how many there are.
    options = ", ".join(
        f"{len(value)} {name}" if isinstance(value, list | tuple | Mapping) else f"{name}={value}"
        for name, value in sorted(function.options.items())
    )
    name = protocol_name(function.protocol)
    return f"{name} ({options})" if options else name
