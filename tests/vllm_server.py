"""Answers of a vLLM server as it was seen to behave, for tests without one.

Words are tokens, and a message of the chat template has one more before and one behind it.
"""

from __future__ import annotations

import math
from typing import Any

from tests.fake_server import Fault, ServerAnswer

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
