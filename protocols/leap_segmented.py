"""Let paths that cannot continue a thought tell each other how far they are, turn by turn.

A variant of LeaP (protocols/leap.py) of ours for chat models: each turn is a reply of its own,
which ends with its summary; visible reasoning is shown to its author again, and peers' summaries
stand in the next prompt.  Hidden thoughts of a model are not continued.  A path whose last turn
gives no answer that can be read is asked once more.  Controls of a comparison are `turns=1`, the
prompt with nothing to read, and the router "none", turns and summaries that no peer reads; a turn
cannot be had without its summary here.

VERSION 2 differs from 1: a question with options asks for a letter; the last turn is asked once
more where it gives no answer (`reask`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt, own
from arena.play.reading import unfinished_reason
from arena.play.reasoning import part_reasoning
from arena.types import Answer, Reading, Reply, Seat, Subject, Turn
from protocols.asking import majority, shown_question
from protocols.leap import Count
from protocols.leap_wordings import FRAME, SUMMARY_END
from protocols.parsing.answers import ASK_ANSWER, ASK_LETTER, answer_in_thought, last_box
from protocols.routing import PathState, Peers, Router, Similarity, route_peers

VERSION = "2"

SEGMENT = """
You are one of several who work on this problem at the same time, in several turns. Your reasoning \
so far:
{own}
What others have found so far (they can be wrong, and so can you):
{peers}
Go on with your reasoning for at most {words} words. Then sum up in a few sentences how far you \
are, between <summarize> and </summarize>.
As soon as you are sure {answer} into \\boxed{{}}{last}.
"""
VALUE = "of the final answer, put it"
LETTER = "which option is right, put its letter"
LAST = " now, since this is your last turn"


async def leap_segmented(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    paths: Count = 4,
    turns: Count = 5,
    words: Count = 400,
    router: Router = "dispersed",
    top_k: Peers = 2,
    similarity: Similarity = "indel",
    reask: bool = True,
) -> list[Answer]:
    """Let paths reason in turns, each with a summary for its peers, and vote on their answers.

    The router "none" shows nobody's summary.  `reask` asks a path once more whose last turn gives
    no answer that can be read.
    """
    letters = LETTERS[: len(question.choices)]
    ask_again = (ASK_LETTER if letters else ASK_ANSWER) if reask else None
    team = [PathState(number, Seat(f"path{number}", solver.agent), []) for number in range(paths)]
    # Only the latest summaries of peers are shown; older ones are in their effect on the path.
    heard: list[list[Turn]] = [[] for _ in team]
    active = team
    for turn in range(turns):
        last = turn == turns - 1
        read = partial(segment, letters, reask=ask_again if last else None)
        asks = []
        for path in active:
            prompt = segment_prompt(question, path.context, heard[path.number], words, last)
            asks.append(episode.ask(path.seat, prompt, phase="segment", round=turn, read=read))
        replies = await asyncio.gather(*asks)
        for path, reply in zip(active, replies, strict=True):
            # The face of an own turn: a path reads its private reasoning again, its peers never do.
            path.context += [own(reply), "\n"]
            path.summary, path.finished = reply, reply.answer is not None
        active = [path for path in active if not path.finished]
        if not active or last:
            break
        shown = route_peers(episode, active, active, turn, router, top_k, similarity)
        for number, others in shown.items():
            heard[number] = [peer.last_summary for peer in others]
    answers = [Answer(path.seat.name, path.last_summary.answer, final=False) for path in team]
    return [*answers, majority(solver, answers, question)]


def segment_prompt(
    question: Subject, own_turns: Prompt, peers: Sequence[Turn], words: int, last: bool
) -> Prompt:
    """Return the question, a path's own turns, the peers' summaries, and what to do next."""
    # Turns are no text, so that they cannot be formatted in: the template is split at places that a
    # question cannot contain.
    answer = LETTER if question.choices else VALUE
    end = LAST if last else ""
    template = SEGMENT.format(own="\0", peers="\0", words=words, answer=answer, last=end)
    before, between, after = template.split("\0")
    reasoning = own_turns or "nothing yet"
    summaries: Prompt = "nothing yet"
    if peers:
        summaries = [[f'Peer {number}: "', peer, '"\n'] for number, peer in enumerate(peers, 1)]
    return [shown_question(question), before, reasoning, between, summaries, after]


def segment(letters: str, reply: Reply, *, reask: str | None = None) -> Reading:
    """Read a turn: its summary is public, its reasoning private, its answer if it gives one.

    A thought in the text is reasoning that the path goes on with; there is no summary behind one
    that was cut off.  With `reask` an answer is missing where there is none, and asked for once.
    """
    parted = part_reasoning(reply.text)
    text = parted.words
    reasoning, tag, rest = text.partition("<summarize>")
    # Without a summary its peers get the end of the reply, which is likeliest to say how far it is.
    summary = rest.partition(SUMMARY_END)[0] if tag else text[-400:]
    public = " ".join(FRAME.sub("", summary).split()).replace('"', "'")
    # Only a box: a path that goes on has stated nothing yet.
    boxed = last_box(text)
    unfinished = unfinished_reason(reply) is not None and not (boxed and boxed.closed)
    answer = None if unfinished else answer_in_thought(text, letters)
    own_words = "\n\n".join(filter(None, ((parted.reasoning or "").strip(), reasoning.strip())))
    faces = (public or None, own_words or None)
    if answer is None and reask is not None:
        return Reading(
            *faces, flags=("no letter" if letters else "no box",), reask=reask, missing=("answer",)
        )
    return Reading(*faces, answer=answer)
