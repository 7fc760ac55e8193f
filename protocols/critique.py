"""Let a model criticise a stored reply, or its own candidates before it votes again.

"Critique Ability of Large Language Models" (CriticBench), Liangchen Luo et al., arXiv 2310.04815.

Kept: a critic is shown a question and a reply, looks for flaws step by step after examples that do
so, and ends with a verdict, right or wrong, which alone is scored (`critique`, an estimator; the
same agent as critic and author is self-critique); self-consistency with a self-check
(`self_check`): where the vote is not certain enough the candidates are criticised, those that are
judged wrong are dropped, and the others vote again; if all are dropped the first vote holds.
Different: all stored replies are judged, and the paper's balanced choice of right and of convincing
wrong ones is made by the analysis (analysis/reports/critiques.py); a critic sees the public face of
a reply; a verdict that cannot be read drops nobody.  Ours: the examples and all words, and the
measure of certainty, whose formula was not available: votes of the first answer over votes of the
second ("ratio"), or one minus the entropy of the votes over its largest value ("entropy"); the
paper's thresholds, 1 and 2, need not be on either scale.  `then="sample"` is the control arm at
equal calls: as many further samples as there would be critiques, and a vote of all.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge, Le

from arena.errors import ProtocolError
from arena.play.episode import Episode
from arena.play.prompt import Prompt, verbatim
from arena.play.reading import read_as_public
from arena.score import Score
from arena.tournaments.stored_replies import StoredReply, StoredSamples
from arena.types import Answer, Reading, Reply, Sampling, Seat, Subject, Turn
from protocols import asking
from protocols.parsing.critiques import RIGHT, WRONG, critique_verdict

VERSION = "1"

NAME = "critique"
Certainty = Literal["ratio", "entropy"]
Then = Literal["criticise", "sample"]
Verdict = Literal["said", "scored"]

EXAMPLES = (
    """\
Question: A box holds 3 rows of 4 apples, and 2 apples are eaten. How many are left?
Reply: 3 times 4 is 12. 2 are eaten, and 12 minus 2 is 10. The answer is 10.
Flaws: The rows are multiplied as they should be, and 3 times 4 is 12. What was eaten is taken \
away once, and 12 minus 2 is 10. There is no flaw.
Verdict: right
""",
    """\
Question: A train leaves at 9:40 and arrives at 11:15. How many minutes does it take?
Reply: From 9 to 11 are 2 hours, or 120 minutes. 40 plus 15 is 55, and 120 plus 55 is 175. The \
answer is 175.
Flaws: The hours from 9 to 11 are 2. But the 40 minutes have passed before it leaves, and must be \
taken away: 120 minus 40 plus 15 is 95. The reply adds them.
Verdict: wrong
""",
)
TASK = "You check replies to questions. Here is how it is done.\n"
NOW = "Now to the reply that you check. The question:\n\n"
CRITICISE = (
    "\nGo through the steps of this reply, and say of each that is doubtful what is wrong with it."
    " Then judge its final answer. End with one line of this form, `Verdict: right` or `Verdict:"
    " wrong`.\n"
)
# Where a critique stops, so that both verdicts can be scored in that place.
MARK = "Verdict:"
VERDICTS = (" right", " wrong")


async def critique(
    episode: Episode,
    samples: StoredSamples,
    scorer: Seat,
    *,
    shots: Annotated[int, Ge(0), Le(len(EXAMPLES))] = len(EXAMPLES),
    verdict: Verdict = "said",
    reask: bool = True,
) -> list[Score]:
    """Judge every reply: 1 if the scorer calls it right, 0 if it calls it wrong.

    `verdict` "scored" gives the probability of "right" against "wrong" after the analysis of flaws,
    from a model that scores choices and continues a prefill.  `shots` examples stand before the
    task; `reask` asks once more for a verdict that cannot be read.  A reply without an answer is
    not judged.  Raises ProtocolError for a model that cannot score its verdict.
    """
    if verdict == "scored":
        check_scorer(scorer)

    async def judge(number: int, reply: StoredReply) -> Score:
        """Return the verdict on one reply."""
        if reply.canonical is None:
            return Score(reply.turn, NAME, None, status="no answer to judge")
        seat = Seat(f"critic{number}", scorer.agent)
        ask = criticise if verdict == "said" else score_verdict
        said = await ask(episode, samples.question, seat, reply.turn, shots, reask)
        return score_of(said, reply.turn)

    judged = (judge(number, reply) for number, reply in enumerate(samples.replies))
    return await asyncio.gather(*judged)


def score_of(said: Turn, judged: Turn) -> Score:
    """Return the score of a turn from what the critic said."""
    if said.answer is None:
        return Score(judged, NAME, None, status=", ".join(said.flags) or "no verdict")
    chance = (said.measures or {}).get(f"probability of {VERDICTS[0]}")
    details = {"verdict": said.answer}
    if chance is not None:
        return Score(judged, NAME, chance, "probability", details=details)
    return Score(judged, NAME, float(said.answer == RIGHT), details=details)


def critique_prompt(episode: Episode, question: Subject, reply: Turn, shots: int) -> Prompt:
    """Return the prompt of a critic: examples, the question, the reply's public face, the task."""
    # Examples end with a line break of their own; an empty line stands between two.
    told = "\n".join([TASK, *EXAMPLES[:shots], NOW]) if shots else NOW
    shown = asking.show_reply(episode, reply)
    return [told, asking.shown_question(question), shown, CRITICISE]


async def criticise(
    episode: Episode, question: Subject, critic: Seat, reply: Turn, shots: int, reask: bool
) -> Turn:
    """Return the critic's turn, whose answer is its verdict."""
    prompt = critique_prompt(episode, question, reply, shots)
    read = partial(critique_verdict, reask=reask)
    return await episode.ask(critic, prompt, phase="critique", read=read)


async def score_verdict(
    episode: Episode, question: Subject, critic: Seat, reply: Turn, shots: int, reask: bool
) -> Turn:
    """Return the critic's turn in which both verdicts are scored, after its analysis of flaws."""
    prompt = critique_prompt(episode, question, reply, shots)
    own = critic.agent.sampling
    until_verdict = replace(own, stop=(*own.stop, MARK))
    analysis = await episode.ask(
        critic, prompt, phase="critique", read=read_as_public, sampling=until_verdict
    )
    return await episode.ask(
        critic,
        prompt,
        phase="verdict",
        round=1,
        read=read_choice,
        prefill=[verbatim(analysis), MARK],
        sampling=Sampling(choices=VERDICTS),
    )


def read_choice(reply: Reply) -> Reading:
    """Read the verdict that was the likelier one."""
    word = reply.text.strip()
    if word in (RIGHT, WRONG):
        return Reading(reply.text, answer=word)
    return Reading(reply.text, flags=("no verdict",))


def check_scorer(scorer: Seat) -> None:
    """Raise ProtocolError unless the model can score both verdicts after its analysis."""
    missing = {"choices", "prefill"} - scorer.agent.model.capabilities
    if missing:
        raise ProtocolError(
            f"{scorer.agent.model.name} has no {' and no '.join(sorted(missing))}: its verdict"
            " cannot be scored; use verdict='said'"
        )


async def self_check(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    paths: Annotated[int, Ge(1)] = 8,
    threshold: Annotated[float, Ge(0)] = 2.0,
    certainty: Certainty = "ratio",
    then: Then = "criticise",
    shots: Annotated[int, Ge(0), Le(len(EXAMPLES))] = len(EXAMPLES),
    reask: bool = True,
) -> list[Answer]:
    """Return the vote of `paths` answers; where it is uncertain, of those that pass a self-check.

    A vote is uncertain below `threshold` on the scale of `certainty`.  `then` "criticise" judges
    the candidates; "sample", the control arm, draws as many further samples instead.  The
    confidence is the winner's share of those who vote in the end.  `reask` asks once more where no
    answer or verdict can be read.
    """
    turns = await asking.sample_paths(episode, question, solver, paths, reask=reask)
    votes = asking.votes(turns, question)
    candidates = [turn for turn, vote in zip(turns, votes, strict=True) if vote is not None]
    if not candidates or certainty_of(votes, certainty) >= threshold:
        return [*asking.answers(turns), asking.majority(solver, turns, question)]
    if then == "sample":
        seats = [Seat(f"path{paths + number}", solver.agent) for number in range(len(candidates))]
        prompt = asking.question_prompt(question)
        read = asking.reader(question, reask)
        asks = [episode.ask(seat, prompt, phase="path", round=1, read=read) for seat in seats]
        voters = [*turns, *await asyncio.gather(*asks)]
        return [*asking.answers(voters), asking.majority(solver, voters, question)]
    verdicts = await asyncio.gather(
        *(
            criticise(episode, question, Seat(f"critic{number}", solver.agent), turn, shots, reask)
            for number, turn in enumerate(candidates)
        )
    )
    kept = [turn for turn, said in zip(candidates, verdicts, strict=True) if said.answer != WRONG]
    return [*asking.answers(turns), asking.majority(solver, kept or turns, question)]


def certainty_of(votes: Sequence[str | None], certainty: Certainty) -> float:
    """Return how certain a vote is; infinite for a ratio to no vote.

    "ratio": votes of the first answer over those of the second; "entropy": 1 - H / ln(votes), in
    [0, 1], 1 where all agree.  0 without any vote.
    """
    counts = [count for _, count in Counter(v for v in votes if v is not None).most_common()]
    if not counts:
        return 0.0
    if certainty == "ratio":
        return counts[0] / counts[1] if len(counts) > 1 else math.inf
    total = sum(counts)
    entropy = -sum(count / total * math.log(count / total) for count in counts)
    return 1 - entropy / math.log(total) if len(counts) > 1 else 1.0


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls.  Raises StudyError below two."""
    asking.check_calls(calls, 2, "self_check needs a path and its critique")
    return {"paths": calls // 2}
