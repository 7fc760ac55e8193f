"""Find words between two tags of one name, such as <question> and </question>.

Case does not matter, and tags do not nest: a tag that opens again begins anew.  A text is read in
time that grows with its length alone, however many tags are left open.
"""

from __future__ import annotations

import re
from functools import lru_cache


def tagged(text: str, name: str) -> list[str]:
    """Return the stripped words of every closed pair of tags, in order."""
    opening, closing = tags_of(name)
    found = []
    # What stands before the first opening tag belongs to none.
    for piece in opening.split(text)[1:]:
        words = closing.split(piece, maxsplit=1)
        if len(words) == 2:
            found.append(words[0].strip())
    return found


@lru_cache(maxsize=32)
def tags_of(name: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what an opening and a closing tag look like."""
    word = re.escape(name)
    return (
        re.compile(rf"<{word}>", re.IGNORECASE),
        re.compile(rf"</{word}>", re.IGNORECASE),
    )
