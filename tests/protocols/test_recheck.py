"""`Arena.recheck` and `arena recheck`: what is asked again, what is compared, and what is said."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import agents
from agents.scripted import scripted_model
from analysis.reports.rechecks import ALPHA, describe_finding, recheck_findings
from arena.arena import Arena
from arena.cli.commands.recheck import describe_failures
from arena.cli.main import main
from arena.errors import RefusedError, StudyError
from arena.play.run import RunSelection
from arena.studies.motions import MOTIONS
from arena.studies.study import Arm, Study
from arena.tournaments.stored_requests import StoredRequest
from arena.types import Agent, Message, Request, Role, Subject, Turn
from protocols import laws
from protocols.debate import PRESETS, debate
from protocols.recheck import recheck
from tests.fake_agents import talk
from tests.fake_server import chat_server

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
def test_the_same_messages_are_asked_with_new_seeds_each_time(
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
    # Another one asks anew, as many as it is told to; then prompts come again.
    assert len(arena.recheck(study, calls=48, models={"scripted/echo": model})) == 1
    assert len(again) == 10 + 48
    # Both sides of a debate against itself open with the same prompt: two stored replies.
    assert len({request.messages for request in again[10:]}) == 24
    assert len({request.seed for request in again}) == 58
    assert not len(arena.sql("from leftovers"))
    first, second = recheck_findings(arena.path)
    assert (first.recheck, second.recheck) == (found.recheck, f"{found.recheck} (2)")
    assert (first.calls, second.calls) == (10, 48)
    sources = arena.sql("select source from subjects where text like 'stored request%'").rows
    assert len(set(sources)) == 32


@pytest.mark.slow
def test_one_that_is_not_through_goes_on_and_its_failed_calls_are_played_again_if_asked(
    arena: Arena, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = debates(speaker())
    refused = [True]

    def refuses(request: Request) -> str:
        if refused:
            raise RefusedError("not today")
        return speaker()(request)

    model = scripted_model(refuses, name="echo")

    def recheck_of(**given: Any) -> Study:
        return arena.recheck_study(study, models={"scripted/echo": model}, **given)

    first = recheck_of(calls=4)
    arena.run(first, selection=RunSelection(limit=2), watch=lambda stats: None)
    assert recheck_of(calls=4).name == first.name
    assert recheck_of(calls=5).name == f"{first.name} (2)"
    arena.run(first, watch=lambda stats: None)
    # All have failed: another one, unless they are to be played again.
    assert recheck_of(calls=4).name == f"{first.name} (2)"
    assert recheck_of(calls=4, retry_failed=True).name == first.name
    with pytest.raises(StudyError, match="has a failed or an open call: the last one is 'talks r"):
        recheck_of(calls=5, retry_failed=True)
    said = describe_failures(arena.path, first.name, 4)
    assert "4 calls failed, 4 of them with Refused: not today; to play them again" in said
    refused.clear()
    (found,) = arena.recheck(study, calls=4, models={"scripted/echo": model}, retry_failed=True)
    assert (found.recheck, found.calls) == (first.name, 4)
    with pytest.raises(StudyError, match="leave out --retry-failed"):
        recheck_of(calls=4, retry_failed=True)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"form": "chat"}, {"replies": "schema"}])
def test_a_server_that_continues_no_prefill_is_asked_what_it_was_asked(
    tmp_path: Path, options: dict[str, str]
) -> None:
    reply = {"thoughts": "Hm.", "speech": "It stands.", "rating": 60}
    tags = "".join(f"<{name}>{value}</{name}>" for name, value in reply.items())

    async def play() -> None:
        is_schema = options.get("replies") == "schema"
        async with chat_server(lambda body: json.dumps(reply) if is_schema else tags) as server:
            one = Agent("one", agents.model(f"http/one@{server.url}"))
            lineup = {"proposition": one, "opposition": one}
            arm = Arm("only", debate, [lineup], {**PRESETS["self"], **options})
            arena = Arena(tmp_path / "a.duckdb")
            await arena.play(Study("served", [arm], MOTIONS[:1]))
            before = len(server.requests)
            again = arena.recheck_study("served", calls=6, models={"http/one": one.model})
            summary = await arena.play(again)
            assert (summary.done, summary.failed) == (6, 0)
            asked, stored = (
                [each.body["messages"] for each in some]
                for some in (server.requests[before:], server.requests[:before])
            )
            assert len(asked) == 6
            assert all(messages in stored for messages in asked)

    asyncio.run(play())


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
    assert "talks has not been rechecked; nothing was asked" in capsys.readouterr().out
    assert main(["recheck", str(file), "--calls", "6", "--json", *db]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["model"], found["calls"], found["finding"]) == (
        "scripted/echo",
        6,
        "too few calls",
    )
    assert main(["recheck", "talks", "--show", "--json", *db]) == 0
    # The same words and the same power as when it was asked.
    assert json.loads(capsys.readouterr().out) == [found]
    assert found["sentence"].startswith(f"{found['model']} was rechecked on ")
    assert main(["recheck", str(file), "--batch", *db]) == 2
    assert "batch" in capsys.readouterr().err
    assert main(["recheck", str(file), "--cache", *db]) == 2
    assert "leave out --cache" in capsys.readouterr().err
