"""The most certain path and Borda votes, from measures that are replayed with their turns; proxies
go by their name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from arena import Arena, Arm, Study
from arena.types import Agent, Alternative, Reply, Request, TokenChoice
from protocols import laws
from protocols.best_of_n import best_of_n
from tests.question_agents import QUESTION, agent_with_capabilities, box, by_seed, final, play

# Whole stores are played and reported here, which takes seconds.
pytestmark = pytest.mark.slow


def certain(*said: tuple[object, float | None], can: str = "measures") -> Agent:
    """A solver whose path i gives this answer (None: nothing readable) with this self-certainty
    (None: no measures).
    """

    def script(request: Request) -> Reply:
        answer, certainty = said[int(request.place.seat.removeprefix("path"))]
        measures = (
            None
            if certainty is None
            else {"self_certainty_mean": certainty, "logprob_mean": -certainty}
        )
        return Reply("Who knows." if answer is None else box(answer), measures=measures)

    return agent_with_capabilities(script, can)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ([(5, 1.0), (4, 3.0), (5, 2.0)], "4"),
        ([(5, 1.0), (None, 9.0), (4, 2.0)], "4"),
        ([(5, 2.0), (4, 2.0)], "5"),
        ([(5, None), (4, 0.1)], "4"),
        ([(None, 2.0), (None, 3.0)], None),
    ],
)
def test_the_most_certain_answer_that_can_be_read_is_the_best(
    tmp_path: Path, said: list, answer: str | None
) -> None:
    arena = play(tmp_path / "a.duckdb", best_of_n, certain(*said), {"paths": len(said)})
    assert final(arena)[0::2] == (answer, None)
    asked_again = sum(value is None for value, _ in said)
    assert len(arena.sql("from calls")) == len(said) + asked_again


RANKED = [(7, 4.0), (5, 3.0), (5, 2.0), (5, 1.0)]  # Borda weights 4, 3, 2, 1 before the power


@pytest.mark.parametrize(
    ("said", "power", "answer", "share"),
    [
        (RANKED, 0.0, "5", 3 / 4),
        (RANKED, 1.0, "5", 6 / 10),
        (RANKED, 2.0, "7", 16 / 30),
        (RANKED, 100.0, "7", 1.0),
        ([(None, 4.0), (7, 3.0), (5, 2.0), (5, 1.0)], 1.0, "7", 3 / 10),
        ([(5, 2.0), (7, 2.0)], 0.0, "5", 1 / 2),
    ],
)
def test_a_borda_vote_weighs_ranks_by_a_power(
    tmp_path: Path, said: list, power: float, answer: str, share: float
) -> None:
    arena = play(
        tmp_path / "a.duckdb", best_of_n, certain(*said), {"paths": len(said), "power": power}
    )
    assert final(arena) == (answer, False, pytest.approx(share))


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_an_episode_that_is_continued_picks_the_same_answer(tmp_path: Path, cut: int) -> None:
    solver = certain((5, 1.0), (7, 4.0), (4, 3.0), (5, 2.0))
    left = cut

    async def cut_off(request: Request) -> str | None:
        nonlocal left
        left -= 1
        if left < 0:
            raise laws.PowerCutError("cut")
        return None

    study = [
        Study(
            "s",
            [Arm("a", best_of_n, [{"solver": replace(solver, model=model)}], {"paths": 4})],
            [QUESTION],
        )
        for model in (laws.ObservedModel(solver.model, cut_off), solver.model)
    ]
    arena = Arena(tmp_path / "a.duckdb")
    if cut < 4:
        with pytest.raises(laws.PowerCutError):
            arena.run(study[0])
    assert arena.run(study[1]).replayed == cut % 4
    assert final(arena)[0] == "7"


def test_a_reply_that_is_used_again_keeps_its_measures(tmp_path: Path) -> None:
    solver = certain((5, 1.0), (4, 3.0))
    arm = Arm("a", best_of_n, [{"solver": solver}], {"paths": 2})
    Arena(tmp_path / "a.duckdb").run(Study("one", [arm], [QUESTION]))
    again = Arena(tmp_path / "a.duckdb", cache=True)
    assert again.run(Study("two", [arm], [QUESTION])).cached == 2
    assert again.sql("select answer from answers where final").rows == (("4",),) * 2
    assert again.sql("select count(*) from measures").rows == ((8,),)


def served(request: Request) -> Reply:
    """path0 is likelier token by token, path1 is likelier against its alternatives; both only where
    log probabilities were asked for.
    """
    if request.sampling.logprobs is None:
        return Reply("nothing asked")
    first, second = {"path0": (-0.1, -0.2), "path1": (-0.3, -9.0)}[request.place.seat]
    likeliest = (Alternative("x", first), Alternative("y", second))[: request.sampling.logprobs]
    return Reply(
        box({"path0": 5, "path1": 4}[request.place.seat]),
        logprobs=(TokenChoice("x", first, likeliest),),
    )


@pytest.mark.parametrize(
    ("score", "answer", "phase"),
    [
        (None, "5", "path, for logprob_proxy"),
        ("logprob_proxy", "5", "path, for logprob_proxy"),
        ("top_k_proxy", "4", "path, for top_k_proxy"),
    ],
)
def test_log_probabilities_of_a_server_are_a_proxy_and_called_so(
    tmp_path: Path, score: str | None, answer: str, phase: str
) -> None:
    arena = play(
        tmp_path / "a.duckdb",
        best_of_n,
        agent_with_capabilities(served, "logprobs"),
        {"paths": 2, "score": score},
    )
    assert final(arena)[0] == answer
    assert arena.sql("select distinct phase from turns").rows == ((phase,),)
    names = {name for (name,) in arena.sql("select name from measures").rows}
    assert names == {"served_logprob_mean"} | (
        {"served_top_k_certainty_proxy_mean"} if score == "top_k_proxy" else set()
    )


@pytest.mark.parametrize(
    ("can", "score"), [((), None), ((), "top_k_proxy"), (("logprobs",), "self_certainty")]
)
def test_a_model_without_token_probabilities_is_refused_in_one_sentence(
    tmp_path: Path, can: tuple[str, ...], score: str | None
) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(
        Study(
            "s",
            [
                Arm(
                    "a",
                    best_of_n,
                    [{"solver": agent_with_capabilities(by_seed, *can)}],
                    {"score": score},
                )
            ],
            [QUESTION],
        )
    )
    ((kind, words),) = arena.sql("select error_kind, error from episodes").rows
    assert kind == "ProtocolError"
    assert "does not give what" in words
    assert len(arena.sql("from calls")) == 0


@pytest.mark.parametrize("can", ["measures", "logprobs"])
def test_a_model_that_was_asked_for_probabilities_and_gave_none_does_not_make_the_first_path_win(
    tmp_path: Path, can: str
) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(
        Study(
            "s",
            [
                Arm(
                    "a",
                    best_of_n,
                    [{"solver": agent_with_capabilities(by_seed, can)}],
                    {"paths": 2},
                )
            ],
            [QUESTION],
        )
    )
    ((kind, words),) = arena.sql("select error_kind, error from episodes").rows
    assert (kind, "gave none" in words) == ("ProtocolError", True)


def test_best_of_n_obeys_the_laws() -> None:
    def script(request: Request) -> Reply:
        return Reply(by_seed(request), measures={"self_certainty_mean": request.seed % 7 / 7})

    laws.check(
        best_of_n,
        {"solver": agent_with_capabilities(script, "measures")},
        QUESTION,
        options={"paths": 3, "power": 0.5},
    )


@pytest.mark.parametrize(
    ("options", "measure"),
    [
        ({}, "self_certainty_mean"),
        ({"score": "logprob_proxy"}, "logprob_mean"),
        ({"score": "top_k_proxy"}, "served_top_k_certainty_proxy_mean"),
    ],
)
def test_the_toy_model_is_ranked_by_each_score(
    tmp_path: Path, options: dict[str, object], measure: str
) -> None:
    pytest.importorskip("torch")
    from agents import agent
    from agents.toy.problems import sums
    from arena import Sampling

    toy = agent("toy/sum", sampling=Sampling(temperature=1.7, max_tokens=100))
    arena = play(tmp_path / "a.duckdb", best_of_n, toy, {"paths": 4, **options}, sums(1)[0])
    best = (
        f"from measures m join turns t using (episode, seat, step) where name = '{measure}' and"
        " t.answer is not null order by value desc"
    )
    assert arena.sql(f"select t.answer {best} limit 1").rows[0][0] == final(arena)[0]
