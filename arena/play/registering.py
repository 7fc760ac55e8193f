"""Register a study before it is played, and note in each run how it departs from that.

The prompts and readers of a study show only when it is played, so each arm is rehearsed on
stand-ins, always with the same motion or question: the same code gives the same prompts.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import orjson

from arena.calls.secrets import check_no_secret
from arena.errors import StudyError
from arena.play import preflight
from arena.play.dry_run import StandIn, play_on_stand_ins, raise_faults
from arena.play.episode import Step
from arena.play.identity import code_hash_of, find_digest_of
from arena.play.reader_code import code_of, made_with, module_of, reader_name, reader_version
from arena.play.records import agent_row, function_name, git_commit, versions
from arena.play.rehearsal import MOST_TURNS, REPLY_TOKENS
from arena.store import database
from arena.store.journal import line, write_journal
from arena.store.replay import StudyState
from arena.store.study_lock import lock_study
from arena.studies.motions import subject_id, subject_row
from arena.studies.registered import (
    code_digits,
    count_begun,
    lineup_words,
    load_counting,
    load_registrations,
    without_prompts_of,
)
from arena.studies.registration import (
    IMAGES,
    SEATED,
    Analysis,
    DesignDraft,
    Deviation,
    Plan,
    Registration,
    Stopping,
    compare,
    hash_of,
    seated_words,
    shareable,
)
from arena.studies.source import code_hash
from arena.studies.study import Play, Study, plays, protocol_name, protocol_version
from arena.text import utc_now
from arena.types import Agent, Request

DIGITS = 16
# What a stranger needs to see of a prompt; the hash is of all of it.
SHOWN_LETTERS = 4000
NO_COMMIT = "none (run in no git repository)"
SEEDS = (
    "the seed of each reply is derived from the episode, the seat, its step and the ask; the id of"
    " an episode from study, arm, protocol, options, subject, agents and repeat"
)


@dataclass(slots=True)
class Rehearsed:
    """The design of a study with its prompts and readers.

    `subjects` are those with which each arm was rehearsed, `first_prompts` the words of the first
    request to each seat, by hash.
    """

    draft: DesignDraft = field(default_factory=DesignDraft)
    subjects: dict[str, str] = field(default_factory=dict)
    first_prompts: dict[str, str] = field(default_factory=dict)

    def note(self, arm: str, step: Step, request: Request) -> None:
        """Note the prompt and the reader of one step."""
        # A changed system prompt is one of the agent, and named there.
        texts = [each.content for each in request.messages if each.role != "system"]
        digits = hash_of("\0".join(texts))[:DIGITS]
        item = f"{arm} / {step.seat.name} / {step.phase}"
        self.draft.add("prompts", item, "words", digits)
        if step.step == 0:
            words = shareable("\n\n".join(texts))
            cut = " [...]" if len(words) > SHOWN_LETTERS else ""
            self.first_prompts[digits] = words[:SHOWN_LETTERS] + cut
        reader = f"{module_of(step.read)}.{reader_name(step.read)}"
        self.draft.add("readers", reader, "code", reader_version(step.read))


async def design_of(all_plays: Sequence[Play], subjects: Mapping[str, str]) -> Rehearsed:
    """Return the design of a study from all its plays, whose arms are rehearsed; nothing is asked.

    `subjects` are those with which to rehearse each arm, where its plays have them.  Raises
    StudyError for a protocol with a fault that no words of the models would mend.
    """
    result = Rehearsed()
    add_plays(result.draft, all_plays)
    by_id = {subject_id(play.subject): play.subject for play in all_plays}
    chosen: dict[tuple[str, bytes, tuple[str, ...]], Play] = {}
    for play in all_plays:
        key = (play.arm, orjson.dumps(play.options), tuple(play.lineup))
        if key not in chosen or lineup_of(play) < lineup_of(chosen[key]):
            chosen[key] = play
    fixed: list[Play] = []
    for (arm, options, seats), play in chosen.items():
        subject = subjects.get(arm, "")
        subject = result.subjects.setdefault(arm, subject if subject in by_id else min(by_id))
        # A protocol draws by the id of its episode, in which the agents stand too.
        place = hash_of(orjson.dumps([arm, options.decode(), seats, subject]).decode())[:20]
        fixed.append(replace(play, episode=place, subject=by_id[subject]))
    arm_of = {play.episode: play.arm for play in fixed}

    def watch(step: Step, request: Request) -> None:
        """Note what is asked."""
        result.note(arm_of[request.place.episode], step, request)

    def with_stand_in(agent: Agent) -> Agent:
        """Return the agent with a stand-in for its model, which always says the same."""
        model = agent.model
        if isinstance(model, StandIn):
            return agent
        return replace(agent, model=StandIn(model, REPLY_TOKENS))

    outcomes = await play_on_stand_ins(
        fixed, StudyState(), with_stand_in, most_turns=MOST_TURNS, watch=watch
    )
    raise_faults([error for error in outcomes if error is not None])
    late = {
        play.arm
        for play, error in zip(fixed, outcomes, strict=True)
        if isinstance(error, asyncio.CancelledError)
    }
    # How far a slow rehearsal comes is chance.
    prompts = result.draft.parts.get("prompts", {})
    for item in [item for item in prompts if item.partition(" / ")[0] in late]:
        del prompts[item]
    return result


def lineup_of(play: Play) -> str:
    """Return a play's lineup in words."""
    return lineup_words({seat: agent.name for seat, agent in play.lineup.items()})


def add_plays(draft: DesignDraft, all_plays: Iterable[Play]) -> None:
    """Add what is planned to a design: arms, protocols, agents, subjects, repeats and graders."""
    seen: set[object] = set()

    def is_new(*key: object) -> bool:
        """Tell whether something comes for the first time: a study has few kinds of plays."""
        before = len(seen)
        seen.add(key)
        return len(seen) > before

    for play in all_plays:
        name, function = protocol_name(play.protocol), play.protocol
        if is_new("options", play.arm, id(play.options)):
            draft.add("arms", play.arm, "protocol", name)
            draft.add("arms", play.arm, "options", dict(play.options))
        if is_new("lineup", play.arm, id(play.lineup)):
            draft.add("arms", play.arm, "lineup", lineup_of(play))
            for seat, agent in play.lineup.items():
                row = agent_row(agent)
                draft.add("arms", play.arm, SEATED, seated_words(seat, row, row["sampling"]))
        if is_new("protocol", id(function)):
            draft.add("protocols", name, "version", protocol_version(function))
            draft.add("protocols", name, "code", code_digits(code_hash(function)))
            draft.add("protocols", name, "defaults", default_words(function))
            near = code_of(module_of(function))
            texts = [f"{module} {hashlib.sha256(near[module]).hexdigest()}" for module in near]
            draft.add("protocols", name, "imports", hash_of("\n".join(sorted(texts)))[:DIGITS])
        for agent in play.lineup.values():
            if is_new("agent", id(agent)):
                add_agent(draft, agent)
        if is_new("subject", id(play.subject)):
            text = subject_row(play.subject)["text"]
            draft.add("subjects", subject_id(play.subject), "text", text)
            for image in play.subject.images:
                draft.add("subjects", subject_id(play.subject), IMAGES, image.hash)
        if is_new("repeat", play.repeat):
            draft.add("repeats", str(play.repeat))
        if play.grader is not None and is_new("grader", id(play.grader)):
            name = function_name(play.grader)
            draft.add("graders", name, "code", reader_version(play.grader))
            draft.add("graders", name, "made with", made_with(play.grader))


def default_words(function: Callable[..., object]) -> str:
    """Return the options of a protocol with their defaults, in words; "none" if it has none."""
    defaults = (
        f"{name} = {value_words(each.default)}"
        for name, each in inspect.signature(function).parameters.items()
        if each.kind is each.KEYWORD_ONLY and each.default is not each.empty
    )
    return "; ".join(defaults) or "none"


def value_words(value: object) -> str:
    """Return the value of an option as JSON has it; of what JSON has not, its name or type."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return str(getattr(value, "__qualname__", type(value).__qualname__))


def add_agent(draft: DesignDraft, agent: Agent) -> None:
    """Add an agent to a design, under its name."""
    row = agent_row(agent)
    draft.add("agents", agent.name, "model", row["model"])
    draft.add("agents", agent.name, "system prompt", row["system"])
    draft.add("agents", agent.name, "sampling", row["sampling"])
    draft.add("agents", agent.name, "weights", code_digits(find_digest_of(agent.model)))
    draft.add("agents", agent.name, "function", code_digits(code_hash_of(agent.model)))


async def register(
    path: Path,
    study: Study,
    *,
    question: str = "",
    analysis: Analysis | None = None,
    stopping: Stopping | None = None,
    later: Sequence[str] = (),
) -> tuple[Registration, bool]:
    """Freeze a study and store it; return the registration, and whether it is new.

    One whose newest registration says the same is registered already.  Nothing is asked.  Raises
    StudyError for a study that cannot be played, or that holds a key.
    """
    all_plays = plays(study)
    preflight.check_secrets(study, all_plays)
    earlier = load_registrations(path, study.name) if path.exists() else []
    # With the same motion as before, so that prompts can be compared.
    newest = earlier[-1].plan if earlier else None
    rehearsed = await design_of(all_plays, newest.rehearsed if newest else {})
    plan = Plan(
        study.name,
        question,
        "",
        0,
        (),
        {**versions(), "git commit": git_commit() or NO_COMMIT},
        len(all_plays),
        SEEDS,
        rehearsed.draft.parts,
        rehearsed.subjects,
        rehearsed.first_prompts,
        analysis or Analysis(),
        stopping or Stopping(),
        tuple(later),
    )
    check_no_secret(texts_of(orjson.loads(plan.content)), f"study {study.name!r}")
    database.create(path)
    with lock_study(path, study.name):
        database.fold(path)
        earlier = load_registrations(path, study.name)
        if earlier and earlier[-1].plan is not None and is_same(earlier[-1].plan, plan):
            return earlier[-1], False
        now = utc_now()
        plan = replace(
            plan,
            registered_at=now.isoformat(),
            played_before=count_begun(path, study.name),
            earlier=tuple(each.hash for each in earlier),
        )
        store(path, plan, now)
    return Registration(plan.hash, study.name, now, plan), True


def is_same(one: Plan, other: Plan) -> bool:
    """Tell whether two plans say the same, whenever and with what program they were registered."""
    return (
        one.content
        == replace(
            other,
            registered_at=one.registered_at,
            played_before=one.played_before,
            earlier=one.earlier,
            versions=one.versions,
        ).content
    )


def texts_of(value: object) -> Iterator[str]:
    """Yield all texts in a value as JSON has it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from texts_of(each)
    elif isinstance(value, dict):
        yield from texts_of([*value.keys(), *value.values()])


def store(path: Path, plan: Plan, now: datetime) -> None:
    """Write a registration to a journal of its own, and fold it."""
    row = {
        "hash": plan.hash,
        "study": plan.study,
        "registered_at": now,
        "played_before": plan.played_before,
        "content": plan.content,
    }
    journal = database.journal_folder(path) / f"{now:%Y%m%dT%H%M%S}-{plan.hash[:6]}-000.jsonl"
    write_journal(journal, [line("registrations", row)])
    database.fold(path)


async def find_deviations(plan: Plan, all_plays: Sequence[Play]) -> list[Deviation]:
    """Return in what a study that is to be run departs from a registered plan."""
    found = await design_of(all_plays, plan.rehearsed)
    moved = [
        arm
        for arm, subject in found.subjects.items()
        if arm in plan.rehearsed and plan.rehearsed[arm] != subject
    ]
    # An arm that was added, or dropped, is named as such, and needs no words on each prompt.
    design = without_prompts_of(
        replace(plan, design=found.draft.parts),
        [*moved, *(found.subjects.keys() - plan.rehearsed.keys())],
    ).design
    registered = without_prompts_of(
        plan, [*moved, *(plan.rehearsed.keys() - found.subjects.keys())]
    ).design
    reasons = [
        Deviation("prompts", f"prompts of arm {arm} cannot be compared: their motion was dropped")
        for arm in moved
    ]
    return [*compare(registered, design, whole=True), *reasons]


async def deviation_lines(
    path: Path, study: str, all_plays: Sequence[Play], run: str
) -> list[bytes]:
    """Return the rows of what a run departs in from the study's registration; none without one."""
    registration = await asyncio.to_thread(load_counting, path, study)
    if registration is None or registration.plan is None:
        return []
    try:
        found = await find_deviations(registration.plan, all_plays)
    except StudyError as error:
        # A change never blocks: the run itself says what is wrong with a protocol.
        found = [Deviation("prompts", f"could not be compared: {error}")]
    now = utc_now()
    return [
        line(
            "deviations",
            {
                "registration": registration.hash,
                "run": run,
                "part": each.part,
                "what": each.what,
                "noted_at": now,
            },
        )
        for each in found
    ]
