"""Check what must hold before the first call of a run, and tell which settings it leaves out.

Every check raises StudyError, and nothing has been started when it does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from arena.calls.earlier_versions import (
    EarlierVersion,
    describe_earlier,
    load_earlier_versions,
    ways_on,
)
from arena.calls.estimate import CostEstimate, describe_estimate
from arena.calls.prices import price_of, worst_case_usd
from arena.calls.rate_limits import Limits
from arena.calls.secrets import check_no_secret
from arena.errors import StudyError
from arena.store.replay import StudyState
from arena.studies.source import is_same_code
from arena.studies.study import Play, Study, protocol_name, protocol_version
from arena.studies.versions import versions_of
from arena.text import pluralize
from arena.types import Agent, BaseModel, Place, Price, Request, Sampling, Subject


def agents_of(plays: Sequence[Play]) -> list[Agent]:
    """Return the agents that sit somewhere, each once."""
    return list({id(agent): agent for play in plays for agent in play.lineup.values()}.values())


def describe_left_out(plays: Sequence[Play]) -> Iterator[str]:
    """Yield sentences on what agents are asked for in vain: settings, by model, and schemas.

    A protocol that may ask for a schema does so by an option `replies="schema"`.
    """
    agents = agents_of(plays)
    reasons = {
        (agent.model.name, *agent.model.left_out.items()): None
        for agent in agents
        if isinstance(agent.model, BaseModel) and agent.model.left_out
    }
    for model, *left_out in reasons:
        names = " and ".join(name for name, _ in left_out)
        whys = ", and ".join(dict.fromkeys(why for _, why in left_out))
        yield f"{model} is asked without {names}: {whys}"
    alike: defaultdict[tuple[str, str, Sampling], dict[str, None]] = defaultdict(dict)
    for agent in agents:
        alike[agent.model.name, agent.system, agent.sampling][agent.name] = None
    without = {model for model, *_ in reasons}
    for (model, *_), alikes in alike.items():
        if len(alikes) > 1 and model in without:
            yield f"{' and '.join(alikes)} ({model}) are asked with one and the same sampling"
    in_schema = agents_of([play for play in plays if play.options.get("replies") == "schema"])
    without_schema = {
        agent.model.name: None
        for agent in in_schema
        if "response_schema" not in agent.model.capabilities
    }
    for model in without_schema:
        yield f"{model} replies in tags where replies=schema: it keeps to no schema"


def check_code(all_plays: Sequence[Play], state: StudyState) -> None:
    """Raise StudyError if a protocol of half-played episodes changed under the same VERSION."""
    for play in all_plays:
        # Episodes that are done stay as they are, and new ones are played with the new source.
        half_played = state.status.get(play.episode) == "open"
        if half_played and not is_same_code(state.code_hashes[play.episode], play.protocol):
            raise StudyError(
                f"the source of {protocol_name(play.protocol)} changed while episodes of it are"
                " half played; restore it, raise its VERSION (to play anew, with --anew), or pass"
                " --accept-code-change to continue with the new source"
            )


def find_earlier(path: Path, all_plays: Sequence[Play]) -> tuple[EarlierVersion, ...]:
    """Return what earlier versions of the protocols of a study have played of it."""
    protocols = {(play.arm, protocol_name(play.protocol)): play.protocol for play in all_plays}
    today = {place: protocol_version(protocol) for place, protocol in protocols.items()}
    for _, name in protocols:
        versions = {version for (_, other), version in today.items() if other == name}
        # An arm that is not planned any more is compared with all others, if they are of one.
        if len(versions) == 1:
            today["", name] = versions.pop()
    earlier = load_earlier_versions(path, all_plays[0].study, today)
    kept = {name: versions_of(protocol) for (_, name), protocol in protocols.items() if earlier}
    return tuple(replace(one, kept=one.version in kept[one.protocol]) for one in earlier)


def refuse_earlier(path: Path, earlier: Sequence[EarlierVersion], cost: CostEstimate) -> None:
    """Raise StudyError for a study that earlier versions have played.

    `cost` is that of the episodes that this run would play anew.
    """
    raise StudyError(
        f"nothing was asked: {path} holds {describe_earlier(earlier)}; in the new version this run"
        f" would play {pluralize(cost.episodes, 'episode')}, in {describe_estimate(cost)};"
        f" {ways_on(earlier)}"
    )


def check_secrets(study: Study, plays: Sequence[Play]) -> None:
    """Raise StudyError if a key stands in anything that would be stored of a study."""
    texts = {study.name, *(arm.label for arm in study.arms)}
    texts |= {text for subject in study.subjects for text in texts_of(subject)}
    texts |= {
        text
        for agent in agents_of(plays)
        for text in (agent.name, agent.system, agent.model.name, *setting_texts(agent.sampling))
    }
    texts |= {f"{name} {value}" for arm in study.arms for name, value in arm.options.items()}
    check_no_secret(texts, f"study {study.name!r}" if study.name.isprintable() else "the study")


def setting_texts(sampling: Sampling) -> list[str]:
    """Return all texts of a sampling; settings in a provider's words as one text each."""
    others = (sampling.extra, sampling.response_schema, sampling.decoding)
    return [*sampling.stop, *(str(each) for each in others if each is not None)]


def texts_of(subject: Subject) -> list[str]:
    """Return all texts of a subject."""
    content = (subject.text, subject.source, subject.licence, subject.gold, subject.passage)
    texts = (*content, *subject.choices, *subject.accepted)
    return [str(text) for text in texts if text]


def check_model_names(
    by_name: Limits | Mapping[str, Price], plays: Sequence[Play], what: str
) -> None:
    """Raise StudyError if a limit or price is for a name that no model of the study has.

    `what` is "limit", which may also be for a provider, or "price".
    """
    models = sorted({agent.model.name for agent in agents_of(plays)})
    names = set(models)
    if what == "limit":
        names |= {model.partition("/")[0] for model in models}
    for name in by_name:
        if name not in names:
            raise StudyError(
                f"a {what} is given for {name!r},"
                f" but the models of this study are {', '.join(models)}"
            )


def check_prices(plays: Sequence[Play], prices: Mapping[str, Price]) -> None:
    """Raise StudyError if the worst case of a call is unknown although a budget is set.

    An unknown price is not zero.
    """
    for agent in agents_of(plays):
        price = price_of(agent.model, prices)
        if price is None and not agent.model.simulated:
            raise StudyError(
                f"the price of {agent.model.name} is not known, so no budget can hold; give it by"
                " hand, in dollars per million tokens of prompts and replies:"
                f" --price {agent.model.name}=IN,OUT"
            )
        # The length of the prompt is always known; a reply may be without bound.
        empty = Request((), agent.sampling, 0, Place("", "", 0, 0, "", 0))
        if price is not None and worst_case_usd(price, empty) is None:
            raise StudyError(
                f"nothing bounds the length of a reply of {agent.model.name}, so no budget can"
                " hold; give its agent a limit, sampling=Sampling(max_tokens=2000), which the"
                " studies of this project take as -o max_tokens=2000 or -o tokens=2000"
            )
