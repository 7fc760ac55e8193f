"""Answers of a vLLM server as it was seen to behave, for tests without one.

Words are tokens, and a message of the chat template has one more before and one behind it.
"""

from __future__ import annotations

import math
from typing import Any

from tests.fake_server import Fault, ReceivedRequest, ServerAnswer

# The token that ends a reply, and its text.
END = 1
END_TEXT = "</s>"
CONTINUED = "four, five."
ANEW = "One, two, three, four."


def answer(body: dict[str, Any], *, knows_flags: bool = True, counts: bool = True) -> ServerAnswer:
    """Answer a chat request; `knows_flags`: it continues a begun reply where it is told to.

    Without the flags a begun reply is ended, and a new one begins, at status 200.
    """
    goes_on = knows_flags and body.get("continue_final_message") is True
    if goes_on and body.get("add_generation_prompt", True):
        words = "Cannot set both `continue_final_message` and `add_generation_prompt` to True."
        return Fault("400", words)
    if not 0 <= body.get("seed", 0) < 2**63:
        return Fault("400", "seed: Input should be less than 9223372036854775808")
    # The end of the last message and the beginning of the next one, where there is one.
    tokens = sum(len(message["content"].split()) + 2 for message in body["messages"])
    tokens += -1 if goes_on else 1
    text = CONTINUED if goes_on else ANEW
    if body.get("prompt_logprobs") is not None:
        return scored(body, goes_on=goes_on)
    return {
        "model": body["model"],
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 2} if counts else None,
    }


def scored(body: dict[str, Any], *, goes_on: bool) -> dict[str, Any]:
    """Answer with the tokens of the prompt and their log probabilities: a token has one letter.

    A small letter is twice as likely as the next one, and all else has a probability of a tenth.
    """
    text = "".join(f"<{each['role']}>{each['content']}" for each in body["messages"])
    ids = [ord(letter) for letter in (text if goes_on else text + "<assistant>")]
    logprobs: list[dict[str, Any] | None] = [
        {str(id): {"logprob": -(id - 96) * math.log(2) if 96 < id < 123 else -math.log(10)}}
        for id in ids
    ]
    return {
        "model": body["model"],
        "choices": [{"message": {"content": "x"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": len(ids), "completion_tokens": 1},
        "prompt_token_ids": ids,
        "prompt_logprobs": [None, *logprobs[1:]],
    }


def tokens_of(text: str) -> list[int]:
    """Cut text into tokens of two letters; a model writes letter by letter."""
    pairs = [text[at : at + 2] for at in range(0, len(text), 2)]
    return [1000 * ord(pair[0]) + ord(pair[1]) if pair[1:] else ord(pair) for pair in pairs]


def text_of(ids: list[int]) -> str:
    """Return the text of tokens, the one that ends a reply included."""
    texts = [chr(id // 1000) + chr(id % 1000) if id >= 1000 else chr(id) for id in ids]
    return "".join(END_TEXT if id == END else text for id, text in zip(ids, texts, strict=True))


def told(received: ReceivedRequest) -> ServerAnswer:
    """Answer as vLLM does where tokens are asked for, at every path that has to do with them."""
    body = received.body
    if received.path == "/detokenize":
        return {"prompt": text_of(body["tokens"])}
    if received.path == "/tokenize":
        chat = "".join(f"<{each['role']}>{each['content']}" for each in body.get("messages", ()))
        chat += "<assistant>" if body.get("add_generation_prompt") else ""
        return {"tokens": tokens_of(body.get("prompt", chat))}
    if received.path == "/v1/completions":
        logprobs = {
            "tokens": [*CONTINUED],
            "token_logprobs": [-0.5 for _ in CONTINUED],
            "top_logprobs": [{letter: -0.5, "z": -2.0} for letter in CONTINUED],
        }
        choice = {"text": CONTINUED, "logprobs": None if body.get("logprobs") is None else logprobs}
    else:
        found = answer(body)
        if not isinstance(found, dict):
            return found
        choice = found["choices"][0]
        if choice["message"]["content"] != ANEW:
            return found
    said = choice.get("text") or choice["message"]["content"]
    choice |= {"finish_reason": "stop", "token_ids": [*map(ord, said), END]}
    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    return {"model": body["model"], "choices": [choice], "usage": usage}
