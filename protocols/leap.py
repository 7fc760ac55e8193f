"""Let paths think in parallel and tell each other, now and then, how far they are.

"Learning from Peers in Reasoning Models", Tongxu Luo et al., arXiv 2505.07787 (LeaP), after the
published code.

Every path thinks `think_tokens` at a time.  Between two turns comes a block: the path drops its
last, mostly unfinished paragraph, is led into a summary of at most `summary_tokens`, is shown the
summaries of `top_k` peers that a router chose (protocols/routing.py), and goes on with its own
thought.  A path that ends by itself falls silent; a path that still thinks after the last turn is
made to answer.  The thought itself is continued, by prefill, which needs a local model or a server
that continues given words; protocols/leap_segmented.py is for the others.

Kept: the order of steps, what is dropped, the place of the lead-in, how summaries are shown and
numbered, which blocks there are (`part`), both variants (`communication="once"`: one block, then
the first path goes on alone), routers and similarity of the code, the question before the
instruction.  Different: the words are our own, and the example solves nothing (the code's is a
question of AIME 2025); a path has finished when it stops before its limit (in the code only when it
closes its thought); only a path's own words are read for its answer (the code's last box may be a
peer's); words of the frame are taken out of summaries before peers see them; a finished path
without a box is asked for its answer too; random choices are seeded.  Ours: the vote over the
paths, since the code has none, `finished="visible"`, and what the controls of a comparison need:
`prompt="plain"`, the router "none", `communication="never"` and "uncut".  Left out: training
(LeaP-T); `trained=True` plays a model that was trained so.

Two questions of the paper are options.  The prefix trap: with `starts` thoughts begin with the
passage of the subject, such as the first 15% of a wrong one; whether the paper's peers begin so too
is not known.  The influence of a block: with `probes` a path is made to answer before and after it
reads its peers, of which nothing stays in its thought.

VERSION 2 differs from 1: a lead-in ends with its last word, and the model writes the space (behind
a lone space most tokenizers continue with a word that has none); the example stands as blocks will
stand, and no line breaks within a sentence; a question with options asks for a letter; a path that
ended by itself is not told that its time is up; a trained model that begins a summary by itself
goes on after the block (it had finished).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge

from arena.errors import ProtocolError
from arena.former_names import former_names
from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Passage, Prompt, ShownTurn, passage, verbatim
from arena.play.reading import CUT_OFF, unfinished_reason
from arena.private import reveal
from arena.types import Answer, Reading, Reply, Sampling, Seat, Subject, Turn
from protocols.asking import check_calls, majority, question_text, with_images
from protocols.leap_wordings import (
    CUE,
    CUE_CHOICE,
    ENDED,
    FRAME,
    LETTER,
    NO_COMMENTS,
    OPENING,
    OPENINGS,
    PLAIN,
    REFLECT,
    SUMMARY_BEGIN,
    SUMMARY_END,
    TAGS,
    TIME_IS_UP,
    TRIGGERS,
    VALUE,
)
from protocols.parsing.answers import answer_in_thought, last_box
from protocols.routing import PathState, Peers, Piece, Router, Similarity, route_peers

VERSION = "2"
Count = Annotated[int, Ge(1)]
Communication = Literal["every", "once", "never", "uncut"]
Starts = Literal["own", "first", "all"]
BEFORE, AFTER = "before block", "after block"


async def leap(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    paths: Count = 4,
    turns: Count = 5,
    think_tokens: Count = 2048,
    summary_tokens: Count = 256,
    answer_tokens: Count = 256,
    router: Router = "dispersed",
    top_k: Peers = 2,
    similarity: Similarity = "indel",
    part: Sequence[int] = (),
    communication: Communication = "every",
    prompt: Literal["tags", "plain"] = "tags",
    finished: Literal["silent", "visible"] = "silent",
    strip_lead: bool = False,
    trained: bool = False,
    starts: Starts = "own",
    probes: bool = False,
    opens: str = "",
    closes: str = "</think>",
) -> list[Answer]:
    """Let paths think, sum up, read their peers and think on, and vote on their answers.

    Each path gives an answer, and the most frequent one is the episode's.  `top_k` -1 shows
    everybody; the router "none" nobody.  `part` holds the turns (from 0) that a block follows,
    empty: every one but the last.  `communication="never"` cuts the thought into the same turns
    without a block, "uncut" leaves it whole; both think as many tokens more as summaries would
    take.  `prompt="plain"` says nothing of peers, and begins no thought.
    `finished="visible"`: peers still see the last summary of a path that has finished.
    `strip_lead`: summaries are compared without the lead-in drawn for them.  `trained`: the model
    begins summaries by itself, from the plain prompt.  `starts` says which paths, none, the first
    or all, begin with the passage of the subject; `probes` asks each path for its answer before and
    after a block.  `opens` begins the thought if the chat
    template does not, such as "<think>"; `closes` ends it.
    """
    check_prefill(solver)
    plain = trained or prompt == "plain"
    task = task_text(question, PLAIN if plain else TAGS)
    team = begin(question, solver, paths, opens + ("" if plain else OPENING), starts)
    plan = plan_turns(turns, think_tokens, summary_tokens, part, communication)
    # A summary that a trained model begins by itself ends the turn before the block leads in.
    sums_up = trained and any(block for _, block in plan)
    thinking = replace(solver.agent.sampling, stop=(closes, SUMMARY_END) if sums_up else (closes,))
    ends = (SUMMARY_END, closes)
    summing_up = replace(solver.agent.sampling, max_tokens=summary_tokens, stop=ends)
    answering = replace(solver.agent.sampling, max_tokens=answer_tokens, stop=ends)
    active = team
    for turn, (tokens, block) in enumerate(plan):
        await think(episode, task, active, turn, replace(thinking, max_tokens=tokens), sums_up)
        if communication == "once" and turn == 0:
            # The first chunks of this variant end nowhere: they are only there to be summed up.
            for path in team:
                path.finished = False
        active = [path for path in active if not path.finished]
        if not active:
            break
        if block:
            await summarise(episode, task, active, turn, summing_up)
            visible = team if finished == "visible" else active
            # A path that finished before the first block has nothing to show.
            peers = [path for path in visible if path.summary is not None]
            shown = route_peers(episode, peers, active, turn, router, top_k, similarity, strip_lead)
            probe = partial(ask_between, episode, task, question, active, turn, answering)
            await probe(BEFORE if probes else None)
            show_summaries(active, shown)
            await probe(AFTER if probes else None)
        if communication == "once":
            active = active[:1]
    # In the variant with one block, the other paths only served to inform the first.
    voters = team[:1] if communication == "once" else team
    asks = [answer_of_path(episode, task, question, path, answering, closes) for path in voters]
    answers = await asyncio.gather(*asks)
    return [*answers, majority(solver, answers, question)]


def begin(
    question: Subject, solver: Seat, paths: int, begun: str, starts: Starts
) -> list[PathState]:
    """Return the paths, each with the beginning of its thought."""
    team = []
    for number in range(paths):
        # An untrained model keeps to the tags only if its thought begins by promising them.
        context: list[Piece] = [begun] if begun else []
        if starts == "all" or (starts == "first" and number == 0):
            context.append(passage(question))
        team.append(PathState(number, Seat(f"path{number}", solver.agent), context))
    return team


def task_text(question: Subject, instruction: str) -> Prompt:
    """Return the question with an instruction that says what its answer is."""
    answer = LETTER if question.choices else VALUE
    return with_images(question, question_text(question) + instruction.format(answer=answer))


def plan_turns(
    turns: int,
    think_tokens: int,
    summary_tokens: int,
    part: Sequence[int],
    communication: Communication,
) -> list[tuple[int, bool]]:
    """Return the tokens of each turn's thought, and whether a block follows it.

    All plans but "once" allow a path as many tokens.
    """
    # No block follows the last turn, after which nobody would read on; a single turn has one
    # nevertheless.
    followed = [
        (turn < turns - 1 or turns == 1)
        and (turn == 0 if communication == "once" else turn in part or not part)
        for turn in range(turns)
    ]
    if communication in ("every", "once"):
        return [(think_tokens, block) for block in followed]
    # The tokens of a summary that is not written go to the thought before it.
    cut = [think_tokens + summary_tokens * block for block in followed]
    return [(tokens, False) for tokens in (cut if communication == "never" else [sum(cut)])]


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls: three turns, or two of few calls.

    Every path thinks and sums up in each turn but the last, and gives an answer.  Raises StudyError
    for less than two paths of two turns.
    """
    turns = 3 if calls >= 12 else 2
    check_calls(calls, 8, "leap needs two paths of two turns")
    return {"paths": calls // (2 * turns), "turns": turns}


def check_prefill(solver: Seat) -> None:
    """Raise ProtocolError if the model cannot continue its own thought."""
    if "prefill" not in solver.agent.model.capabilities:
        raise ProtocolError(
            f"{solver.agent.model.name} cannot go on with a begun reply, which LeaP needs; take a"
            " local model, or the protocol leap_segmented"
        )


async def think(
    episode: Episode,
    task: Prompt,
    active: Sequence[PathState],
    turn: int,
    sampling: Sampling,
    sums_up: bool,
) -> None:
    """Let every path go on with its thought; a path that stops before its limit has finished.

    `sums_up`: unless it stops in a summary of its own, which is cut off.
    """
    ask = partial(episode.ask, phase="think", round=turn, sampling=sampling)
    asks = [ask(path.seat, task, prefill=path.context) for path in active]
    thoughts = await asyncio.gather(*asks)
    for path, thought in zip(active, thoughts, strict=True):
        text = reveal(thought.text)
        own_summary = text.find(SUMMARY_BEGIN) if sums_up else -1
        path.context.append(verbatim(thought, own_summary if own_summary >= 0 else None))
        # Every other reason, a stop word included, means that the model ended its thought itself.
        path.finished = thought.finish_reason != "length" and own_summary < 0


async def summarise(
    episode: Episode, task: Prompt, active: Sequence[PathState], turn: int, sampling: Sampling
) -> None:
    """Let every path drop its unfinished paragraph, lead it into a summary, and let it write."""
    # From the episode's stream: a play that is continued draws the same leads, so that its stored
    # replies fit the prompts.
    draw = episode.rng("leads")
    for path in active:
        # Drawn for every path in the order of their numbers, whatever they go on to say.
        path.lead = (draw.choice(TRIGGERS), draw.choice(OPENINGS))
        path.context = without_last_paragraph(path.context)
        gap = "\n\n" if path.context else ""
        # Without a space at the end: a word's token begins with its own.
        path.context.append(f"{gap}{path.lead[0]}\n\n{SUMMARY_BEGIN} {path.lead[1]}")
    ask = partial(episode.ask, phase="summary", round=turn, sampling=sampling)
    asks = [
        ask(path.seat, task, prefill=path.context, read=partial(read_summary, path.lead[1]))
        for path in active
    ]
    summaries = await asyncio.gather(*asks)
    for path, summary in zip(active, summaries, strict=True):
        path.summary = summary
        # The model may have written half of the end tag at its limit: cut it, and write the tag
        # whole.
        begun = partial_end_length(reveal(summary.text))
        end = SUMMARY_END if begun or summary.finish_reason != "length" else f"... {SUMMARY_END}"
        path.context += [verbatim(summary, len(summary.text) - begun), end]


def read_summary(opening: str, reply: Reply) -> Reading:
    """Return the opening and words of a summary for peers, without anything of the frame."""
    text = reply.text
    # Peers' tags in a summary could close the comment in which it is shown; quotes could end it.
    words = FRAME.sub("", text[: len(text) - partial_end_length(text)])
    public = " ".join(f"{opening} {words}".split()).replace('"', "'")
    return Reading(public, composed=True)


def partial_end_length(text: str) -> int:
    """Return how many characters at the end begin the summary's end tag, at least two, or 0."""
    sizes = range(len(SUMMARY_END), 1, -1)
    return next((size for size in sizes if text.endswith(SUMMARY_END[:size])), 0)


def without_last_paragraph(context: Sequence[Piece]) -> list[Piece]:
    """Return the beginning of a reply up to before its last blank line; nothing without one."""
    # From the end backwards, since a paragraph may begin several turns ago.
    rest = list(context)
    while rest:
        piece = rest.pop()
        if isinstance(piece, Turn):
            # A peer's summary, which never holds a blank line.
            continue
        if isinstance(piece, Passage):
            # What it was made to begin with stays.
            return [*rest, piece]
        text = piece if isinstance(piece, str) else reveal(piece.turn.text)[: piece.end]
        cut = text.rfind("\n\n")
        if cut >= 0:
            return [*rest, text[:cut] if isinstance(piece, str) else verbatim(piece.turn, cut)]
    return rest


def show_summaries(active: Sequence[PathState], shown: Mapping[int, Sequence[PathState]]) -> None:
    """Show every active path the summaries that the router chose for it, and lead it on."""
    for path in active:
        if not shown[path.number]:
            path.context.append(NO_COMMENTS)
            continue
        path.context.append(" <comment> ")
        for rank, peer in enumerate(shown[path.number]):
            gap = "" if rank == 0 else "\n"
            path.context += [f'{gap}Peer {rank + 1}: "', peer.last_summary, '"']
        path.context.append(f" </comment>\n\n{REFLECT}")


async def ask_between(
    episode: Episode,
    task: Prompt,
    question: Subject,
    active: Sequence[PathState],
    turn: int,
    sampling: Sampling,
    phase: str | None,
) -> None:
    """Make every path answer at this point of its thought, in which nothing of it stays."""
    if phase is None:
        return
    letters = LETTERS[: len(question.choices)]
    cue = TIME_IS_UP + (CUE_CHOICE if letters else CUE)
    read = partial(read_box, letters)
    ask = partial(episode.ask, phase=phase, round=turn, sampling=sampling, read=read)
    await asyncio.gather(*(ask(path.seat, task, prefill=[*path.context, cue]) for path in active))


async def answer_of_path(
    episode: Episode,
    task: Prompt,
    question: Subject,
    path: PathState,
    sampling: Sampling,
    closes: str,
) -> Answer:
    """Return a path's answer: the last box of its own, else the one that it is made to fill."""
    letters = LETTERS[: len(question.choices)]
    # What others wrote is left out; a box may begin in one turn and end in the next.
    own_words = "".join(
        reveal(piece.turn.text)[: piece.end] if isinstance(piece, ShownTurn) else "\n"
        for piece in path.context
    )
    own_answer = answer_in_thought(own_words, letters)
    if path.finished and own_answer is not None:
        return Answer(path.seat.name, own_answer, final=False)
    cue = (closes + ENDED if path.finished else TIME_IS_UP) + (CUE_CHOICE if letters else CUE)
    prefill = [*path.context, cue]
    # The prefill has opened the box, so that the reply is its content and needs a reader of its
    # own.
    read = partial(read_box, letters)
    turn = await episode.ask(
        path.seat, task, phase="answer", prefill=prefill, sampling=sampling, read=read
    )
    return Answer(path.seat.name, turn.answer, final=False)


def read_box(letters: str, reply: Reply) -> Reading:
    """Read what a path puts into the box that was opened for it.

    One that was cut off before it was closed is no answer, nor is punctuation alone.
    """
    words = "\\boxed{" + reply.text
    answer = answer_in_thought(words, letters)
    box = last_box(words)
    reason = unfinished_reason(reply)
    if reason is not None and (reason != CUT_OFF or box is None or not box.closed):
        return Reading(reply.text, flags=(reason,))
    if answer is None or not any(map(str.isalnum, answer)):
        return Reading(reply.text, flags=("no letter" if letters else "no box",))
    return Reading(reply.text, answer=answer)


if not TYPE_CHECKING:
    # The variant in segments has a file of its own since version 0.2.0.
    names = {
        "Router": "protocols.routing.Router",
        "leap_segmented": "protocols.leap_segmented.leap_segmented",
    }
    __getattr__ = former_names(__name__, names)
