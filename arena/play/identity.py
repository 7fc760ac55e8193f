"""Refuse to go on with a study under whose names other models would speak than before.

The name of a model stands in the ids of episodes; its weights and its source do not, so that ids
can be made without reading gigabytes, and are those of version 0.1.0.  Instead a run compares what
its store holds with what is here today, before its first call.  A revision or a version is part of
the name, and of the ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from arena.calls.servings import Serving, Servings
from arena.errors import StudyError
from arena.play.preflight import agents_of
from arena.store.speakers import StoredModel, load_servings
from arena.studies.study import Play
from arena.text import pluralize
from arena.types import BaseModel, Model


def check_models(stored: Iterable[StoredModel], study: str, plays: Sequence[Play]) -> None:
    """Raise StudyError if episodes were played with other weights or functions than today's.

    Reads the weights of local models of which a digest is stored.
    """
    models: dict[str, list[Model]] = {}
    for agent in agents_of(plays):
        models.setdefault(agent.model.name, []).append(agent.model)
    for each in stored:
        if each.name in models:
            check_code(each, models[each.name], study)
            check_digest(each, models[each.name], study)


def check_code(stored: StoredModel, models: Iterable[Model], study: str) -> None:
    """Raise StudyError if episodes were played with another function under this name."""
    today = {code_hash_of(model) for model in models}
    # What cannot be read, then or today, is not compared.
    if stored.code_hash is None or None in today or stored.code_hash in today:
        return
    raise StudyError(
        f"study {study!r} holds {pluralize(stored.episodes, 'episode')} in which another function"
        f" answered under the name {stored.name}: restore it, or tell today's apart by a version,"
        " scripted_model(function, name, version), or by another name"
    )


def check_digest(stored: StoredModel, models: Iterable[Model], study: str) -> None:
    """Raise StudyError if episodes were played with other weights under this name."""
    if stored.digest is None:
        return
    today = {find_digest_of(model) for model in models}
    if None in today or stored.digest in today:
        return
    digest = min(found for found in today if found is not None)
    raise StudyError(
        f"study {study!r} holds {pluralize(stored.episodes, 'episode')} that {stored.name} played"
        f" with other weights, tokenizer or configuration (digest {stored.digest[:12]}) than are"
        f" here today ({digest[:12]}): restore them, give the study another name, or tell today's"
        f" apart by a revision behind the reference (of a folder @{digest[:12]}, of a hub id a"
        " commit)"
    )


def code_hash_of(model: Model) -> str | None:
    """Return the hash of the source of the function that answers; None: none, or not known."""
    return model.code_hash if isinstance(model, BaseModel) else None


def find_digest_of(model: Model) -> str | None:
    """Return the digest of a local model's files; None: not local, or not on this disk."""
    return model.find_digest() if isinstance(model, BaseModel) else None


def describe_unknown(stored: Iterable[StoredModel], plays: Sequence[Play]) -> Iterator[str]:
    """Yield a sentence for each local model that played before with weights that are unknown."""
    known = {agent.model.name for agent in agents_of(plays) if find_digest_of(agent.model)}
    for each in stored:
        if each.digest is None and each.name in known:
            yield (
                f"with which weights {each.name} played {pluralize(each.episodes, 'episode')}"
                " before is not in the store: reports tell these from today's, except --by model"
            )


def known_models(plays: Sequence[Play]) -> set[tuple[str, str | None]]:
    """Return the names of the models that speak, each with its digest, or hash, as far as known."""
    models = [agent.model for agent in agents_of(plays)]
    return {(model.name, find_digest_of(model) or code_hash_of(model)) for model in models}


def load_earlier(path: Path, study: str) -> Servings:
    """Return by what a study's agents were answered in the runs before."""
    servings = Servings()
    for each in load_servings(path, study):
        servings.note(each.agent, each.model, Serving(each.model_served, each.fingerprint))
    return servings
