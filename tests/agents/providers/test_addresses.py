"""Several addresses of one model: the least busy, sticky by episode, and others take over."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from agents import agent
from agents.providers import http_server
from agents.providers.http import http_model
from agents.providers.http_server import HttpServer, HttpServers
from arena.errors import StudyError, UnreachableError
from arena.tournaments.study_file import load_study
from arena.types import Request
from tests.arena.calls.test_outages import listening
from tests.fake_server import ChatServer
from tests.provider_faults import ask


def of_episode(episode: str) -> Request:
    request = ask()
    return replace(request, place=replace(request.place, episode=episode))


async def test_episodes_stay_where_the_fewest_calls_are_and_move_when_it_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_server, "FIRST_WAIT_S", 0.05)
    servers = [ChatServer(lambda received, name=name: name, latency_s=0.01) for name in "ab"]
    async with contextlib.AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(listening(server, 0)) for server in servers]
        urls = ",".join(f"http://127.0.0.1:{port}/v1" for port in ports)
        model = http_model(f"m@{urls}")
        # Neither the addresses nor their number are part of a name.
        assert model.name == http_model("m@http://127.0.0.1:1/v1").name
        names = [str(number) for number in range(6)]

        async def say(episode: str) -> str:
            return (await model(of_episode(episode))).text

        first = await asyncio.gather(*map(say, names))
        assert first.count("a") == first.count("b") == 3
        assert await asyncio.gather(*map(say, names)) == first
        await model.close()
    # Both are gone now; then the first is back, later the second.
    with pytest.raises(UnreachableError) as caught:
        await say("0")
    assert caught.value.server_down
    assert all(str(port) in str(caught.value.server) for port in ports)
    async with listening(servers[1], ports[1]):
        assert set(await asyncio.gather(*map(say, names))) == {"b"}
        async with listening(servers[0], ports[0]):
            # A probe is a call like any other, so that it needs no timer.
            async with asyncio.timeout(5):
                while await say("new") != "a":
                    pass
        await model.close()


def test_only_a_probe_makes_the_next_one_later(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(http_server, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    servers = HttpServers([HttpServer("m", f"http://127.0.0.1:{port}", 60) for port in (1, 2)])
    gone, there = servers.all
    # Many calls were on their way when it died.
    for _ in range(40):
        servers.note_gone(gone)
    asked = []
    while clock[0] < 160:
        clock[0] += 0.25
        # Of the calls that come at one time, one asks it.
        chosen = [servers.choose(f"{clock[0]} {number}") for number in range(5)]
        assert chosen.count(gone) <= 1
        assert chosen.count(there) >= 4
        if gone in chosen:
            asked.append(clock[0])
            servers.note_gone(gone)
    waits = [after - before for before, after in pairwise([100.0, *asked])]
    assert waits == pytest.approx([1, 2, 4, 8, 10, 10, 10, 10], abs=0.3)
    # Once it is back, new episodes begin where fewer calls are in flight, and the others stay.
    there.in_flight = 5
    old = [servers.choose(episode) for episode in ("x", "y")]
    assert old == [there, there]
    gone.note_answer()
    assert servers.choose("new") is gone
    assert [servers.choose(episode) for episode in ("x", "y")] == old
    assert servers.absences[0].until is not None


@pytest.mark.parametrize(
    "second", ["ftp://127.0.0.1/v1", "http://user:hunter2@127.0.0.1/v1", "127.0.0.1:3/v1", ""]
)
def test_every_address_is_checked_before_anything_is_sent(second: str) -> None:
    with pytest.raises(StudyError) as caught:
        agent(f"http/m@http://127.0.0.1:1/v1,http://127.0.0.1:2/v1,{second}")
    assert "hunter2" not in str(caught.value)


def test_an_option_may_list_models_with_several_addresses(tmp_path: Path) -> None:
    file = tmp_path / "s.py"
    file.write_text(
        "from arena import Arm, Study, Subject\nfrom agents import agent\n"
        "from protocols.debate import debate\nfrom arena import against_itself\n"
        "def study(models: list[str]) -> Study:\n"
        "    agents = [agent(m, name=str(i)) for i, m in enumerate(models)]\n"
        "    return Study('s', [Arm('a', debate, against_itself(agents))], [Subject('m')])\n"
    )
    two = "http/a@http://127.0.0.1:1/v1,http://127.0.0.1:2/v1"
    study = load_study(file, [f"models={two},sim/modest"])
    assert [len(arm.lineups) for arm in study.arms] == [2]
