"""Find out, before a run, which prompts will begin with the same text.

Providers read the beginning of a prompt that they have kept at a tenth of the price, and some take
more for keeping it: so it is marked where it will be read again, and nowhere else.  A prompt is
built from parts, texts and turns by their keys; where two begin with the same parts, they begin
with the same words, whatever these will be.

One episode of each protocol, with each choice of options and of seats that share a model, is played
on stand-ins.  It shows which of its requests share how many parts.  The parts before the first turn
of the episode itself are the same in all plays on the subject, such as those of other judges of a
debate, or of further repeats, which are counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from arena.calls.batch_calls import BatchSettings
from arena.calls.prompt_caches import EpisodePrefixes, Shape, most_tokens_of
from arena.play.dry_run import StandIn, play_on_stand_ins
from arena.play.episode import Step
from arena.play.prompt import BuiltPrompt, PromptPart
from arena.store.replay import StudyState
from arena.studies.motions import subject_id
from arena.studies.study import Play
from arena.types import Agent, Request, Sampling

# Of more requests to one model in one episode, no two are compared.
MOST_REQUESTS = 200
REPLY_TOKENS = 30
MOST_TURNS = 2 * MOST_REQUESTS


async def plan_prefixes(
    todo: Sequence[Play], at_once: int, batches: BatchSettings | None
) -> tuple[list[Play], dict[str, EpisodePrefixes]]:
    """Return episodes in the order in which they are to be played, and what their requests share.

    In a batch, calls run in any order, and none can go ahead of others: then nothing is marked.
    """
    prefixes = await find_shared_prefixes(todo) if batches is None else {}
    return order_by_readers(todo, prefixes, at_once), prefixes


async def find_shared_prefixes(todo: Sequence[Play]) -> dict[str, EpisodePrefixes]:
    """Return what the requests of each episode share; {} where no model has a cache with a price.

    An episode that cannot be played on stand-ins is left out: its prompts are sent unmarked.
    """
    agents = [agent for play in todo for agent in play.lineup.values()]
    if all(agent.model.prompt_cache is None for agent in agents):
        return {}
    examples: dict[object, Play] = {}
    for play in todo:
        examples.setdefault(kind(play), play)
    shapes = dict(zip(examples, await find_shapes(list(examples.values())), strict=True))
    crowds: Counter[object] = Counter(crowd(play, seat) for play in todo for seat in play.lineup)
    return {
        play.episode: EpisodePrefixes(
            shape,
            {
                seat: crowds[crowd(play, seat)] - 1
                for seat, agent in play.lineup.items()
                if (cache := agent.model.prompt_cache) is not None
                and shape.fixed_tokens.get(seat, 0) >= cache.least_tokens
            },
        )
        for play in todo
        if (shape := shapes[kind(play)]) is not None
    }


def kind(play: Play) -> object:
    """Return what decides which requests of an episode share something: its seats, by model."""
    keys = [speaker(agent, agent.sampling) for agent in play.lineup.values()]
    places = tuple(keys.index(key) for key in keys)
    return id(play.protocol), orjson.dumps(play.options), tuple(play.lineup), places


def crowd(play: Play, seat: str) -> object:
    """Return what plays have in common whose seats begin with the same parts."""
    agent = play.lineup[seat]
    return (
        *(id(play.protocol), orjson.dumps(play.options), subject_id(play.subject)),
        *(seat, speaker(agent, agent.sampling)),
    )


def speaker(agent: Agent, sampling: Sampling) -> object:
    """Return what requests must have in common to share a cache, beside their words."""
    # Effort, thoughts and schemas change what providers put before the words.
    settings = (sampling.reasoning_effort, sampling.thinking_tokens, sampling.response_schema)
    return agent.model.name, agent.system, *settings


async def find_shapes(plays: Sequence[Play]) -> list[Shape | None]:
    """Return what the requests of each play share, None for one that stand-ins cannot play."""
    requests: defaultdict[str, list[Step]] = defaultdict(list)
    stand_ins: dict[str, StandIn] = {}

    def with_stand_in(agent: Agent) -> Agent:
        """Return the agent with a stand-in for its model."""
        if isinstance(agent.model, StandIn):
            return agent
        stand_in = StandIn(agent.model, REPLY_TOKENS)
        return replace(agent, model=stand_ins.setdefault(agent.model.name, stand_in))

    def watch(step: Step, request: Request) -> None:
        """Note a request in the order in which they are made."""
        requests[request.place.episode].append(step)

    errors = await play_on_stand_ins(
        plays, StudyState(), with_stand_in, most_turns=MOST_TURNS, watch=watch
    )
    return [
        shape_of(play.episode, requests[play.episode]) if error is None else None
        for play, error in zip(plays, errors, strict=True)
    ]


def shape_of(episode: str, steps: Sequence[Step]) -> Shape:
    """Return what the requests of an episode share."""
    shape = Shape()
    groups: defaultdict[object, list[Step]] = defaultdict(list)
    for step in steps:
        fixed = parts_before_own(step.built, episode)
        shape.fixed[step.seat.name, step.step] = fixed
        if fixed and step.step == 0:
            tokens = most_tokens_of(step.built.messages, *step.built.part_ends[fixed - 1])
            shape.fixed_tokens[step.seat.name] = tokens
        groups[speaker(step.seat.agent, step.sampling)].append(step)
    for group in groups.values():
        if len(group) > MOST_REQUESTS:
            continue
        for i, step in enumerate(group):
            common = [same_parts(step.built, other.built) for other in group]
            lengths = {n for j, n in enumerate(common) if n and j != i}
            shape.shared[step.seat.name, step.step] = [
                (length, sum(n >= length for n in common[i + 1 :])) for length in sorted(lengths)
            ]
    return shape


def parts_before_own(built: BuiltPrompt, episode: str) -> int:
    """Return the number of parts before the first turn of the episode itself."""
    own = (i for i, part in enumerate(built.parts) if part.episode == episode)
    return next(own, len(built.parts))


def same_parts(one: BuiltPrompt, other: BuiltPrompt) -> int:
    """Return the number of parts with which both prompts begin."""
    pairs = zip(part_keys(one), part_keys(other), strict=False)
    different = (i for i, (mine, theirs) in enumerate(pairs) if mine != theirs)
    return next(different, min(len(one.parts), len(other.parts)))


def part_keys(built: BuiltPrompt) -> list[tuple[PromptPart, int]]:
    """Return each part with the index of its message."""
    return [(part, end[0]) for part, end in zip(built.parts, built.part_ends, strict=True)]


def order_by_readers(
    todo: Sequence[Play], prefixes: Mapping[str, EpisodePrefixes], at_once: int
) -> list[Play]:
    """Return episodes in an order in which those that share a beginning come close together.

    Of as many subjects as are played at once, first one reader of each, then the next: a beginning
    is read again while it is kept, and nobody waits for long.  Without such episodes, the order
    stays as it is.
    """
    if not any(max(each.others.values(), default=0) for each in prefixes.values()):
        return list(todo)
    subjects: dict[str, int] = {}
    ranks: Counter[object] = Counter()
    order = []
    for place, play in enumerate(todo):
        subject = subjects.setdefault(subject_id(play.subject), len(subjects))
        keys = tuple(crowd(play, seat) for seat in play.lineup)
        order.append(((subject // at_once, ranks[keys], place), play))
        ranks[keys] += 1
    return [play for _, play in sorted(order, key=lambda each: each[0])]
