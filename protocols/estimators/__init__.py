"""The estimators: ways to find out how sure a model was of a stored reply, one file a family.

An estimator is a protocol whose subject is `StoredSamples`, all stored replies of an agent to one
question, and whose seats say what it needs: none (stored numbers alone, no call), `scorer` (a
model, by default the one that answered), `writer` (who rewrites questions, by default the scorer),
`entailment` or `similarity` (a model of pairs of texts).  It returns a `Score` for every reply,
also where its number is missing.  A new estimator takes a file and its rows here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Set
from importlib import import_module
from typing import TYPE_CHECKING

from arena.errors import StudyError

if TYPE_CHECKING:
    from arena.studies.study import Protocol

STORED = "protocols.estimators.stored_numbers"
TOKENS = ("protocols.estimators.token_numbers", "token_numbers")
VOTES = ("protocols.estimators.sample_votes", "sample_votes")
SETS = "protocols.estimators.semantic_sets"
P_TRUE = "protocols.estimators.p_true"
FAMILIARITY = "protocols.estimators.self_familiarity"
LIKENESS = "protocols.estimators.likeness"
RELEVANCE = "protocols.estimators.relevance"
CLAIMS = "protocols.estimators.claims"
READ = ("protocols.estimators.token_readouts", "token_readouts")
CHAIN = ("protocols.estimators.attention_chain", "attention_chain")
# Where each estimator is: its module and function.  A function may give several, in one pass.
HOME: dict[str, tuple[str, str]] = {
    "critique": ("protocols.critique", "critique"),
    "listener": ("protocols.listener", "listener"),
    "length": (STORED, "length"),
    "stated_confidence": (STORED, "stated_confidence"),
    "logprob_sum": TOKENS,
    "logprob_mean": TOKENS,
    "perplexity": TOKENS,
    "logprob_lowest_tenth": TOKENS,
    "entropy_mean": TOKENS,
    "self_certainty": TOKENS,
    **{f"chow_quantile_{percent}": TOKENS for percent in (0, 10, 25, 50, 75, 90)},
    "token_quantiles": TOKENS,
    "answer_probability": TOKENS,
    "served_top_k_certainty": TOKENS,
    "served_top_k_entropy": TOKENS,
    "consistency": VOTES,
    "average_confidence": VOTES,
    "top_k_average": VOTES,
    "pair_rank": VOTES,
    "borda_self_certainty": VOTES,
    "distinct_answers": VOTES,
    "p_true": (P_TRUE, "p_true"),
    "p_true_own_samples": (P_TRUE, "p_true_own_samples"),
    "p_true_empirical": (P_TRUE, "p_true_empirical"),
    "self_probing": ("protocols.estimators.self_probing", "self_probing"),
    **{
        f"self_familiarity_{form}{combined}": (FAMILIARITY, f"self_familiarity_{form}")
        for form in ("sampled", "forced")
        for combined in ("", "_min", "_first")
    },
    # One request to a model of entailment gives all of these; of a question, and of a reply.
    "semantic_entropy": (SETS, "semantic_sets"),
    "semantic_entropy_likelihood": (SETS, "semantic_sets"),
    "semantic_entropy_likelihood_mean": (SETS, "semantic_sets"),
    "semantic_set_count": (SETS, "semantic_sets"),
    "eigenvalue_sum": (SETS, "semantic_sets"),
    "degree_mean": (SETS, "semantic_sets"),
    "eccentricity_norm": (SETS, "semantic_sets"),
    "kernel_entropy_heat": (SETS, "semantic_sets"),
    "kernel_entropy_matern": (SETS, "semantic_sets"),
    "degree": (SETS, "semantic_sets"),
    "eccentricity": (SETS, "semantic_sets"),
    "semantic_share": (SETS, "semantic_sets"),
    "semantic_density": (SETS, "semantic_sets"),
    "semantic_density_likelihood": (SETS, "semantic_sets"),
    "semantic_entropy_by_answer": (SETS, "semantic_sets_by_answer"),
    "semantic_entropy_likelihood_by_answer": (SETS, "semantic_sets_by_answer"),
    "semantic_entropy_likelihood_mean_by_answer": (SETS, "semantic_sets_by_answer"),
    "semantic_set_count_by_answer": (SETS, "semantic_sets_by_answer"),
    "lexical_similarity_mean": (LIKENESS, "lexical_similarity"),
    "lexical_similarity": (LIKENESS, "lexical_similarity"),
    "text_similarity_mean": (LIKENESS, "text_similarity"),
    "text_similarity": (LIKENESS, "text_similarity"),
    # Of a reply, of the question; then of the question and of a reply.
    "token_sar": (RELEVANCE, "relevance"),
    "token_sar_mean": (RELEVANCE, "relevance"),
    "sentence_sar": (RELEVANCE, "relevance"),
    "sentence_sar_reply": (RELEVANCE, "relevance"),
    "sar": (RELEVANCE, "relevance"),
    "sar_reply": (RELEVANCE, "relevance"),
    "token_sar_every": (RELEVANCE, "relevance_every"),
    "token_sar_mean_every": (RELEVANCE, "relevance_every"),
    "sentence_sar_every": (RELEVANCE, "relevance_every"),
    "sentence_sar_reply_every": (RELEVANCE, "relevance_every"),
    "sar_every": (RELEVANCE, "relevance_every"),
    "sar_reply_every": (RELEVANCE, "relevance_every"),
    "ccp": (CLAIMS, "ccp"),
    "ccp_weakest": (CLAIMS, "ccp"),
    "ccp_of_claims": (CLAIMS, "ccp_of_claims"),
    "ccp_of_claims_weakest": (CLAIMS, "ccp_of_claims"),
    "claim_probability_weakest": (CLAIMS, "claim_probabilities"),
    "claim_logprob_weakest": (CLAIMS, "claim_probabilities"),
    "stability_under_paraphrase": ("protocols.estimators.paraphrase", "paraphrase"),
    "sensitivity_to_meaning": ("protocols.estimators.paraphrase", "paraphrase"),
    # A local model reads the reply, its own or another's: one pass, with all of these numbers.
    "read_logprob_sum": READ,
    "read_logprob_mean": READ,
    "read_perplexity": READ,
    "read_logprob_lowest_tenth": READ,
    "read_entropy_mean": READ,
    "read_self_certainty": READ,
    "read_self_certainty_shifted": READ,
    **{f"read_chow_quantile_{percent}": READ for percent in (0, 10, 25, 50, 75, 90)},
    "read_answer_probability": READ,
    "uqac": CHAIN,
    "uqac_answer_product": CHAIN,
    "uqac_answer_mean": CHAIN,
    "uqac_chain_product": CHAIN,
    "uqac_chain_mean": CHAIN,
    "uqac_kept_product": CHAIN,
    "uqac_kept_mean": CHAIN,
    "p_ik": ("protocols.estimators.p_ik", "p_ik"),
}
# What the scorer's model must be able to do, by function; others ask in words, or ask nothing.
NEEDS: dict[str, frozenset[str]] = {
    "p_true": frozenset({"choices"}),
    "p_true_own_samples": frozenset({"choices"}),
    "token_readouts": frozenset({"readouts"}),
    "attention_chain": frozenset({"readouts"}),
    "p_ik": frozenset({"readouts"}),
    "self_familiarity_forced": frozenset({"readouts"}),
}
# The same of an option that needs more than the function does without it.
NEEDS_OF_OPTION: dict[tuple[str, str, object], frozenset[str]] = {
    ("critique", "verdict", "scored"): frozenset({"choices", "prefill"}),
}
# As protocols they have the names of their functions, which stand in ids.
FUNCTIONS = {function: module for module, function in HOME.values()}


def estimator(name: str) -> Protocol:
    """Return the function that gives an estimator.  Raises StudyError if there is no such name."""
    if name not in HOME:
        near = difflib.get_close_matches(name, HOME, n=1)
        # All hundred names fill a screen, and a misspelt one needs one of them.
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(HOME))}"
        raise StudyError(f"there is no estimator {name!r}; {hint}")
    module, function = HOME[name]
    found: Protocol = getattr(import_module(module), function)
    return found


def estimators_for(capabilities: Set[str]) -> list[str]:
    """Return the estimators that a model with these capabilities allows, in the order of HOME."""
    return [
        name for name, (_, each) in HOME.items() if NEEDS.get(each, frozenset()) <= capabilities
    ]


def needs_of(protocol: Protocol, options: Mapping[str, object]) -> frozenset[str]:
    """Return what a function of ours with these options needs of the scorer's model."""
    function = getattr(protocol, "__name__", "")
    if FUNCTIONS.get(function) != protocol.__module__:
        return frozenset()
    more = (
        needs
        for (name, option, value), needs in NEEDS_OF_OPTION.items()
        if name == function and options.get(option) == value
    )
    return NEEDS.get(function, frozenset()).union(*more)


def names_of(function: str) -> tuple[str, ...]:
    """Return the estimators that a function gives, in the order of HOME."""
    return tuple(name for name, (_, each) in HOME.items() if each == function)
