"""Let a table pass one solution on, each agreeing or replacing it, until enough agree or a vote.

"Voting or Consensus? Decision-Making in Multi-Agent Debate", Lars Benedikt Kaesberg et al., arXiv
2502.19130, in the framework MALLM, whose paradigms, decisions and personas these are.

Kept: the first seat proposes, later ones see the standing solution and the talk that they may hear,
and agree or propose another; memory (all hear all), report (all exchange with seat 0), relay (each
hears the one before), debate (seat 0 drafts, the others relay for two inner rounds, then it hears
them), collective (all at once, as in society of minds); `drafts="all"`, in which all propose before
they hear anybody; consensus after every contribution, or a vote at the end of turns from
`vote_from` on, before which each seat states its final answer.
Different: who agrees repeats the standing answer, so that agreement is equality of answers and no
word is searched for; a proposal counts as its author's agreement (in the released code three seats
never agree); a tie is another turn, and at the end goes by `undecided`; repeated or unknown entries
make a ballot invalid (decisions.py); an answer is read from the contribution itself and not by a
call of its own, so that N seats make N calls a turn, where the release makes 2 N.
Left out: roles by personality test, judges who intervene, challenges of the result, confidences in
ballots.  All words are ours.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, cast, get_args

from annotated_types import Ge

from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.play.reading import Reader
from arena.types import Answer, Seat, Subject, Turn
from protocols import asking, ballots, decisions
from protocols.decisions import Decision
from protocols.personas import Personas, personas
from protocols.table_talk import (
    Groups,
    Heard,
    History,
    Table,
    all_turns,
    last_turns,
    latest,
    list_heard,
    seated,
    talk,
)
from protocols.topologies import Readers, graph_of

VERSION = "1"

Paradigm = Literal["memory", "report", "relay", "debate", "collective"]
Consensus = Literal["majority", "supermajority", "unanimity", "hybrid"]
Decide = Consensus | ballots.Kind | Literal["judge"]
Undecided = Literal["standing", "missing"]

READERS: dict[Paradigm, Readers] = {
    "memory": "full",
    "report": "hub",
    "relay": "relay_back",
    "debate": "pair_and_head",
    "collective": "full",
}
CONSENSUS = get_args(Consensus)
# The share of seats that a consensus needs, as the paper has them.
SHARES: dict[Decide, float] = {"majority": 0.5, "supermajority": 0.66, "unanimity": 1.0}
INNER_ROUNDS = 2

DISCUSS = """
Several agents discuss this question, and you are {name}. Say what you think of what was said, and \
why. If you agree with the current solution, repeat its answer; if not, give the answer that you \
propose in its place.
"""
STANDING = "\nThe current solution is that of {author}.\n"
STATE = """
Several agents have discussed this question, and you are {name}. The discussion is over. State \
your final answer, with your reasons in one or two sentences.
"""
MERGE = """
Several agents have discussed this question, and these are their final answers. Decide which \
answer is right, and say why.
"""

PRESETS: dict[str, dict[str, object]] = {
    "memory": {"persona": "generated"},
    "report": {"persona": "generated", "paradigm": "report"},
    "relay": {"persona": "generated", "paradigm": "relay"},
    "debate": {"persona": "generated", "paradigm": "debate"},
    "collective": {"persona": "generated", "paradigm": "collective"},
    "all_agents_drafting": {"persona": "generated", "drafts": "all"},
    "vote": {"persona": "generated", "decide": "vote"},
}


async def drafting(
    episode: Episode,
    question: Subject,
    *solvers: Seat,
    agents: Annotated[int, Ge(2)] = 3,
    paradigm: Paradigm = "memory",
    turns: Annotated[int, Ge(1)] = 10,
    drafts: Literal["one", "all"] = "one",
    visible: Annotated[int, Ge(1)] = 2,
    persona: Personas = "none",
    decide: Decide = "majority",
    vote_from: Annotated[int, Ge(1)] = 3,
    early: bool = True,
    undecided: Undecided = "standing",
    reask: bool = True,
) -> list[Answer]:
    """Return the solution that a table agrees on, or votes for, in at most `turns` turns.

    One agent in `solvers` is seated `agents` times; several sit as they are.  A seat reads what was
    said in the last `visible` turns by itself and by those whom the `paradigm` lets it hear.
    `drafts` "all" makes the first turn one in which all propose at once.  A consensus is looked for
    after every contribution, votes are held at the end of turns from `vote_from` on; without
    `early`, once, after the last turn.  Where nothing is decided the standing solution holds, or
    the answer is missing.
    """
    seats = seated(solvers, agents)
    roles = await personas(episode, question, solvers[0], len(seats), persona)
    speakers = speakers_of(paradigm, len(seats))
    table = Table(
        seats,
        graph_of(READERS[paradigm], len(seats)),
        turns * len(speakers),
        blind=drafts == "all",
        whole_history=True,
        visible=visible * len(speakers),
        speakers=speakers,
    )
    read = asking.reader(question, reask)
    stated: list[Turn] = []
    everything: list[Turn] = []
    decision = Decision()

    async def say(seat: int, round: int, replies: Prompt | None) -> Turn:
        """Ask a seat for its contribution."""
        prompt = contribution_prompt(question, seat, roles[seat], replies)
        phase = "draft" if replies is None else "contribution"
        return await episode.ask(seats[seat], prompt, phase=phase, round=round, read=read)

    def show(heard: Heard, history: History) -> Prompt | None:
        """Return the standing solution and what a seat hears as a prompt."""
        return show_talk(episode, question, heard, history)

    async def is_over(history: History) -> bool:
        """Return whether the table has decided, by consensus or by a vote."""
        nonlocal decision
        is_whole = table.is_whole(history) and len(history) % len(speakers) == 0
        is_last = is_whole and len(history) == table.rounds
        turn = -(-len(history) // len(speakers))
        if not (early or is_last):
            return False
        if decide in CONSENSUS:
            decision = consensus_of(history, question, len(seats), decide, paradigm, turn)
        elif is_whole and (turn >= vote_from or is_last):
            stated[:] = await state(episode, question, seats, roles, history, read)
            everything.extend(stated)
            decision = await decide_by_vote(episode, question, seats, stated, decide, turn, reask)
        return decision.winner is not None

    history = await talk(episode, table, say, show, is_over)
    everything.extend(all_turns(history))
    final = final_answer(solvers[0], question, decision, stated, history, undecided)
    return [*by_stage(everything), final]


def speakers_of(paradigm: Paradigm, seats: int) -> tuple[Groups, ...]:
    """Return who speaks at once, one group after the other, in each round of a turn."""
    one_by_one = tuple((seat,) for seat in range(seats))
    if paradigm == "collective":
        return ((tuple(range(seats)),),)
    if paradigm == "debate":
        return (one_by_one[:1], *[one_by_one[1:]] * INNER_ROUNDS)
    return (one_by_one,)


def contribution_prompt(
    question: Subject, seat: int, role: Prompt, replies: Prompt | None
) -> Prompt:
    """Return the prompt of a contribution; whoever has nothing to read proposes."""
    if replies is None:
        return [role, asking.question_prompt(question)]
    told = DISCUSS.format(name=f"Agent {seat + 1}")
    return [role, asking.shown_question(question), replies, told, asking.form(question)]


def show_talk(episode: Episode, question: Subject, heard: Heard, history: History) -> Prompt | None:
    """Return what a seat hears, and which of it is the standing solution; None for nothing.

    The standing solution is shown to everybody.
    """
    best = standing(history, question)
    if best is not None and best[1] not in [turn for _, turn in heard]:
        heard = [best, *heard]
    if not heard:
        return None
    names = [f"Agent {seat + 1}, part {turn.round + 1}" for seat, turn in heard]
    listed = list_heard(episode, [turn for _, turn in heard], names)
    if best is None:
        return listed
    author = names[[turn for _, turn in heard].index(best[1])]
    return [listed, STANDING.format(author=author)]


def standing(history: History, question: Subject) -> tuple[int, Turn] | None:
    """Return the seat and the turn that proposed the standing solution, None without one."""
    turns = [(seat, turn) for said in history for seat, turn in enumerate(said) if turn is not None]
    best, proposal = None, None
    for (seat, turn), vote in zip(
        turns, asking.votes([turn for _, turn in turns], question), strict=True
    ):
        if vote is not None and vote != proposal:
            best, proposal = (seat, turn), vote
    return best


def consensus_of(
    history: History, question: Subject, seats: int, rule: Decide, paradigm: Paradigm, turn: int
) -> Decision:
    """Return the solution for which enough seats are; where all speak at once, by their answers."""
    share = SHARES.get(rule) or decisions.hybrid_share(turn, seats)
    if paradigm == "collective":
        return decisions.share_of(asking.votes(last_turns(history), question), share)
    return decisions.consensus(asking.votes(all_turns(history), question), seats, share)


async def state(
    episode: Episode,
    question: Subject,
    seats: Sequence[Seat],
    roles: Sequence[Prompt],
    history: History,
    read: Reader,
) -> list[Turn]:
    """Return the final answer that each seat states before a vote, after its own last words."""
    prompts = []
    for number, role in enumerate(roles):
        mine = latest(history, number)
        shown = show_talk(episode, question, [] if mine is None else [(number, mine)], history)
        told = STATE.format(name=f"Agent {number + 1}")
        asked = asking.form(question)
        prompts.append([role, asking.shown_question(question), shown or "", told, asked])
    asks = [
        episode.ask(seat, prompt, phase="statement", round=len(history), read=read)
        for seat, prompt in zip(seats, prompts, strict=True)
    ]
    return await asyncio.gather(*asks)


async def decide_by_vote(
    episode: Episode,
    question: Subject,
    seats: Sequence[Seat],
    stated: Sequence[Turn],
    rule: Decide,
    turn: int,
    reask: bool,
) -> Decision:
    """Return the decision of a vote on the stated answers, or that of seat 0 as their judge."""
    if rule != "judge":
        kind = cast(ballots.Kind, rule)
        return await ballots.vote(episode, question, seats, stated, kind, round=turn, reask=reask)
    names = [f"Agent {number + 1}" for number in range(len(stated))]
    replies = asking.list_replies(episode, stated, names)
    prompt = [asking.shown_question(question), replies, MERGE, asking.form(question)]
    read = asking.reader(question, reask)
    judged = await episode.ask(seats[0], prompt, phase="judgement", round=turn, read=read)
    return decisions.plurality(asking.votes([judged], question))


def final_answer(
    solver: Seat,
    question: Subject,
    decision: Decision,
    stated: Sequence[Turn],
    history: History,
    undecided: Undecided,
) -> Answer:
    """Return the table's answer, with the share of seats whose last answer it is.

    Of a decision its winner, else what stands; None where it is to be missing.
    """
    voters = stated or last_turns(history)
    best = standing(history, question)
    # A decision is about values, which are shown in the words of their first voter.
    said = [*voters, *all_turns(history)]
    by_value = dict(zip(reversed(asking.votes(said, question)), reversed(said), strict=True))
    answer = decision.winner
    if answer in by_value:
        answer = by_value[answer].answer
    if answer is None and undecided == "standing" and best is not None:
        answer = best[1].answer
    return asking.voted_answer(solver, answer, asking.agreement(answer, voters, question))


def by_stage(turns: Sequence[Turn]) -> list[Answer]:
    """Return the answers of these turns, none final, each seat's counted in the order of its steps.

    A seat may answer twice in a round, in a contribution and in a statement.
    """
    counts: Counter[str] = Counter()
    answers = []
    for turn in sorted(turns, key=lambda turn: turn.step):
        answers.append(Answer(turn.seat, turn.answer, final=False, stage=counts[turn.seat]))
        counts[turn.seat] += 1
    return answers


def options_for_calls(calls: int, preset: str = "") -> dict[str, object]:
    """Return the options that make at most so many calls, where nothing is decided early.

    A preset's own (as it is without a name), with as many turns as there are calls for.  Raises
    StudyError where these are too few for one.
    """
    options = PRESETS[preset] if preset else {}
    seats = 3
    paradigm = cast(Paradigm, options.get("paradigm", "memory"))
    a_turn = sum(len(group) for round in speakers_of(paradigm, seats) for group in round)
    once = seats * (options.get("persona", "none") == "generated")
    if options.get("drafts") == "all" and paradigm == "debate":
        once += seats - 1
    if options.get("decide", "majority") not in CONSENSUS:
        # Held once, at the end, so that the number of turns is the largest.
        options = options | {"early": False}
        once += 2 * seats
    asking.check_calls(calls, once + a_turn, "drafting needs a turn of its three agents")
    return {**options, "turns": (calls - once) // a_turn}
