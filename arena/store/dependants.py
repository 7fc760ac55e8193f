"""Say which episodes mean nothing without another one: those that judge, score or ask about it."""

from __future__ import annotations

# The source of a subject is the episode that it was made of, or one of its turns,
# EPISODE/SEAT/STEP.
DEPENDANTS = """
    select episode, parent from (
        select p.episode, unnest([s.source, regexp_replace(s.source, '/[^/]*/[0-9]+$', '')])
            as parent
        from {plays} p join {subjects} s using (subject) where s.kind in ('debate', 'replies'))
    where parent is not null
    union select episode, debate from {rulings}
    union select scoring, episode from {scores}
    union select episode, parent from {plays} where parent is not null
"""


def dependants(
    plays: str = "plays",
    subjects: str = "subjects",
    rulings: str = "rulings",
    scores: str = "scores",
) -> str:
    """Return SQL for the columns `episode` and `parent`, the episode that it hangs on.

    The tables are names or selects in brackets.
    """
    return DEPENDANTS.format(plays=plays, subjects=subjects, rulings=rulings, scores=scores)
