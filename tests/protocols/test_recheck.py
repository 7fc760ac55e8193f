"""`Arena.recheck` and `arena recheck`: what is asked again, what is compared, and what is said."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.scripted import scripted_model
from analysis.reports.rechecks import ALPHA, describe_finding, recheck_findings
from arena.arena import Arena
from arena.cli.main import main
from arena.errors import StudyError
from arena.studies.study import Arm, Study
from arena.tournaments.stored_requests import StoredRequest
from arena.types import Agent, Message, Request, Role, Subject, Turn
from protocols import laws
from protocols.recheck import recheck
from tests.fake_agents import talk

WORDS = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta"),
    *("eta", "theta", "iota", "kappa", "lambda", "mu"),
)
Speak = Callable[[Request], str]


def speaker(seen: list[Request] | None = None, *, words: int = 8, bias: int = 0) -> Speak:
    """A function that draws words and a rating by the seed, and notes what it was asked."""

    def speak(request: Request) -> str:
        if seen is not None:
            seen.append(request)
        rng = random.Random(request.seed)
        # In one order, so that a confused word shows.
        start = rng.randrange(words)
        said = " ".join((WORDS[:words] * 4)[start : start + 20])
        return f"{said}|{rng.randint(40, 60) + bias}"

    return speak


def debates(reply: Speak, n: int = 8) -> Study:
    """A study of `talk` in which one agent debates against itself."""
    same = Agent("echo", scripted_model(reply, name="echo"))
    lineup = {"proposition": same, "opposition": same}
    motions = [Subject(f"This house would test number {number}.") for number in range(n)]
    return Study("talks", [Arm("only", talk, [lineup], {"rounds": 2})], motions)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Request]]:
    """A store with eight debates, and what was asked in them."""
    seen: list[Request] = []
    path = tmp_path_factory.mktemp("played") / "a.duckdb"
    Arena(path).run(debates(speaker(seen)))
    return path, seen


@pytest.fixture
def arena(played: tuple[Path, list[Request]], tmp_path: Path) -> Arena:
    """The played store, as a copy of its own."""
    path = tmp_path / "a.duckdb"
    path.write_bytes(played[0].read_bytes())
    return Arena(path)


@pytest.mark.slow
def test_the_same_messages_are_asked_with_new_seeds_and_a_second_time_nothing(
    arena: Arena, played: tuple[Path, list[Request]]
) -> None:
    again: list[Request] = []
    before = arena.sql("select * from turns order by all").rows
    study = debates(speaker())
    model = scripted_model(speaker(again), name="echo")
    (found,) = arena.recheck(study, calls=10, models={"scripted/echo": model})
    assert found.calls == found.prompts == len(again) == 10
    stored = {(request.messages, request.sampling) for request in played[1]}
    assert {(request.messages, request.sampling) for request in again} <= stored
    assert not {request.seed for request in again} & {request.seed for request in played[1]}
    # Spread over the debates, and nothing is written into the study itself.
    sources = arena.sql("select source from subjects where text like 'stored request%'").rows
    assert len({source.partition("/")[0] for (source,) in sources}) == 8
    mine = (
        "select t.* from turns t join plays p using (episode) where p.study = 'talks' order by all"
    )
    assert arena.sql(mine).rows == before
    # Fewer calls ask nothing more, more calls only the others; then prompts come again.
    for calls, asked in ((5, 10), (20, 20), (48, 48)):
        arena.run(
            arena.recheck_study(study, calls=calls, models={"scripted/echo": model}),
            watch=lambda stats: None,
        )
        assert len(again) == asked
    # Both sides of a debate against itself open with the same prompt: two stored replies.
    assert len({request.messages for request in again}) == 24
    assert not len(arena.sql("from leftovers"))
    assert [each.recheck for each in recheck_findings(arena.path)] == [found.recheck]
    sources = arena.sql("select source from subjects where text like 'stored request%'").rows
    assert (len(set(sources)), len(sources)) == (32, 48)


@pytest.mark.parametrize("roles", [("user",), ("user", "assistant", "user")])
def test_the_protocol_obeys_the_laws_and_sends_the_messages_as_they_are(
    roles: tuple[Role, ...],
) -> None:
    messages = tuple(Message(role, f"Speak {n}.") for n, role in enumerate(roles))
    words = "\n".join(message.content for message in messages)
    said = Turn("e", "proposition", 0, "opening", 0, text="", public=words)
    seen: list[Request] = []
    request = StoredRequest(
        "stored request e/proposition/0",
        "debate",
        phase="opening",
        messages=messages,
        turns=(said,),
    )
    one = Agent("one", scripted_model(speaker(seen), name="one"))
    laws.check(recheck, {"speaker": one}, request)
    assert {each.messages for each in seen if not each.place.ask} == {messages}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "replies", "ratings"),
    [(speaker(), False, False), (speaker(words=12), True, False), (speaker(bias=9), True, True)],
)
def test_other_words_and_other_ratings_are_told_apart(
    arena: Arena, reply: Speak, replies: bool, ratings: bool
) -> None:
    model = scripted_model(reply, name="echo")
    (found,) = arena.recheck(
        "talks", calls=32, models={"scripted/echo": model}, studies=[debates(speaker())]
    )
    # Of a rating its digits are part of the reply.
    assert (found.p_replies <= ALPHA, found.p_ratings <= ALPHA) == (replies, ratings)
    assert found.verdict == ("changed" if replies or ratings else "held")
    assert f"since {found.since}" in describe_finding(found) or not (replies or ratings)
    assert found.ratings == 60


@pytest.mark.slow
def test_what_cannot_be_asked_is_named_and_nothing_is(arena: Arena) -> None:
    study = debates(speaker())
    other = Agent("other", scripted_model(speaker(), name="other"))
    moved = Arm("only", talk, [{"proposition": other, "opposition": other}])
    with pytest.raises(StudyError, match="scripted/echo cannot be asked by its name alone"):
        arena.recheck_study("talks", studies=[Study("talks", [moved], study.subjects)])
    with pytest.raises(StudyError, match="no request of nobody to ask again"):
        arena.recheck_study(study, only=["nobody"])
    with pytest.raises(StudyError, match="holds no episode of a study 'none'"):
        arena.recheck_study("none")
    with pytest.raises(StudyError, match="1 to 10,000 calls"):
        arena.recheck_study(study, calls=0)
    assert len(arena.sql("from studies")) == 1


@pytest.mark.slow
def test_the_command_estimates_asks_and_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "s.py"
    file.write_text(
        "from tests.protocols.test_recheck import debates, speaker\n"
        "def study():\n    return debates(speaker(), 4)\n"
    )
    db = ["--db", str(tmp_path / "a.duckdb")]
    assert main(["run", str(file), *db]) == 0
    capsys.readouterr()
    assert main(["recheck", str(file), "--calls", "6", "--dry-run", *db]) == 0
    assert "6 episodes to play, 6 calls" in capsys.readouterr().out
    assert main(["recheck", str(file), "--show", *db]) == 0
    assert "has not been rechecked" in capsys.readouterr().out
    assert main(["recheck", str(file), "--calls", "6", "--json", *db]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["model"], found["calls"], found["finding"]) == (
        "scripted/echo",
        6,
        "too few calls",
    )
    assert main(["recheck", "talks", "--show", *db]) == 0
    assert "was rechecked on" in capsys.readouterr().out
    assert main(["recheck", str(file), "--cache", *db]) == 2
    assert "leave out --cache" in capsys.readouterr().err
