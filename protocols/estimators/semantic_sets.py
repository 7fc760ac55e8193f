"""Estimate how sure a model is by how far its replies to a question agree in meaning.

`semantic_sets` needs an `entailment` seat and asks it once for all replies of a question; every
number below comes from that one table.  Formulas: semantic_graphs.py, which names the papers.

    of a question (the same for each of its replies)
        semantic_entropy                     of the sets' shares (discrete)
        semantic_entropy_likelihood          of the sets' probabilities, whole replies
        semantic_entropy_likelihood_mean     the same with probabilities a token (length-normalised)
        semantic_set_count, eigenvalue_sum   number of meanings, whole and not
        degree_mean, eccentricity_norm       of the graph of replies
        kernel_entropy_heat, kernel_entropy_matern
    of a reply
        semantic_share, degree, eccentricity, semantic_density, semantic_density_likelihood

`semantic_sets_by_answer` is free: replies of equal answers (the votes' values) are one meaning.

Kept: bidirectional entailment, the question before each text, the first member of a set stands for
it.  Different: entropies and counts are negated, so that higher is surer; missing entailments are
missing, where Farquhar et al.'s code takes them for neutral; a letter is compared by its option's
words.  Ours: t = 0.3 of the heat kernel as in lm-polygraph (0.4 is the default of the authors'
code, 1 of its kappa and nu), and affinities without the authors' softmax temperature, since a model
of pairs gives probabilities; and `semantic_density`, for replies without likelihoods, where each
different text counts once: of 57, 57, 57 and 58 it gives 1/2 to all.  Left out: clustering by
k-means, and kernels of both kinds combined.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from arena.play.episode import Episode
from arena.score import Score
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Seat
from protocols.estimators import names_of
from protocols.estimators import semantic_graphs as graphs
from protocols.estimators.arrays import Array, Codes
from protocols.estimators.pairs import Details
from protocols.estimators.pairs import entailment as ask_entailment
from protocols.estimators.reply_texts import (
    TOO_FEW,
    Compared,
    TextKind,
    Values,
    compared,
    log_probability,
    negated,
    scores_of,
)

VERSION = "1"

BY_ENTAILMENT = names_of("semantic_sets")
BY_ANSWER = names_of("semantic_sets_by_answer")


async def semantic_sets(
    episode: Episode,
    samples: StoredSamples,
    entailment: Seat,
    *,
    text: TextKind | None = None,
    with_question: bool = True,
    strict: bool = True,
    affinity: graphs.Affinity = "entailment",
    form: graphs.Likelihoods = "normalised",
) -> list[Score]:
    """Return the scores of all estimators above, from one table of entailments.

    `text` says which words are compared: the "answer" of a question, the "speech" on a motion
    (defaults).  `with_question` puts the question before them.  `strict` sets need entailment both
    ways, others no contradiction and one entailment.  `affinity` is that of degree, eccentricity
    and eigenvalues.  `form` is that of entropies by probability: of probabilities divided by their
    sum (Farquhar et al.), or the mean over replies ("monte carlo", lm-polygraph).
    """
    chosen = compared(samples, text)
    context = samples.question.text if with_question else None
    details: Details = {
        "relations": entailment.agent.model.name,
        "with_question": with_question,
        "sets_by": "entailment both ways" if strict else "no contradiction",
        "affinity": affinity,
        "form": form,
    }
    relations = await ask_relations(episode, entailment, chosen.texts, context, details)
    if isinstance(relations, str):
        return scores_of(samples, chosen, [(name, relations) for name in BY_ENTAILMENT], details)
    sets = graphs.semantic_sets(relations, strict=strict)
    likelihood = likelihoods(samples, chosen)
    rows = [
        *entropies(sets, likelihood, "", form),
        *graph_values(relations, affinity),
        ("semantic_share", [float((sets == own).mean()) for own in sets]),
        *density_values(relations, chosen.texts, likelihood),
    ]
    return scores_of(samples, chosen, rows, {**details, "sets": sets.tolist()})


async def semantic_sets_by_answer(episode: Episode, samples: StoredSamples) -> list[Score]:
    """Return entropies and the number of meanings where equal answers are one; asks nothing."""
    chosen = compared(samples, "answer")
    details = {"sets_by": "equal answers"}
    if len(chosen.used) < 2:
        return scores_of(samples, chosen, [(name, TOO_FEW) for name in BY_ANSWER], details)
    # An answer that has no value for votes is equal to none but its own words.
    values = [samples.replies[place].canonical for place in chosen.used]
    sets = graphs.sets_by_value(
        [value or text for value, text in zip(values, chosen.texts, strict=True)]
    )
    rows: list[Values] = [
        *entropies(sets, likelihoods(samples, chosen), "_by_answer"),
        ("semantic_set_count_by_answer", negated(float(sets.max() + 1))),
    ]
    return scores_of(samples, chosen, rows, {**details, "sets": sets.tolist()})


async def ask_relations(
    episode: Episode, seat: Seat, texts: Sequence[str], question: str | None, details: Details
) -> Array | str:
    """Return relations (N, N, 3) of N texts, or why there are none."""
    if len(texts) < 2:
        return TOO_FEW
    pairs = [(first, second) for first in texts for second in texts]
    found = await ask_entailment(episode, seat, pairs, question=question, details=details)
    unread = sum(relation is None for relation in found)
    if unread:
        return f"{unread} of {len(found)} entailments could not be read"
    return np.array(found, dtype=float).reshape(len(texts), len(texts), 3)


def likelihoods(samples: StoredSamples, chosen: Compared) -> tuple[Array, Array] | str:
    """Return log probabilities (N,) of whole replies and their means a token, or why not."""
    found = [log_probability(samples.replies[place]) for place in chosen.used]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return (
            f"{len(found) - len(known)} of {len(found)} replies have no log probabilities of their"
            " tokens; play with Sampling(logprobs=10), or a local model"
        )
    return np.array([each[0] for each in known]), np.array([each[1] for each in known])


def entropies(
    sets: Codes,
    likelihood: tuple[Array, Array] | str,
    suffix: str,
    form: graphs.Likelihoods = "normalised",
) -> Iterator[Values]:
    """Yield the three semantic entropies, negated."""
    yield f"semantic_entropy{suffix}", negated(graphs.entropy_of_counts(sets))
    names = (f"semantic_entropy_likelihood{suffix}", f"semantic_entropy_likelihood_mean{suffix}")
    for k, name in enumerate(names):
        if isinstance(likelihood, str):
            yield name, likelihood
        else:
            yield name, negated(graphs.entropy_of_likelihoods(sets, likelihood[k], form=form))


def graph_values(relations: Array, affinity: graphs.Affinity) -> Iterator[Values]:
    """Yield what hangs on the graph of replies alone; higher is surer."""
    near = graphs.affinity_matrix(relations, affinity)
    degree, distance = graphs.degrees(near), graphs.eccentricities(near)
    laplacian = graphs.weighted_laplacian(relations)
    yield "semantic_set_count", negated(float(graphs.number_of_sets(relations)))
    yield "eigenvalue_sum", negated(graphs.eigenvalue_sum(near))
    yield "degree_mean", float(degree.mean())
    yield "eccentricity_norm", negated(float(np.linalg.norm(distance)))
    heat, matern = graphs.heat_kernel(laplacian), graphs.matern_kernel(laplacian)
    yield "kernel_entropy_heat", negated(graphs.von_neumann_entropy(heat))
    yield "kernel_entropy_matern", negated(graphs.von_neumann_entropy(matern))
    yield "degree", degree.tolist()
    yield "eccentricity", [negated(each) for each in distance.tolist()]


def density_values(
    relations: Array, texts: Sequence[str], likelihood: tuple[Array, Array] | str
) -> Iterator[Values]:
    """Yield semantic densities: each different text once (ours), and by its probability a token."""
    yield "semantic_density", graphs.densities(relations, texts).tolist()
    name = "semantic_density_likelihood"
    if isinstance(likelihood, str):
        yield name, likelihood
    else:
        yield name, graphs.densities(relations, texts, np.exp(likelihood[1])).tolist()
