"""Rank many chains of thought by how certain the model was of its tokens.

"Scalable Best-of-N Selection for Large Language Models via Self-Certainty", Zhewei Kang, Xuandong
Zhao and Dawn Song, arXiv 2502.18581.

Self-certainty is the mean over tokens of KL(U || p), from the whole distribution; local models
measure it.  Kept from the released code: the best of n is the most certain answer that can be read;
in the Borda vote the path of rank r, 1 the most certain, has the weight (n - r + 1)^p; a path that
cannot be read keeps its rank and casts no vote; equal ones go to the lower index.  p = 0 is the
majority, and a larger p comes nearer to the most certain.  Different: the formula of the paper,
without the shift by one token of the released script.

Ours: two stand-ins for servers that give log probabilities only.  `logprob_proxy` is the mean log
probability of the tokens drawn; `top_k_proxy` the same divergence over the k likeliest tokens
alone.  They are not the paper's, and are called proxies wherever they are shown: in the phase of
the paths, and as `served_...` in `measures`.  Also ours: the number of paths, and the confidence of
a vote (its share of weight).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from annotated_types import Ge, Le

from arena.calls.token_measures import SERVED_LOGPROB, TOP_K_PROXY
from arena.errors import ProtocolError
from arena.play.episode import Episode
from arena.types import Agent, Answer, Sampling, Seat, Subject, Turn
from protocols.asking import answers, check_calls, final_answer, sample_paths, votes, winner

VERSION = "1"

Score = Literal["self_certainty", "logprob_proxy", "top_k_proxy"]
MEASURES: dict[Score, str] = {
    "self_certainty": "self_certainty_mean",
    "logprob_proxy": SERVED_LOGPROB,
    "top_k_proxy": TOP_K_PROXY,
}


async def best_of_n(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    paths: Annotated[int, Ge(1)] = 16,
    power: Annotated[float, Ge(0), Le(100)] | None = None,
    score: Score | None = None,
    alternatives: Annotated[int, Ge(2), Le(20)] = 5,
    reask: bool = True,
) -> list[Answer]:
    """Return the most certain of `paths` answers, or with `power` the winner of their Borda vote.

    `power` is p of the Borda weights (0.5 by default in the released code); None takes the most
    certain answer.  `score` ranks the paths; None is self_certainty if the model measures it, else
    logprob_proxy.  `alternatives` is the k of top_k_proxy.  `reask` asks a path once
    more where no answer can be read; its first reply is the one that is ranked.

    Raises ProtocolError if the model gives nothing to rank the paths by, or did not although it
    says that it does.
    """
    by = score_for(solver.agent, score)
    # The score stands in the phase, so that a proxy is called a proxy in every stored turn.
    phase = f"path, for {by}"
    sampling = sampling_for(solver.agent, by, alternatives)
    turns = await sample_paths(
        episode, question, solver, paths, phase=phase, sampling=sampling, reask=reask
    )
    check_measured(turns, MEASURES[by], solver.agent)
    ranking = most_certain_first(turns, MEASURES[by])
    # The most certain answer was not voted for, so that it has no share and no confidence.
    if power is None:
        best, share = next((i for i in ranking if turns[i].answer is not None), None), None
    else:
        weights = [0.0] * paths
        for rank, i in enumerate(ranking, 1):
            # Divided by n before the power, unlike the paper: shares are the same, and no power of
            # many paths can overflow.
            weights[i] = ((paths - rank + 1) / paths) ** power
        best, share = winner(votes(turns, question), weights)
    return [*answers(turns), final_answer(solver, turns, best, share)]


def score_for(agent: Agent, score: Score | None) -> Score:
    """Return the score by which to rank.  Raises ProtocolError if the model does not give it."""
    can = agent.model.capabilities
    chosen: Score = score or ("self_certainty" if "measures" in can else "logprob_proxy")
    if ("measures" if chosen == "self_certainty" else "logprobs") not in can:
        remedy = "a model that gives token probabilities: a local one, or a server's"
        if "logprobs" in can:
            remedy = "score='logprob_proxy'"
        name = agent.model.name
        raise ProtocolError(
            f"{name} does not give what {chosen} is read off; rank its paths by {remedy}"
        )
    return chosen


def sampling_for(agent: Agent, score: Score, alternatives: int) -> Sampling | None:
    """Return the agent's sampling with the log probabilities that a proxy needs.

    None, for the agent's own, if the score needs none.
    """
    if score == "self_certainty":
        return None
    # 0 asks for the drawn token alone.  An agent that already asks for more keeps its number.
    needed = alternatives if score == "top_k_proxy" else 0
    return replace(agent.sampling, logprobs=max(needed, agent.sampling.logprobs or 0))


def check_measured(paths: Sequence[Turn], measure: str, agent: Agent) -> None:
    """Raise ProtocolError if there are answers and none of them has the measure.

    The first path would win for no reason.
    """
    readable = [turn for turn in paths if turn.answer is not None]
    if readable and not any(turn.measures and measure in turn.measures for turn in readable):
        raise ProtocolError(
            f"{agent.model.name} was asked for token probabilities and gave none, so no path has a"
            f" {measure}"
        )


def most_certain_first(paths: Sequence[Turn], measure: str) -> list[int]:
    """Return the indices of the paths by falling measure, equal ones by index, the rest last."""

    def certainty(i: int) -> float:
        return (paths[i].measures or {}).get(measure, float("-inf"))

    # sorted is stable, with reverse too: equal certainties stay in the order of their indices.
    return sorted(range(len(paths)), key=certainty, reverse=True)


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make `calls` calls a question.  Raises StudyError below one."""
    check_calls(calls, 1, "best_of_n needs a path")
    return {"paths": calls}
