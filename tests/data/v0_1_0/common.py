"""What the maker of these stores and the test that reads them share; nothing here needs the arena.

A server on loopback that answers chat completions, each reply a function of the request alone, and
the form in which results of queries are compared.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Answer = tuple[int, dict[str, Any]] | None
LONG = 48
NOTHING: Mapping[str, str] = {}
# What must not differ between two plays of the same study, whenever they were played.
WORDS = (
    "episode, seat, step, phase, round, asks, text, reask_prompt, reask_text, public, thoughts,"
    " confidence, confidence_status, rating_public, answer, flags, request_hash, prompt, prefill,"
    " seed, sample_key, finish_reason, model_served, public_status"
)
SIDE = re.compile(r"You are debating the motion below as the (\w+)\.")
PHASE = re.compile(r"Now is your (\w+) speech\.")
MOTION = re.compile(r"^Motion: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Asked:
    """Say what a request is about: the motion, phase and side of a debate, "" in others."""

    words: str
    motion: str
    phase: str
    side: str
    again: bool
    seed: int

    @classmethod
    def of(cls, body: Body) -> Asked:
        """Read it out of the body of a request; `again`: an unreadable reply came before."""
        users = [message["content"] for message in body["messages"] if message["role"] == "user"]
        found = [pattern.search(users[0]) for pattern in (MOTION, PHASE, SIDE)]
        motion, phase, side = (match[1] if match else "" for match in found)
        again = any(message["role"] == "assistant" for message in body["messages"])
        return cls(users[-1], motion, phase, side, again, body["seed"])


def draw(*words: object) -> int:
    """Draw a number that belongs to these words."""
    return int(hashlib.sha256(repr(words).encode()).hexdigest()[:8], 16)


def words_for(asked: Asked) -> str:
    """Say what the server answers: a speech with its rating, an answer in a box, or a rating."""
    rating = f"<rating>{50 + draw('rating', asked.seed) % 46}%</rating>"
    if asked.again:
        return rating
    if asked.side:
        unreadable = "unreadable" in asked.motion and asked.phase == "opening"
        if unreadable and asked.side == "proposition":
            rating = "I would rather not say."
        thoughts = f"<thoughts>Thought number {asked.seed}.</thoughts>"
        speech = f"<speech>The {asked.phase} speech of the {asked.side}, number {asked.seed}, with"
        return (
            f"{thoughts}\n{speech}{' a word' * (draw('words', asked.seed) % 9)}.</speech>\n{rating}"
        )
    answer = "ABC"[draw("option", asked.seed) % 3] if "A) " in asked.words else "42"
    return f"Reason number {asked.seed}. \\boxed{{{answer}}}"


def usual(body: Body) -> Answer:
    """Answer a request as it should be."""
    text = words_for(Asked.of(body))
    tokens_in = sum(len(message["content"]) for message in body["messages"]) // 4
    usage = {"prompt_tokens": tokens_in, "completion_tokens": len(text) // 4}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    served = f"{body['model']}-2026-01"
    return 200, {"model": served, "choices": [choice | {"finish_reason": "stop"}], "usage": usage}


@dataclass
class Server:
    """Hold the address of a server, the bodies that it was sent, and how many wait for ever."""

    url: str
    requests: list[Body] = field(default_factory=list)
    waiting: int = 0


@contextmanager
def serving(policy: Callable[[Body], Answer] = usual) -> Iterator[Server]:
    """Run a server on a free port of loopback; where `policy` gives None, it never answers."""
    lock, over = threading.Lock(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        """Answer one connection."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Answer one request."""
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                served.requests.append(body)
                answer = policy(body)
                served.waiting += answer is None
            if answer is None:
                over.wait()
                self.close_connection = True
                return
            content = json.dumps(answer[1]).encode()
            head = f"HTTP/1.1 {answer[0]} As told\r\nContent-Type: application/json\r\n"
            self.wfile.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served = Server(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def as_json(names: Iterable[str], columns: Mapping[str, str] = NOTHING) -> str:
    """Write the query that gives all rows of these tables and views, as (name, row in JSON).

    `columns` names for some of them those that are wanted.
    """
    return " union all ".join(
        f"select '{name}', to_json(t)::varchar from (select {columns.get(name, '*')} from {name}) t"
        for name in names
    )


def tables(rows: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Give what `as_json` found as it is kept: by name, columns and rows in an order of ours."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, row in rows:
        found[name].append(json.loads(row))
    return {name: chosen(list(listed[0]), listed) for name, listed in found.items()}


def chosen(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Give these columns of the rows, in an order that depends on nothing else."""
    cells = ([plain(row[column]) for column in columns] for row in rows)
    return {"columns": list(columns), "rows": sorted(cells, key=place_of)}


def plain(value: Any) -> Any:
    """Give a cell as it is, and of each long text in it its length and its hash."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, str) and len(value) > LONG:
        return f"{len(value)} characters, {hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return value


def place_of(row: Sequence[object]) -> str:
    """Tell where a row stands among others: by its cells, fractions without their noise."""
    return json.dumps([round(cell, 6) if isinstance(cell, float) else cell for cell in row])
