"""All views and canned queries of a store, and which of them a query needs.

A canned query is a question that researchers ask of such a record, in words, beside the view or
table macro that answers it.  The questions are those of the debates of arXiv 2505.19184, and some
that concern any record of model calls.  Tests, intervals and figures are for `arena report`; these
are sums, shares and means that one can read and change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from arena.store.views.base import RECORD_VIEWS, View
from arena.store.views.confidence import CONFIDENCE
from arena.store.views.contestants import CONTESTANT_VIEWS
from arena.store.views.debates import DEBATE_VIEWS
from arena.store.views.judges import JUDGES
from arena.store.views.labels import LABEL_VIEWS
from arena.store.views.outcomes import OUTCOME_VIEWS
from arena.store.views.places import PLACE_VIEWS
from arena.store.views.questions import QUESTION_VIEWS
from arena.store.views.readings import READING_VIEWS
from arena.store.views.record import RECORD
from arena.store.views.scores import SCORE_VIEWS
from arena.store.views.seats import SEAT_VIEWS

VIEWS: dict[str, View] = (
    READING_VIEWS
    | RECORD_VIEWS
    | SCORE_VIEWS
    | LABEL_VIEWS
    | CONTESTANT_VIEWS
    | DEBATE_VIEWS
    | OUTCOME_VIEWS
    | QUESTION_VIEWS
    | PLACE_VIEWS
    | SEAT_VIEWS
)
VIEW_QUESTIONS = {
    "confidence_by_round": "How sure of winning are debaters in each phase, by configuration?",
    "both_sides": "In how many debates are both sides sure of winning, above 75% say?",
    "ratings": "How sure was each debater in each of its turns?",
    "side_confidence": "How sure were both sides of the same debate, phase by phase?",
    "first_and_last": "How sure was each debater first and last, and how far did it rise?",
    "debaters": "Who sat on which side of each debate, against which model, and did it win?",
    "agents": "Which agents took part in each study, and what tells them apart?",
    "juries": "Which study judged the debates of which?",
    "labels": "What did people say of which debate, answer or turn?",
    "completeness": "What should be there, and is it?",
    "votes": "What did each judge vote, over both orders of the sides, and did it flip?",
    "outcomes": "Who won each judged debate, by the majority of votes and by confidence sum?",
    "leaderboard": "Which contestants win most, by the majority of votes?",
    "flips": "How often does a judge change the winner when the sides stand in the other order?",
    "cost": "What was spent on which model, seat and phase?",
    "batches": "Which batches were sent, how do they stand, and what did they cost?",
    "missing": "What is missing, and why?",
    "accuracy": "What share of questions is answered right, and at what cost?",
    "paths": "What did each path answer, and does the final answer agree?",
    "question_plays": "What came of each play of a question?",
    "who_saw_what": "Who was shown which words of whom?",
    "reading_places": "In which place of whose prompt did each turn stand?",
    "place_effects": "Is a reply that stands first, or last, in a prompt followed more often?",
    "accuracy_by_stage": "Do agents at a table get better from round to round?",
    "early_ends": "What would an end at the first agreement save, and what would it change?",
    "seat_turns": "What did each seat of any protocol do in each of its turns?",
    "seat_ratings": "How sure was each seat of any protocol in each of its turns, and how long?",
    "seat_confidence": "How sure are seats of any protocol by phase, and how many words do they"
    " speak?",
    "ballots": "What did each voter inside an episode vote for?",
    "ballot_counts": "How did the votes inside each episode end?",
    "candidates": "How many votes did each candidate get inside each episode?",
    "vote_shares": "Which contestants win most of the votes inside their episodes?",
}
CANNED: dict[str, View] = {
    **{name: replace(VIEWS[name], question=text) for name, text in VIEW_QUESTIONS.items()},
    **CONFIDENCE,
    **JUDGES,
    **RECORD,
}

# Every view of a store, in an order in which each reads only earlier ones.
ALL_VIEWS = VIEWS | CANNED
VIEW_DEPENDENCIES = {
    name: set(re.findall(r"\b(?:from|join)\s+(\w+)", view.sql)) & ALL_VIEWS.keys()
    for name, view in ALL_VIEWS.items()
}
# A query that looks at the catalogue, or puts a view's name together, needs all of them.
CATALOGUE = re.compile(
    r"duckdb_\w+|information_schema|pg_\w+|sqlite_master|\bshow\b|\bdescribe\b|\bdesc\b"
    r"|\bpragma\b|\bsummarize\b|\bquery(_table)?\s*\(",
    re.I,
)


def signature(name: str, view: View) -> str:
    """Return how a view or macro is called: its name, with its parameters if it has some."""
    return f"{name}({', '.join(view.parameters)})" if view.parameters else name


def statement(name: str, view: View, *, temporary: bool = False) -> str:
    """Return the SQL that makes a view or macro, for one connection only if it is temporary."""
    create = "create or replace temp" if temporary else "create or replace"
    if view.parameters:
        return f"{create} macro {signature(name, view)} as table {view.sql}"
    return f"{create} view {name} as {view.sql}"


def find_views(sql: str) -> tuple[str, ...]:
    """Return the views and macros that a query may need: those that its text names.

    A query that looks at the catalogue needs all of them.
    """
    return (
        tuple(ALL_VIEWS)
        if CATALOGUE.search(sql)
        else with_dependencies(re.findall(r"\w+", sql.lower()))
    )


def with_dependencies(names: Iterable[str]) -> tuple[str, ...]:
    """Return these views and macros with all that they read, each after what it reads.

    Names of anything else are left out.
    """
    needed: set[str] = set()
    waiting = set(names) & ALL_VIEWS.keys()
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting |= VIEW_DEPENDENCIES[name] - needed
    return tuple(name for name in ALL_VIEWS if name in needed)
