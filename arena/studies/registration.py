"""Freeze what a study is to do before it is played, under one hash, and compare it with what is.

A plan is plain data.  Its design says by part, item and field which values there may be:

    design["agents"]["alice"]["model"] == ["openai/gpt-5-mini"]

A study that is to be run, and the episodes of a store, are put into the same form, so that one
function compares both with what was registered.  The hash is the sha256 of the plan as JSON with
sorted keys: whoever has that file can check it with any program.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import orjson
from pydantic import TypeAdapter

FORMAT = 1
Design = Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]
# Parts that every design has.
REQUIRED = {"arms", "protocols", "agents", "subjects", "repeats"}
# How one item of a part is called in a sentence.
ITEMS = {
    "arms": "arm",
    "protocols": "protocol",
    "agents": "agent",
    "subjects": "subject",
    "repeats": "repeat",
    "prompts": "prompt",
    "readers": "reader",
    "graders": "grader",
}
# An absolute path of two folders or more, and what may stand before it in a model's reference.
LOCAL_PATH = re.compile(
    r"(?<![\w/\\.:<~])(local/)?(?:file://)?(?:~|[A-Za-z]:)?(?:[/\\][^\s/\\<>\"']+){2,}"
)
SHORTEST_SAME = 60
# Nobody can tell the two apart but the researcher.
EARLY = "stopped early, or not over yet"
MOST_ITEMS = 6
# The field of an arm that says which agent, of which settings, holds each seat.
SEATED = "seats"
# The field of a subject that names its images by hash.
IMAGES = "images"
# Fields that hold hashes, which say nothing to people, and what has changed where they differ.
HASHED = {
    "code": "changed (code)",
    "imports": "changed (code that it imports)",
    "words": "changed (words)",
    "weights": "changed (weights)",
    "function": "changed (function)",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that the report of the study makes: its name there, and the expectation in words.

    `number` says in words what the report computes for it, and what it tests.
    """

    name: str
    primary: bool = False
    words: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """How the results are to be computed: what is left out, margin, claims, adjustment of p-values.

    `by`, `models`, `arms`, `where` and `leftovers` are those of `arena report`; `margin` is a share
    in (0, 0.5).
    """

    by: Literal["agent", "model", "setting"] = "agent"
    models: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    where: str = ""
    leftovers: bool = False
    margin: float = 0.05
    multiplicity: Literal["holm", "bonferroni", "bh", "none"] = "holm"
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopping:
    """When the study ends: after so many episodes, or when so many dollars are spent."""

    episodes: int | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is registered.  `played_before` counts episodes of the study that had begun by then.

    `earlier` are the hashes of its earlier registrations, `rehearsed` the subject with which the
    prompts of each arm were made, `first_prompts` their words by hash, `later` what is known of
    studies that can only be written from this one's results.
    """

    study: str
    question: str
    registered_at: str
    played_before: int
    earlier: tuple[str, ...]
    versions: dict[str, str]
    episodes: int
    seeds: str
    design: dict[str, dict[str, dict[str, list[str]]]]
    rehearsed: dict[str, str]
    first_prompts: dict[str, str]
    analysis: Analysis
    stopping: Stopping
    later: tuple[str, ...] = ()
    format: int = FORMAT

    @property
    def content(self) -> str:
        """The plan as JSON with sorted keys, of which the hash is one."""
        # Of a dataclass only the keys of its dictionaries would be sorted.
        plain_plan = orjson.loads(orjson.dumps(self))
        return orjson.dumps(plain_plan, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2).decode()

    @property
    def hash(self) -> str:
        """The sha256 of the plan, as 64 hex digits."""
        return hash_of(self.content)


PLAN = TypeAdapter(Plan)


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration as a store holds it.

    `fault` says what is wrong with it, "" if nothing; a faulty one counts for nothing.
    """

    hash: str
    study: str
    registered_at: datetime
    plan: Plan | None
    fault: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Deviation:
    """Something in which a study departs from its registration: the part, and how, in words."""

    part: str
    what: str

    @property
    def is_to_come(self) -> bool:
        """Whether it says only that the study has not ended: to go on is no departure."""
        return self.what.startswith(EARLY)


@dataclass(slots=True)
class DesignDraft:
    """A design to be filled, a value at a time; each value once, in the order in which it came."""

    parts: dict[str, dict[str, dict[str, list[str]]]] = field(default_factory=dict)

    def add(self, part: str, item: str, name: str = "", value: object = None) -> None:
        """Add an item, and a value of a field of it unless that is None (unknown)."""
        fields = self.parts.setdefault(part, {}).setdefault(shareable(item), {})
        if value is not None:
            text = shareable(value if isinstance(value, str) else plain(value))
            values = fields.setdefault(name, [])
            if text not in values:
                values.append(text)


def hash_of(content: str) -> str:
    """Return the sha256 of a plan's JSON, as 64 hex digits."""
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def plain(value: object) -> str:
    """Return a value as JSON with sorted keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def shareable(text: str) -> str:
    """Return a text in which an absolute path is its last name alone: folders name people."""
    return LOCAL_PATH.sub(lambda path: (path[1] or "") + re.split(r"[/\\]", path[0])[-1], text)


def read_registration(
    hash: str, study: str, registered_at: datetime, played_before: int | None, content: str
) -> Registration:
    """Return a stored registration, with a fault where it is not as it was registered."""
    fault, plan = "", None
    if hash_of(content) != hash:
        fault = "it does not fit its hash: it was changed after it was registered"
    else:
        try:
            plan = PLAN.validate_json(content)
            is_known = is_complete(plan)
            stated = (plan.study, plan.played_before, datetime.fromisoformat(plan.registered_at))
        except ValueError:  # pydantic's error is one
            is_known, stated = False, None
        if not is_known:
            fault = "this program cannot read it: another has written it"
        elif stated != (study, played_before, registered_at):
            fault = "its row was changed after it was registered"
    return Registration(hash, study, registered_at, None if fault else plan, fault)


def is_complete(plan: Plan) -> bool:
    """Tell whether a plan has all that reports read of it: a store may come from anybody."""
    return (
        plan.format == FORMAT
        and 0 < plan.analysis.margin < 0.5
        and plan.design.keys() >= REQUIRED
        and all("lineup" in fields for fields in plan.design["arms"].values())
    )


def counting(registrations: Sequence[Registration], began: datetime | None) -> Registration | None:
    """Return the registration that counts, None if there is none without fault.

    It is the newest before the first episode, which `began` then.  Where all are later, the oldest
    counts: later ones know more of the results.
    """
    sound = [each for each in registrations if each.plan is not None]
    sound.sort(key=lambda each: each.registered_at)
    before = [each for each in sound if not is_late(each, began)]
    return before[-1] if before else sound[0] if sound else None


def is_late(registration: Registration, began: datetime | None) -> bool:
    """Tell whether episodes of the study had begun when it was registered."""
    plan = registration.plan
    after = began is not None and registration.registered_at > began
    return after or (plan is not None and plan.played_before > 0)


def compare(registered: Design, found: Design, *, whole: bool) -> list[Deviation]:
    """Return in what a design departs from the registered one, in the order of ITEMS.

    With `whole`, `found` is all that is planned, and what it lacks was dropped.  Otherwise it is
    what was played so far, and tells nothing of what is to come.  Of fields that only one of both
    knows nothing is said.
    """
    arms = {
        arm: without_seats(fields, registered["arms"].get(arm, {}), registered, found, whole=whole)
        for arm, fields in found.get("arms", {}).items()
    }
    found = {**found, "arms": arms}
    return [
        Deviation(part, what)
        for part in ITEMS
        # Prompts and readers are not in a store.
        if part in found
        for what in compare_part(part, registered.get(part, {}), found[part], whole=whole)
    ]


def without_seats(
    fields: Mapping[str, Sequence[str]],
    before: Mapping[str, Sequence[str]],
    registered: Design,
    found: Design,
    *,
    whole: bool,
) -> Mapping[str, Sequence[str]]:
    """Return the fields of an arm, without its seats where something else says how they differ.

    What is new of an agent is said of the agent, and another lineup of the lineup.
    """
    agents = registered.get("agents", {}), found.get("agents", {})
    lineups = {*before.get("lineup", ())}, {*fields.get("lineup", ())}
    same = lineups[0] == lineups[1] if whole else lineups[1] <= lineups[0]
    if same and not any(compare_part("agents", *agents, whole=whole)):
        return fields
    return {name: values for name, values in fields.items() if name != SEATED}


def seated_words(seat: str, agent: Mapping[str, object], sampling: object) -> str:
    """Return which agent holds a seat, with its system prompt and a hash of all its settings.

    Two agents of one name may differ in these, and it matters which of them sits in which arm.
    """
    system = str(agent["system"] or "")
    digits = hash_of(plain([shareable(str(agent["model"])), shareable(system), sampling]))[:8]
    words = short(system) if system else "no system prompt"
    return f"{seat}: {agent['agent']} ({words}; settings {digits})"


def compare_part(
    part: str,
    registered: Mapping[str, Mapping[str, Sequence[str]]],
    found: Mapping[str, Mapping[str, Sequence[str]]],
    *,
    whole: bool,
) -> Iterator[str]:
    """Yield in words how the items of one part depart from those registered."""
    word = ITEMS[part]
    other: dict[str, list[str]] = {}
    for item, fields in found.items():
        if item not in registered:
            other.setdefault("added", []).append(label(item, fields))
            continue
        for name, now in fields.items():
            before = registered[item].get(name, now)
            new = [value for value in now if value not in before]
            gone = [value for value in before if value not in now] if whole else []
            if (new or gone) and name in HASHED:
                other.setdefault(HASHED[name], []).append(label(item, fields))
            elif new or gone:
                left = [value for value in before if value not in now]
                yield f"{word} {label(item, fields)}, {changed(name, left, new, gone)}"
    if whole:
        gone_items = [item for item in registered if item not in found]
        other["dropped"] = [label(item, registered[item]) for item in gone_items]
    for what, items in other.items():
        if items:
            noun = word if len(items) == 1 else f"{len(items):,} {word}s"
            yield f"{noun} {what}: {listed(items)}"


def listed(items: Sequence[str]) -> str:
    """Return the names of some items, the first few of many."""
    more = f", ... and {len(items) - MOST_ITEMS:,} more" if len(items) > MOST_ITEMS else ""
    return ", ".join(items[:MOST_ITEMS]) + more


def label(item: str, fields: Mapping[str, Sequence[str]]) -> str:
    """Return the name of an item: its text and images where the name is a hash of these."""
    if not fields.get("text"):
        return item
    images = ", ".join(f"image {each[:12]}" for each in fields.get(IMAGES, ()))
    return short(fields["text"][0]) + (f" [{images}]" if images else "")


def changed(name: str, left: Sequence[str], new: Sequence[str], gone: Sequence[str]) -> str:
    """Say what became of the values of a field: those `left` behind were not found any more."""
    if len(left) == len(new) == 1:
        return f"{name}: was {short(left[0])}, is {short(new[0])}"
    parts = [
        f"{name} {verb}: {'; '.join(map(short, values[:3]))}{', ...' if len(values) > 3 else ''}"
        for verb, values in (("added", new), ("dropped", gone))
        if values
    ]
    return ", ".join(parts)


def short(text: str) -> str:
    """Return a value on one line: a long one by its beginning and a hash that tells it apart."""
    line = " ".join(text.split())
    if len(line) <= SHORTEST_SAME:
        return line or "empty"
    return f"{line[: SHORTEST_SAME - 20]}... (sha256 {hash_of(text)[:8]})"


def compare_analysis(registered: Analysis, used: Analysis) -> list[Deviation]:
    """Return in what the choices of a report depart from those registered; claims are not its."""
    words = {
        "by": "who is one contestant (--by)",
        "models": "--models",
        "arms": "--arms",
        "where": "--where",
        "leftovers": "--leftovers",
        "margin": "margin",
    }
    found = []
    for name, option in words.items():
        before, now = getattr(registered, name), getattr(used, name)
        if before != now:
            part = "margins" if name == "margin" else "exclusions"
            found.append(Deviation(part, f"{option}: registered {say(before)}, here {say(now)}"))
    return found


def say(value: object) -> str:
    """Say a choice in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{100 * value:g} points"
    return (", ".join(value) if isinstance(value, tuple) else str(value)) or "none"


def compare_stopping(plan: Plan, ended: int, usd: float) -> list[Deviation]:
    """Return how the number of episodes that have ended, or the dollars, depart from the rule."""
    rule = plan.stopping
    if rule.usd is not None:
        if usd > rule.usd:
            return [Deviation("stopping", f"${usd:.2f} were spent, past the ${rule.usd:g} planned")]
        if ended < plan.episodes:
            left = f"{ended:,} of {plan.episodes:,} episodes, ${usd:.2f} of ${rule.usd:g}"
            return [Deviation("stopping", f"{EARLY}: {left}")]
        return []
    episodes = rule.episodes or plan.episodes
    if ended < episodes:
        return [Deviation("stopping", f"{EARLY}: {ended:,} of {episodes:,} episodes")]
    if ended > episodes:
        return [Deviation("stopping", f"went on to {ended:,} episodes, past {episodes:,}")]
    return []
