"""Name what sets two arms of one method apart, where they differ in one option alone.

A control arm has the same agents and the same other options; what the option adds has a name, such
as "own demonstrations" or "unused knowledge".  Arms of LeaP differ in more, and have rules of their
own (contrasts.py), but for a wrong start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import permutations

from analysis.read.answers import AnswerRecord, Options


@dataclass(frozen=True, slots=True)
class Contrasts:
    """What two values of one option of a protocol isolate, by (value, value in the control).

    `default` is the value of an arm that does not name the option; `beside` are options that only
    go with some values.  `value` reads the value from several options, where one does not say it;
    `alone` are values with which the options `sizes` mean nothing.
    """

    option: str
    default: object
    names: Mapping[tuple[object, object], str]
    beside: frozenset[str] = frozenset()
    value: Callable[[Options], object] | None = None
    alone: object = None
    sizes: frozenset[str] = frozenset()

    def value_of(self, options: Options) -> object:
        """Return the value of an arm with these options."""
        return self.value(options) if self.value else options.get(self.option, self.default)


# An option at its default is not in the record.
BUDGET, LIMIT = 1024, 8192


def how_cut(options: Options) -> str:
    """Return how iterative deepening cuts a thought: not at all, without or with a sentence."""
    limit = int(str(options.get("limit", LIMIT)))
    if int(str(options.get("budget", BUDGET))) >= limit:
        return "plain"
    return "cuts" if options.get("trigger") == "" else "deepening"


# A wrong start moves the answers of whoever begins with it: the paper's gap, in points of Pass@1.
OWN_START = "a start of its own"
WEIGHING = Contrasts(
    "method",
    "explicit",
    {
        ("direct", "closed"): "what it is told",
        ("implicit", "direct"): "weighing",
        ("explicit", "direct"): "weighing with reasons",
        ("explicit", "implicit"): "the reasons",
        ("token", "direct"): "a rule by tokens",
        ("stated", "direct"): "a rule by stated confidence",
        ("sampled", "direct"): "a rule by samples",
    },
    frozenset({"samples", "threshold"}),
)
METHODS: Mapping[str, Contrasts] = {
    "own_demonstrations": Contrasts(
        "source",
        "own",
        {
            ("own", "none"): "own demonstrations",
            ("given", "none"): "people's demonstrations",
            ("own", "given"): "own in place of people's",
        },
        frozenset({"given"}),
    ),
    "self_questioning": Contrasts(
        "background",
        "answers",
        {
            ("placebo", "none"): "more words",
            ("answers", "none"): "unused knowledge",
            ("answers", "placebo"): "own answers, not words",
            ("passage", "answers"): "missing knowledge",
        },
    ),
    "iterative_deepening": Contrasts(
        "trigger",
        None,
        {
            ("deepening", "cuts"): "the triggers",
            ("cuts", "plain"): "the stops",
            ("deepening", "plain"): "stops and triggers",
        },
        value=how_cut,
        alone="plain",
        sizes=frozenset({"budget", "growth"}),
    ),
    "leap": Contrasts("starts", "own", {("own", "all"): OWN_START}),
    "round_table": Contrasts(
        "peers",
        "replies",
        {
            ("replies", "nobody"): "peers",
            ("answers", "nobody"): "their answers",
            ("replies", "answers"): "their reasons",
            ("replies", "misplaced"): "reasons to the point",
            ("misplaced", "nobody"): "more words",
        },
        frozenset({"foil"}),
    ),
    "situated_faithfulness": WEIGHING,
    "weigh_peer": WEIGHING,
}
# Of the replies of others at a table, from a second thought alone to everything that they say.
OF_PEERS = ("peers", "their answers", "their reasons", "reasons to the point", "more words")
NAMES = tuple(dict.fromkeys(name for each in METHODS.values() for name in each.names.values()))


def method_contrasts(record: AnswerRecord) -> Iterator[tuple[str, int, int]]:
    """Yield (what it isolates, arm, control arm) of each two arms of a method, by their numbers."""
    for later, earlier in permutations(range(len(record.arms)), 2):
        name = isolated_option(record, later, earlier)
        if name is None or models_of(record, later) != models_of(record, earlier):
            continue
        # Arms may have subjects of their own, such as right texts and wrong ones.
        if questions_of(record, later) & questions_of(record, earlier):
            yield name, later, earlier


def isolated_option(record: AnswerRecord, later: int, earlier: int) -> str | None:
    """Return what sets an arm apart from a control arm, None if it has no name."""
    protocol = record.protocols[later]
    contrasts = METHODS.get(protocol)
    after, before = record.options[later], record.options[earlier]
    if contrasts is None or record.protocols[earlier] != protocol or None in (after, before):
        return None
    assert after is not None
    assert before is not None
    values = contrasts.value_of(after), contrasts.value_of(before)
    sizes = contrasts.sizes if contrasts.alone in values else frozenset()
    apart = {contrasts.option, *contrasts.beside, *sizes}
    if others_of(after, apart) != others_of(before, apart):
        return None
    return contrasts.names.get(values)


def others_of(options: Options, apart: Set[str]) -> dict[str, object]:
    """Return the options that two arms must have in common."""
    return {name: value for name, value in options.items() if name not in apart}


def models_of(record: AnswerRecord, arm: int) -> frozenset[str]:
    """Return the agents of an arm."""
    plays = record.plays
    return frozenset(record.models[number] for number in plays.models[plays.arm == arm])


def questions_of(record: AnswerRecord, arm: int) -> frozenset[int]:
    """Return the questions that an arm has played, by their codes."""
    return frozenset(record.plays.question[record.plays.arm == arm].tolist())
