"""Keep keys out of everything that is written: find secrets and remove them from texts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from arena.errors import StudyError

NAME = re.compile(r"(KEY|KEY_ID|TOKEN|SECRET|PASSWORD|CREDENTIALS)$")
# Shorter values would be found in ordinary words.
SHORTEST = 8


def known_secrets() -> list[str]:
    """Return the values of all environment variables that may hold a key, the longest first.

    Values that are names of files are left out.
    """
    values = {value.strip() for name, value in os.environ.items() if NAME.search(name.upper())}
    return sorted(
        (value for value in values if len(value) >= SHORTEST and not os.path.exists(value)),
        key=len,
        reverse=True,
    )


def without_secrets(text: str) -> str:
    """Replace every known secret in a text by "[key]"."""
    for secret in known_secrets():
        text = text.replace(secret, "[key]")
    return text


def check_no_secret(texts: Iterable[str], what: str) -> None:
    """Raise StudyError if a text that would be stored holds a key of the environment.

    The message names `what` held it and does not repeat the key.
    """
    secrets = known_secrets()
    for text in texts:
        if any(secret in text for secret in secrets):
            raise StudyError(
                f"{what} holds the value of a key of the environment, and would be stored;"
                " keys belong into the environment alone"
            )
