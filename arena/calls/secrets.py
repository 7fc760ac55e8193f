"""Keys are written nowhere: which words of the environment are secret, and how texts are freed of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from arena.errors import StudyError

NAME = re.compile(r"(KEY|KEY_ID|TOKEN|SECRET|PASSWORD|CREDENTIALS)$")
SHORTEST = 8


def known_secrets() -> list[str]:
    """The values of all environment variables that may hold a key, the longest first; names of files are none."""
    values = {value.strip() for name, value in os.environ.items() if NAME.search(name.upper())}
    return sorted(
        (value for value in values if len(value) >= SHORTEST and not os.path.exists(value)),
        key=len,
        reverse=True,
    )


def without_secrets(text: str) -> str:
    """The text with every known secret replaced by "[key]"."""
    for secret in known_secrets():
        text = text.replace(secret, "[key]")
    return text


def check_no_secret(texts: Iterable[str], what: str) -> None:
    """Raise StudyError, which does not repeat it, where a text that would be stored holds a key of the environment."""
    secrets = known_secrets()
    for text in texts:
        if any(secret in text for secret in secrets):
            raise StudyError(
                f"{what} holds the value of a key of the environment, and would be stored; keys belong into the environment alone"
            )
