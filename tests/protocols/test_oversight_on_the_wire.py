"""A debate about a hidden text over HTTP: who is sent it, and probabilities that are served."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

from agents import agent
from agents.simulated.passages import simulated_passages
from arena import Arena, Arm, Study
from protocols.oversight import judged_debate
from tests.fake_server import chat_server

(QUESTION,) = simulated_passages(1)
SPEECH = "<thoughts>t</thoughts><speech>words</speech><rating>60</rating>"


def letter(word: str, other: float) -> dict[str, Any]:
    """A reply of one letter with its log probability, and that of the other one."""
    near = [{"token": "A", "logprob": -0.2}, {"token": "B", "logprob": other}]
    token = {"token": word, "logprob": -0.2, "bytes": None, "top_logprobs": near}
    message = {"message": {"content": word}, "finish_reason": "stop"}
    return {"choices": [{**message, "logprobs": {"content": [token]}}]}


def answer(body: dict[str, Any]) -> object:
    """Speak as a side, or decide as a judge."""
    return letter("A", -1.8) if "Reply with A or B" in told(body) else SPEECH


def told(body: dict[str, Any]) -> str:
    """All words of a request as they came over the wire."""
    return "\n".join(str(message["content"]) for message in body["messages"])


def test_the_text_is_sent_to_those_who_argue_and_the_judge_goes_by_probabilities(
    tmp_path: Path,
) -> None:
    async def play() -> list[dict[str, Any]]:
        """Play one debate against a server on this machine."""
        async with chat_server(answer) as server:
            seats = dict.fromkeys(
                ("debater", "opponent", "judge"), agent(f"http/llama@{server.url}")
            )
            arm = Arm("d", judged_debate, [seats], {"rounds": 2, "verdict": "logprobs"})
            await Arena(tmp_path / "w.duckdb").play(Study("wire", [arm], [QUESTION]))
            return [request.body for request in server.requests]

    bodies = asyncio.run(play())
    judged = [body for body in bodies if "Reply with A or B" in told(body)]
    assert (len(bodies), len(judged)) == (6, 2)
    for body in bodies:
        assert (QUESTION.passage in told(body)) == (body not in judged)
        assert body.get("top_logprobs") == (5 if body in judged else None)
    arena = Arena(tmp_path / "w.duckdb")
    decisions = "select seat, answer, confidence, confidence_source from answers where not final"
    rows = arena.sql(decisions).rows
    share = 1 / (1 + math.exp(-1.6))
    assert [round(row[2], 6) for row in rows] == [round(share, 6)] * 2
    assert {row[3] for row in rows} == {"probability"}
    # A letter's favourite is another answer in the other order, so that nothing is decided.
    assert {row[1] for row in rows} == {"A", "B"}
    assert arena.sql("select confidence from answers where final").rows == ((0.5,),)
