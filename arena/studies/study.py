"""Describe a study as data: arms (a protocol with its options and lineups) over subjects, repeated.

The id of an episode is a hash of everything that defines the play.  So the same study continues,
and one more repeat is one more episode.  Addresses, keys and options at their defaults are no part
of the id.
"""

from __future__ import annotations

import hashlib
import inspect
import typing
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson
from pydantic import TypeAdapter, ValidationError

from arena.calls.rate_limits import Limit, Limits
from arena.errors import StudyError
from arena.grading.grade import Grader
from arena.score import Score
from arena.studies.lineups import Lineup, Seating, agents_in, describe_same, seat_agents, seats_of
from arena.studies.motions import subject_id
from arena.studies.subject_types import check_subjects
from arena.studies.varied import check_vary, variants
from arena.text import html_notes, html_table, pluralize
from arena.types import Agent, Answer, BaseModel, Model, Seat, Subject, Verdict

ProtocolResult = Verdict | Answer | Sequence[Answer] | Sequence[Score] | None
Protocol = Callable[..., Awaitable[ProtocolResult]]
Options = Mapping[str, object]
# More would take gigabytes before the first call.
MOST_EPISODES = 10_000_000
# The members of a model besides its name and the call.
OPTIONAL_MEMBERS = tuple(name for name in vars(BaseModel) if name in vars(Model) and name[0] != "_")


@dataclass(frozen=True)
class Arm:
    """One condition of a study: a protocol, who sits where in it, and its options.

    A lineup gives an agent to each seat, {"solver": agent}, and a list of agents to a last seat
    that takes any number of them (arena/studies/lineups.py).  `subjects` are those of the study's
    subjects that this arm plays; None: all of them.
    """

    label: str
    protocol: Protocol
    lineups: Iterable[Lineup]
    options: Options = field(default_factory=dict)
    subjects: Sequence[Subject] | None = None

    def __post_init__(self) -> None:
        # Pairings are generators, which can be read only once, but a study is played many times.
        object.__setattr__(self, "lineups", tuple(self.lineups))

    def __repr__(self) -> str:
        count = pluralize(len(tuple(self.lineups)), "lineup")
        return f"<Arm {self.label!r}: {protocol_name(self.protocol)}, {count}>"


@dataclass(frozen=True)
class Study:
    """Arms x subjects x lineups x repeats.  The name identifies the study in a store.

    `limits` bound how fast providers or models are called ({"openai": Limit(rpm=500)}).  `grader`
    decides in place of arena.grading whether an answer is right: True, False, or None if it cannot
    tell.  Neither is part of any id.  `vary` names options of the protocols, such as "wording",
    whose values are played in turn, as random factors (varied.py); they are part of ids as other
    options are.
    """

    name: str
    arms: Sequence[Arm]
    subjects: Sequence[Subject]
    repeats: int = 1
    limits: Limits = field(default_factory=dict)
    grader: Grader | None = None
    vary: Sequence[str] = ()

    def __repr__(self) -> str:
        try:
            check_shape(self)
        except StudyError as error:
            return f"<Study {self.name!r:.80}, which cannot be played: {error}>"
        return f"<Study {self.name!r}: {self._counts()}>"

    def _counts(self) -> str:
        """Return the arms, subjects, repeats and episodes of a sound study, counted."""
        lineups = sum(len(tuple(arm.lineups)) for arm in self.arms)
        parts = [
            pluralize(len(self.arms), "arm"),
            pluralize(len(self.subjects), "subject"),
            pluralize(lineups, "lineup"),
            *([pluralize(self.repeats, "repeat")] if self.repeats > 1 else []),
        ]
        return f"{', '.join(parts)}: {pluralize(count_episodes(self), 'episode')}"

    def _repr_html_(self) -> str:
        """Return the arms as an HTML table, all text escaped."""
        rows = []
        try:
            check_shape(self)
            for arm in self.arms:
                check_arm(arm)
        except StudyError as error:
            return html_notes([repr(self), str(error)])
        for arm in self.arms:
            options = ", ".join(f"{name}={value!r}" for name, value in arm.options.items())
            lineups = tuple(arm.lineups)
            rows.append((arm.label, protocol_name(arm.protocol), len(lineups), options))
        table, _ = html_table(("arm", "protocol", "lineups", "options"), rows)
        return html_notes([f"Study {self.name}: {self._counts()}"]) + table


@dataclass(frozen=True, slots=True)
class Play:
    """One episode to be played.

    `options` holds only those that differ from the protocol's defaults, `identities` the features
    that tell the agents apart, as JSON.  `lineup` names every seat, also those of a list.
    """

    episode: str
    study: str
    arm: str
    protocol: Protocol
    options: Options
    subject: Subject
    lineup: Seating
    repeat: int
    identities: orjson.Fragment
    grader: Grader | None = None

    @property
    def sample(self) -> str:
        """Return what tells the samples of this play from others, whatever their study.

        It is a hash of arm, subject, seats and repeat.
        """
        return hashlib.sha256(
            orjson.dumps([self.arm, subject_id(self.subject), self.identities, self.repeat])
        ).hexdigest()

    def seats(self) -> dict[str, Seat]:
        """Return the seats by name, in the order in which the protocol takes them."""
        return {name: Seat(name, agent) for name, agent in self.lineup.items()}

    def start(self, episode: object, seats: Mapping[str, Seat]) -> Awaitable[ProtocolResult]:
        """Call the protocol with these seats.

        Raises StudyError if it is no async function.
        """
        if seats_of(self.protocol).variable is None:
            result = self.protocol(episode, self.subject, **seats, **self.options)
        else:
            # Nothing that stands before a *parameter can be given by its name.
            result = self.protocol(episode, self.subject, *seats.values(), **self.options)
        if not inspect.isawaitable(result):
            raise StudyError(
                f"{protocol_name(self.protocol)} is no protocol: called, it gave"
                f" {type(result).__name__} at once; write it as `async def`, without `yield`"
            )
        return result


def plays(study: Study) -> list[Play]:
    """Return all episodes of a study, whole repeats first.

    Raises StudyError if the study cannot be played, before anything is started.
    """
    check_shape(study)
    for arm in study.arms:
        check_arm(arm)
        check_subjects(arm.protocol, subjects_of(arm, study), arm.label)
    check_size(study)
    check_vary([arm.protocol for arm in study.arms], study.vary)
    # Options and identities are the same for all subjects and repeats: compute them once.
    arms = [(arm, all_options(arm, study.vary), identify_lineups(arm, study)) for arm in study.arms]
    all_plays = [
        Play(
            episode_id(study.name, arm, options, subject, identities, repeat),
            study.name,
            arm.label,
            arm.protocol,
            options,
            subject,
            lineup,
            repeat,
            identities,
            study.grader,
        )
        for repeat in range(study.repeats)
        for arm, versions, lineups in arms
        for row, subject in enumerate(subjects_of(arm, study))
        for column, (lineup, identities) in enumerate(lineups)
        for options in [versions[(repeat + row + column) % len(versions)]]
    ]
    episode, count = Counter(play.episode for play in all_plays).most_common(1)[0]
    if count > 1:
        twins = [play for play in all_plays if play.episode == episode]
        first, lineups = twins[0], [play.lineup for play in twins]
        same = describe_same(first.arm, first.subject.text, lineups)
        raise StudyError(f"study {study.name!r} holds the same episode {count} times {same}")
    return all_plays


def check_shape(study: Study) -> None:
    """Raise StudyError for an empty study, or one whose parts are of the wrong kind."""
    if not isinstance(study, Study):
        raise StudyError(f"a Study was expected, found {type(study).__name__}")
    for part, kind in (("subjects", Subject), ("arms", Arm)):
        items = getattr(study, part)
        # A text is a sequence too, of texts.
        is_list = isinstance(items, Sequence) and not isinstance(items, str)
        if not is_list or not all(isinstance(item, kind) for item in items):
            raise StudyError(
                f"the {part} of a study are a list of {kind.__name__}, found {items!r:.80}"
            )
    if not isinstance(study.name, str) or not isinstance(study.repeats, int):
        raise StudyError(
            "a study has a text as name and a whole number of repeats,"
            f" found {study.name!r:.80} and {study.repeats!r:.80}"
        )
    if not isinstance(study.limits, Mapping) or not all(
        isinstance(limit, Limit) for limit in study.limits.values()
    ):
        raise StudyError(
            "the limits of a study are a dictionary from providers or models to Limit,"
            f" found {study.limits!r:.80}"
        )
    if study.grader is not None and not callable(study.grader):
        raise StudyError(
            f"the grader of a study is a function of subject and answer, found {study.grader!r:.80}"
        )
    if not study.name.strip() or not study.name.isprintable():
        raise StudyError(f"a study needs a printable name, found {study.name!r}")
    if not study.arms:
        raise StudyError(f"study {study.name!r} has no arms")
    if not study.subjects:
        raise StudyError(
            f"study {study.name!r} has no subjects: the list of motions or questions is empty"
        )
    if study.repeats < 1:
        raise StudyError(f"study {study.name!r}: repeats must be at least 1, found {study.repeats}")
    label, count = Counter(arm.label for arm in study.arms).most_common(1)[0]
    if count > 1:
        raise StudyError(f"study {study.name!r} has several arms labelled {label!r}")


def subjects_of(arm: Arm, study: Study) -> Sequence[Subject]:
    """Return the subjects that an arm of a study plays."""
    return study.subjects if arm.subjects is None else arm.subjects


def count_episodes(study: Study) -> int:
    """Return how many episodes a study has."""
    return study.repeats * sum(
        len(tuple(arm.lineups)) * len(subjects_of(arm, study)) for arm in study.arms
    )


def check_size(study: Study) -> None:
    """Raise StudyError for a study with more episodes than can be planned."""
    episodes = count_episodes(study)
    if episodes > MOST_EPISODES:
        raise StudyError(
            f"study {study.name!r} has {episodes:.3g} episodes, and {MOST_EPISODES:,} can be"
            " planned: take fewer repeats, or several studies"
        )


def check_arm(arm: Arm) -> None:
    """Raise StudyError for an arm whose parts are of the wrong kind."""
    if (
        not isinstance(arm.label, str)
        or not callable(arm.protocol)
        or not isinstance(arm.options, Mapping)
    ):
        raise StudyError(
            "an arm has a text, a protocol function, lineups and a dictionary of options;"
            f" found {arm!r:.120}"
        )
    for lineup in arm.lineups:
        if not isinstance(lineup, Mapping):
            raise StudyError(
                f"a lineup of arm {arm.label!r} is a dictionary from seats to agents,"
                f" found {lineup!r:.80}"
            )
        for agent in agents_in(lineup):
            check_agent(agent)


def check_agent(agent: Agent) -> None:
    """Raise StudyError for an agent without a model, or if its model lacks members of `Model`."""
    model = agent.model
    if not (callable(model) and hasattr(model, "name") and isinstance(agent.system, str)):
        raise StudyError(
            f"agent {agent.name!r} needs a model (see agents.model) and a text as system prompt,"
            f" found {agent!r:.120}"
        )
    for name, value in agent.sampling.content().items():
        if isinstance(value, int) and abs(value) >= 2**63:
            raise StudyError(
                f"agent {agent.name!r}: {name} must be less than 2^63, found {value:.3g}"
            )
    missing = [member for member in OPTIONAL_MEMBERS if not hasattr(model, member)]
    if not missing:
        return
    if hasattr(model, "can"):
        raise StudyError(
            f"the model of agent {agent.name!r}, {model.name}, is written for version 0.1.0 of the"
            f" arena; seat it as Agent({agent.name!r}, agents.adapt(model))"
        )
    raise StudyError(
        f"the model of agent {agent.name!r}, {model.name}, has no {', '.join(missing)};"
        " derive its class from arena.types.BaseModel, which has a default for each of them"
    )


def protocol_name(protocol: Protocol) -> str:
    """Return the protocol's name in ids and tables: the name of its function."""
    return getattr(protocol, "__name__", type(protocol).__name__)


def protocol_version(protocol: Protocol) -> str:
    """Return the VERSION that the protocol's module states."""
    version = getattr(protocol, "__globals__", {}).get("VERSION")
    if not isinstance(version, str):
        raise StudyError(
            f"the protocol {protocol_name(protocol)!r} needs a text VERSION in its module,"
            " so that its episodes can be told apart"
        )
    return version


def option_parameters(protocol: Protocol) -> dict[str, inspect.Parameter]:
    """Return the options of a protocol by name: its keyword-only parameters."""
    declared = inspect.signature(protocol).parameters.items()
    return {name: each for name, each in declared if each.kind is each.KEYWORD_ONLY}


def check_options(arm: Arm) -> dict[str, object]:
    """Return an arm's options, checked against the protocol's annotations.

    Options that equal the defaults are left out.  Raises StudyError for an unknown or wrong one,
    and for one without a default that is missing.
    """
    name = protocol_name(arm.protocol)
    declared = option_parameters(arm.protocol)
    hints = typing.get_type_hints(arm.protocol, include_extras=True)
    for option, each in declared.items():
        if each.default is each.empty and option not in arm.options:
            raise StudyError(
                f"option {option} of {name} has no default; give it among the options of arm"
                f" {arm.label!r}"
            )
    checked = {}
    for option, value in arm.options.items():
        if option not in declared:
            raise StudyError(
                f"{name} has no option {option!r}; it has {', '.join(declared) or 'none'}"
            )
        try:
            # Converted by the annotation, so that 3 and "3" have the same id.
            checked[option] = TypeAdapter(hints.get(option, object)).validate_python(value)
        except ValidationError as error:
            raise StudyError(
                f"option {option} of {name} cannot be {value!r}: {error.errors()[0]['msg']}"
            ) from error
    return {option: value for option, value in checked.items() if value != declared[option].default}


def all_options(arm: Arm, vary: Sequence[str]) -> list[dict[str, object]]:
    """Return an arm's options as `check_options` does, once for each value of what is varied."""
    return [
        check_options(replace(arm, options=options))
        for options in variants(arm.protocol, arm.options, vary)
    ]


def identify_lineups(arm: Arm, study: Study) -> list[tuple[Seating, orjson.Fragment]]:
    """Return the agents of an arm's lineups by seat, each with their identities as JSON."""
    name, seats = protocol_name(arm.protocol), seats_of(arm.protocol)
    lineups = [seat_agents(name, seats, lineup, arm.label) for lineup in arm.lineups]
    if not lineups:
        raise StudyError(f"arm {arm.label!r} of study {study.name!r} has no lineups")
    return [(lineup, identities_of(lineup, study)) for lineup in lineups]


def identities_of(lineup: Seating, study: Study) -> orjson.Fragment:
    """Return the features that tell a lineup's agents apart, as JSON.

    These are model, system prompt and sampling, but no name, address or key.
    """
    # Inside of a fragment the keys of a sampling keep their order, by which ids were made.
    identities = {
        seat: [
            agent.model.name,
            agent.system,
            orjson.Fragment(orjson.dumps(agent.sampling.content())),
        ]
        for seat, agent in lineup.items()
    }
    try:
        return orjson.Fragment(orjson.dumps(identities, option=orjson.OPT_SORT_KEYS))
    except TypeError as error:
        raise StudyError(
            f"study {study.name!r:.80}: an agent cannot be stored as JSON: {error}"
        ) from error


def episode_id(
    study: str,
    arm: Arm,
    options: Options,
    subject: Subject,
    identities: orjson.Fragment,
    repeat: int,
) -> str:
    """Return 20 hex digits of a sha256 over everything that defines the play."""
    try:
        # Keys are sorted below: the order in which options are given makes no other episode.
        content = {
            "study": study,
            "arm": arm.label,
            "protocol": [protocol_name(arm.protocol), protocol_version(arm.protocol)],
            "options": options,
            "subject": subject_id(subject),
            "seats": identities,
            "repeat": repeat,
        }
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:20]
    except TypeError as error:
        raise StudyError(
            f"study {study!r:.80}: a motion or option cannot be stored as JSON: {error}"
        ) from error
