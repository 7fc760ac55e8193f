"""Answers of a vLLM server as it was seen to behave, for tests without one.

Words are tokens, and a message of the chat template has one more before and one behind it.
"""

from __future__ import annotations

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
    return {
        "model": body["model"],
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 2} if counts else None,
    }
