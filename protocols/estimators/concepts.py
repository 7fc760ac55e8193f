"""Find the concepts that a question is about, and say how rare they are.

Self-familiarity (arXiv 2309.02654) takes concepts from its data, whose extractor was not released.
Ours are runs of neighbouring words of a question that are not common: neither among COMMON, nor
among the first `common` of a list of words that is given, the commonest first.  A capital letter
inside a sentence makes a word rare whatever the list says.  No list of English words comes with the
package: `words_of` orders the words of questions of your own by how many of these hold them.

The rarity of a word is exp(-rank / 100), of a capitalised or an unknown one exp(-words / 100), and
of a concept the product over its words: the smaller, the rarer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from arena.types import Subject

WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
# Between two words of one concept stands white space alone.
GAP = re.compile(r"[ \t]{1,2}")
SENTENCE_END = re.compile(r"[.!?:\n][\s\"'”)]*\Z")
RANKS_A_UNIT = 100
MOST_COMMON = 10_000
# Words of questions, beside those that only connect others.
CONNECTING = """
a about above after again against all also although always among an and another any are as at be
because been before being below between both but by can could did do does done during each either
else ever every few find first following for from further get give given had has have having he her
here hers him his how however i if in into is it its itself just know last least less let like many
may me mean might more most much must my name named near neither never next no none nor not now
number of off often on once one only or other others our out over own per please question right
said same say see she should since so some state still such tell than that the their them then
there these they thing this those three through to too true two under until up us use used very was
way we well were what when where whether which while who whom whose why will with within without
would wrong yes yet you your explain describe define answer compute calculate determine called
known type kind year years many long old big part
"""
COMMON = frozenset(CONNECTING.split())


def words_of(questions: Sequence[Subject], least: int = 1) -> list[str]:
    """Return the words that stand in at least `least` questions, the commonest first."""
    counts: Counter[str] = Counter()
    for question in questions:
        text = " ".join((question.text, *question.choices))
        counts.update({match[0].casefold() for match in WORD.finditer(text)})
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [word for word, count in ordered if count >= least]


def concepts_in(text: str, words: Sequence[str] = (), common: int = MOST_COMMON) -> list[str]:
    """Return the concepts of a question, each once, in the order in which they stand there."""
    frequent = COMMON | {word.casefold() for word in words[:common]}
    found: dict[str, str] = {}
    run: list[re.Match[str]] = []

    def end_run() -> None:
        """Keep the words since the last gap as one concept."""
        if run:
            concept = text[run[0].start() : run[-1].end()]
            found.setdefault(concept.casefold(), concept)
            run.clear()

    for match in WORD.finditer(text):
        if run and not GAP.fullmatch(text[run[-1].end() : match.start()]):
            end_run()
        if is_name(text, match) or match[0].casefold() not in frequent:
            run.append(match)
        else:
            end_run()
    end_run()
    return [concept for concept in found.values() if len(concept) > 1]


def is_name(text: str, match: re.Match[str]) -> bool:
    """Return whether a word has a capital letter that no beginning of a sentence explains."""
    before = text[: match.start()]
    begins = not before.strip() or SENTENCE_END.search(before) is not None
    return match[0][:1].isupper() and not begins and match[0] != "I"


def log_rarity(concept: str, words: Sequence[str]) -> float:
    """Return the logarithm of the rarity of a concept, up to 0: the lower, the rarer."""
    rank = {word.casefold(): place for place, word in reversed(list(enumerate(words)))}
    total = 0.0
    for match in WORD.finditer(concept):
        known = None if match[0][:1].isupper() else rank.get(match[0].casefold())
        total -= (len(words) if known is None else known) / RANKS_A_UNIT
    return total
