"""A server on 127.0.0.1 with the chat APIs of five providers, for tests and benchmarks.

It speaks chat completions, Responses, Anthropic's Messages, Gemini and Bedrock.

In a test: `async with chat_server(reply, latency_s=0.1) as server`, then
`http/<any>@{server.url}`.  As a process of its own: `python tests/fake_server.py --latency 1
--numbered --log FILE` prints its address on the first line of stdout.  HTTP/1.1 with keep-alive is
written by hand, since faults such as a cut body are easy that way, and since it must be cheap
compared with the client that is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
}
HUGE_BYTES = 9 * 2**20


@dataclass(frozen=True)
class Fault:
    """What the server does instead of answering well.

    `kind` is "429", "429-after" (with a Retry-After header), any other status as digits, or
    "reset", "truncated", "bad json", "hang", "slow body", "empty text", "wrong schema", "huge",
    "invalid utf-8", "length" (no text, all tokens used).  `text` is the server's word,
    at a status of 3xx the Location.
    """

    kind: str
    text: str = "out of order"
    retry_after: str = "2"


@dataclass(frozen=True)
class ReceivedRequest:
    """A request: number (from 1), time (monotonic s), JSON body, headers by lower-case name."""

    number: int
    at_s: float
    body: dict[str, Any]
    headers: dict[str, str]
    sha256: str
    path: str = "/v1/chat/completions"


ServerAnswer = str | dict[str, Any] | Fault
AnswerFunction = Callable[[ReceivedRequest], ServerAnswer]


@dataclass
class ChatServer:
    """A running server: its base url, its requests in order, its open and total connections.

    `forgets`: nothing that was received is kept, so that a long benchmark does not slow it down.
    """

    answer: AnswerFunction
    latency_s: float | Callable[[dict[str, Any]], float] = 0.0
    log: int | None = None
    first: int = 1
    discard_requests: bool = False
    url: str = ""
    count: int = 0
    requests: list[ReceivedRequest] = field(default_factory=list)
    connections_made: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after another."""
        self.connections_made += 1
        self.open.add(writer)
        try:
            while await self.serve_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; returns whether the connection goes on."""
        request_line, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        headers = {
            k.decode("latin-1").lower(): v.strip().decode("latin-1")
            for k, _, v in (line.partition(b":") for line in lines)
        }
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        method, _, path = request_line.decode("latin-1").removesuffix(" HTTP/1.1").partition(" ")
        if method != "POST" or form_of(path) is None:
            writer.write(response(404, error_body(f"there is only POST to {', '.join(FORMS)}")))
            await writer.drain()
            return True
        number = self.first + self.count
        self.count += 1
        received = ReceivedRequest(
            number,
            time.monotonic(),
            orjson.loads(raw),
            headers,
            hashlib.sha256(raw).hexdigest(),
            path,
        )
        if not self.discard_requests:
            self.requests.append(received)
        self.note("request", received)
        latency_s = self.latency_s(received.body) if callable(self.latency_s) else self.latency_s
        if latency_s:
            await asyncio.sleep(latency_s)
        answer = self.answer(received)
        if isinstance(answer, Fault):
            return await play(answer, received, reader, writer)
        if writer.is_closing() or reader.at_eof():
            return False
        writer.write(
            response(
                200,
                orjson.dumps(answer if isinstance(answer, dict) else answer_body(answer, received)),
            )
        )
        await writer.drain()
        self.note("reply", received)
        return True

    def note(self, event: str, received: ReceivedRequest) -> None:
        """Append a line to the log file, where there is one."""
        if self.log is not None:
            line = {
                "event": event,
                "number": received.number,
                "sha256": received.sha256,
                "at": time.time(),
            }
            os.write(self.log, orjson.dumps(line) + b"\n")


def response(status: int, body: bytes, extra: str = "", length: int | None = None) -> bytes:
    """Return an HTTP answer; `extra` are header lines, `length` a false content length."""
    head = (
        f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\nContent-Type:"
        f" application/json\r\n{extra}"
    )
    return (
        f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode("latin-1")
        + body
    )


def error_body(text: str) -> bytes:
    """An error document of OpenAI's form."""
    return orjson.dumps({"error": {"message": text, "type": "server_error", "code": None}})


def form_of(path: str) -> Callable[..., dict[str, Any]] | None:
    """The function that writes answers in the form of an API, found by the end of its path."""
    return next((form for end, form in FORMS.items() if path.partition("?")[0].endswith(end)), None)


def answer_body(
    text: str | None, received: ReceivedRequest, *, cut: bool = False
) -> dict[str, Any]:
    """Return a whole answer in a form; `cut`: all tokens were used up.  Words are tokens."""
    body = received.body
    contents = [m["content"] for m in body.get("messages") or body.get("input") or ()]
    said = [
        piece
        for content in contents
        for piece in (
            # An image has no words.
            [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        )
    ]
    said += [part["text"] for m in body.get("contents", ()) for part in m["parts"]]
    form = form_of(received.path)
    assert form is not None
    return form(
        text, received, sum(len(words.split()) for words in said), len((text or "").split()), cut
    )


def response_object(
    text: str | None, received: ReceivedRequest, tokens_in: int, tokens_out: int, cut: bool
) -> dict[str, Any]:
    """An answer of OpenAI's Responses API."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    return {
        "id": f"resp_{received.number}",
        "object": "response",
        "created_at": int(time.time()),
        "model": received.body["model"],
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": []
        if text is None
        else [message | {"content": [{"type": "output_text", "text": text, "annotations": []}]}],
        "usage": {
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
    }


def message_object(
    text: str | None, received: ReceivedRequest, tokens_in: int, tokens_out: int, cut: bool
) -> dict[str, Any]:
    """An answer of Anthropic's Messages API."""
    return {
        "id": f"msg_{received.number}",
        "type": "message",
        "role": "assistant",
        "model": received.body["model"],
        "content": [] if text is None else [{"type": "text", "text": text}],
        "stop_reason": "max_tokens" if cut else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": tokens_in, "output_tokens": tokens_out},
    }


def candidates(
    text: str | None, received: ReceivedRequest, tokens_in: int, tokens_out: int, cut: bool
) -> dict[str, Any]:
    """An answer of Gemini's generateContent."""
    content = {"role": "model", "parts": [] if text is None else [{"text": text}]}
    usage = {
        "promptTokenCount": tokens_in,
        "candidatesTokenCount": tokens_out,
        "totalTokenCount": tokens_in + tokens_out,
    }
    finish = "MAX_TOKENS" if cut else "STOP"
    return {
        "candidates": [{"content": content, "finishReason": finish, "index": 0}],
        "usageMetadata": usage,
        "modelVersion": "gemini-served",
    }


def converse_object(
    text: str | None, received: ReceivedRequest, tokens_in: int, tokens_out: int, cut: bool
) -> dict[str, Any]:
    """An answer of Bedrock's Converse."""
    content = {"role": "assistant", "content": [] if text is None else [{"text": text}]}
    usage = {
        "inputTokens": tokens_in,
        "outputTokens": tokens_out,
        "totalTokens": tokens_in + tokens_out,
    }
    return {
        "output": {"message": content},
        "stopReason": "max_tokens" if cut else "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 1},
    }


def completion(
    text: str | None, received: ReceivedRequest, tokens_in: int, tokens_out: int, cut: bool
) -> dict[str, Any]:
    """A chat completion of OpenAI's form."""
    finish_reason = "length" if cut else "stop"
    return {
        "id": f"chatcmpl-{received.number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": received.body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
    }


FORMS: dict[str, Callable[..., dict[str, Any]]] = {
    "/chat/completions": completion,
    "/v1/completions": completion,
    "/tokenize": completion,
    "/detokenize": completion,
    "/responses": response_object,
    "/messages": message_object,
    ":generateContent": candidates,
    "/converse": converse_object,
}


async def play(
    fault: Fault,
    received: ReceivedRequest,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bool:
    """Do what the fault says; returns whether the connection goes on."""
    whole = orjson.dumps(answer_body("a speech that will never be whole", received))
    answers = {
        "429-after": response(429, error_body(fault.text), f"Retry-After: {fault.retry_after}\r\n"),
        "bad json": response(200, b'{"choices": [' + fault.text.encode()),
        "empty text": response(200, orjson.dumps(answer_body(" \n", received))),
        "length": response(200, orjson.dumps(answer_body(None, received, cut=True))),
        "wrong schema": response(200, orjson.dumps({"object": "list", "data": [fault.text]})),
        "invalid utf-8": response(200, whole.replace(b"speech", b"spee\xff\xfeh")),
    }
    if fault.kind.isdigit():
        location = f"Location: {fault.text}\r\n" if fault.kind.startswith("3") else ""
        writer.write(response(int(fault.kind), error_body(fault.text), location))
    elif fault.kind in answers:
        writer.write(answers[fault.kind])
    elif fault.kind == "huge":
        writer.write(response(200, orjson.dumps(answer_body("x" * HUGE_BYTES, received))))
    elif fault.kind == "truncated":
        writer.write(response(200, whole[:-20], length=len(whole)))
    elif fault.kind == "reset":
        # With a linger of zero seconds the kernel sends RST instead of closing politely.
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()
    elif fault.kind == "hang":
        await reader.read()
    elif fault.kind == "slow body":
        writer.write(response(200, whole[:1], length=len(whole)))
        for byte in whole[1:]:
            await asyncio.sleep(0.05)
            writer.write(bytes([byte]))
            await writer.drain()
    else:
        raise ValueError(f"there is no fault {fault.kind!r}")
    await writer.drain()
    return fault.kind not in ("truncated", "reset", "hang", "slow body")


@asynccontextmanager
async def running(server: ChatServer) -> AsyncIterator[ChatServer]:
    """Listen on a free port of 127.0.0.1; at the end all connections are cut."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=2048)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
        for writer in list(server.open):
            writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def chat_server(
    reply: Callable[[dict[str, Any]], ServerAnswer],
    *,
    latency_s: float | Callable[[dict[str, Any]], float] = 0.0,
) -> AsyncIterator[ChatServer]:
    """A server in this event loop.

    `reply` gets the request's JSON body and returns the text of the reply, a whole JSON document,
    or a Fault; `latency_s` is the time in seconds before it answers, or a function of the body.
    Yields the server: `url`, `requests` (in order, with time), `connections_made`,
    `open` (connections).
    """
    async with running(ChatServer(lambda received: reply(received.body), latency_s)) as server:
        yield server


@contextmanager
def chat_process(*arguments: str) -> Iterator[str]:
    """Start a server process with these command-line arguments, and yield its url."""
    with subprocess.Popen(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def numbered_reply(received: ReceivedRequest) -> str:
    """Return a valid reply that carries the request's number, which no other reply has.

    It is a speech in a debate, the verdict of a judge, or a turn of LeaP in segments.
    """
    n = received.number
    body = orjson.dumps(received.body)
    if b"<winner>" in body:
        winner = ("proposition", "opposition")[n % 2]
        return f"<reasons>speech-{n}</reasons>\n<winner>{winner}</winner>\n<rating>70</rating>"
    if b"<summarize>" in body:
        # A box would end the path.
        box = f"\\boxed{{{n % 7}}} " if b"this is your last turn" in body else ""
        return f"private-{n} {box}<summarize>speech-{n}</summarize>"
    return f"<thoughts>private-{n}</thoughts>\n<speech>speech-{n}</speech>\n<rating>70</rating>"


def repeatable_reply(received: ReceivedRequest) -> str:
    """Return a valid debate reply, or verdict for a judge, that depends on the request alone."""
    word = received.sha256[:12]
    if b"<winner>" in orjson.dumps(received.body):
        winner = ("proposition", "opposition")[int(word, 16) % 2]
        words = f"<reasons>reasons-{word}</reasons>\n<winner>{winner}</winner>"
    else:
        words = f"<thoughts>private-{word}</thoughts>\n<speech>speech-{word}</speech>"
    return f"{words}\n<rating>{50 + int(word, 16) % 51}</rating>"


def echoing_reply(received: ReceivedRequest) -> str:
    """Return a valid debate reply of a hostile server, which repeats the key that it was sent."""
    names = ("authorization", "x-api-key", "x-goog-api-key")
    keys = " ".join(received.headers[name] for name in names if name in received.headers)
    return (
        f"<thoughts>I have {keys} and {received.path}</thoughts><speech>Your key is"
        f" {keys}.</speech><rating>70</rating>"
    )


def of_length(words: int) -> AnswerFunction:
    """Return a function of valid replies of about so many words, for benchmarks."""
    sentence = "The motion stands because nobody has shown that it falls. "
    speech = " ".join((sentence * words).split(" ")[: max(words - 7, 0)])

    def answer(received: ReceivedRequest) -> str:
        """One reply."""
        word = received.sha256[:12]
        rating = 50 + int(word, 16) % 51
        return (
            f"<thoughts>It stands well, {word}.</thoughts>\n<speech>{speech}"
            f" {word}</speech>\n<rating>{rating}</rating>"
        )

    return answer


async def serve_for(server: ChatServer, max_s: float) -> None:
    """Print the server's address and serve until the time is up."""
    async with running(server):
        print(server.url, flush=True)
        await asyncio.sleep(max_s)


def main() -> None:
    """Serve as the command line says.  A log that exists is continued, and so are its numbers."""
    parser = argparse.ArgumentParser(
        description="Serve chat completions on 127.0.0.1; the address is the first line printed."
    )
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="S", help="seconds before each answer"
    )
    parser.add_argument(
        "--numbered",
        action="store_true",
        help="every reply carries a fresh number; otherwise it depends on the request",
    )
    parser.add_argument(
        "--echo-keys", action="store_true", help="every reply repeats the key that it was sent"
    )
    parser.add_argument(
        "--words",
        type=int,
        metavar="N",
        help="replies of about N words; requests are forgotten at once (for benchmarks)",
    )
    parser.add_argument(
        "--log",
        metavar="FILE",
        help="append a JSON line for each request received and each reply handed to the socket",
    )
    parser.add_argument(
        "--max-s",
        type=float,
        default=120.0,
        metavar="S",
        help="stop by itself after this many seconds",
    )
    options = parser.parse_args()
    log, first = None, 1
    if options.log:
        log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        with open(options.log, "rb") as lines:
            first += sum(1 for _ in lines)
    answer = (
        numbered_reply
        if options.numbered
        else echoing_reply
        if options.echo_keys
        else of_length(options.words)
        if options.words
        else repeatable_reply
    )
    asyncio.run(
        serve_for(
            ChatServer(answer, options.latency, log, first, discard_requests=bool(options.words)),
            options.max_s,
        )
    )


if __name__ == "__main__":
    main()
