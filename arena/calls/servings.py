"""Notice that one agent was answered by two models, or by two configurations of one.

A provider's name may stand for another model tomorrow.  That the name in a reply is the one asked
for with a date behind it tells only which snapshot it stands for; two dates are two models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, takewhile

from arena.text import printable

# Behind the name of a model: -0613, -001, -20250807, @20250807 or -2025-08-07.
DATE = re.compile(r"[-@:](\d{3,8}|\d{4}-\d{2}-\d{2})", re.ASCII)
MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Serving:
    """The model and the configuration, as a provider names them, that gave a reply."""

    model: str
    fingerprint: str | None = None


@dataclass(slots=True)
class Servings:
    """By what the agents of a study were answered, earlier runs included.

    `seen` goes by (agent, name of its model) and is in the order of first replies; `told` are the
    agents of whom the run has said that they were answered by several.
    """

    seen: dict[tuple[str, str], dict[Serving, None]] = field(default_factory=dict)
    told: set[tuple[str, str]] = field(default_factory=set)

    def note(self, agent: str, model: str, serving: Serving) -> str | None:
        """Note a reply; return a sentence if it is the first that shows a difference."""
        who = (agent, model)
        seen = self.seen.setdefault(who, {})
        if serving in seen:
            return None
        seen[serving] = None
        sentence = describe_difference(agent, model, seen)
        if sentence is None or who in self.told:
            return None
        self.told.add(who)
        return sentence

    def is_other(self, agent: str, model: str, served: str) -> bool:
        """Return whether this model is another one than those that answered an agent before it."""
        seen = self.seen.get((agent, model), {})
        before = takewhile(lambda name: name != served, (serving.model for serving in seen))
        return any(not is_same_model(name, served) for name in before)

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each agent that was answered by several."""
        for (agent, model), seen in self.seen.items():
            if sentence := describe_difference(agent, model, seen):
                yield sentence


def describe_difference(agent: str, model: str, servings: Iterable[Serving]) -> str | None:
    """Say by which models, or else configurations, an agent was answered; None if by one."""
    who = model if agent == model else f"{agent} ({model})"
    names = list(dict.fromkeys(serving.model for serving in servings))
    if any(not is_same_model(a, b) for a, b in combinations(names, 2)):
        return (
            f"{who} was answered by {enumerate_names(names)} within this study: they count as"
            " different models (view served_models); ask for one of them by its dated name"
        )
    prints = list(dict.fromkeys(each.fingerprint for each in servings if each.fingerprint))
    if len(prints) > 1:
        return (
            f"{who} was answered by {len(prints)} configurations of {printable(names[0])} within"
            f" this study (fingerprints {enumerate_names(prints)}): its provider has changed"
            " something beneath that name (view served_models)"
        )
    return None


def enumerate_names(names: list[str]) -> str:
    """Return names in words, the first few if there are many."""
    shown = [printable(name) for name in names[:MOST_NAMED]]
    if len(names) > MOST_NAMED:
        shown.append(f"{len(names) - MOST_NAMED} others")
    return ", ".join(shown[:-1]) + " and " + shown[-1]


def is_same_model(one: str, other: str) -> bool:
    """Return whether two names may be of one model: equal, but for a date behind one of them."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and (
        long == short or DATE.fullmatch(long.removeprefix(short)) is not None
    )
