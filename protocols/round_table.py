"""Let a table of agents answer, read each other, revise, and decide: many papers, one function.

The papers differ in the options below; PRESETS holds them under the papers' names, each with its
published sizes where these are known:

society_of_minds    arXiv 2305.14325, as in society_of_minds.py: the same calls and prompts
sparse_ring, hub    "Improving Multi-Agent Debate with Sparse Communication Topology", 2406.11776;
                    the hub's answer is the table's
vote                "Debate or Vote", 2508.17536: the control, a majority before anybody has read
eot_*               "Exchange-of-Thought", 2312.01823: memory, report, relay, debate.  From the
                    third round on each reply carries the share of its author's most frequent answer
                    (or of the answer given: confidence="answer_stability")
reconcile           "ReConcile", 2309.13007: stated confidences are shown, replies are grouped by
                    answer, votes are weighted by the paper's table.  Different: every group is
                    shown, not two alone; a reply without an answer casts no vote, where the code
                    draws one; equal weights go to the answer named first.  Left out: examples that
                    convinced others
ford, ford_three    "Examining Inter-Consistency of LLMs Collaboration via Debate", 2305.11595: in
                    turn until the last answers agree; the commonest answer of the whole play.  Two
                    unreadable answers are no agreement.  Left out: the summary by a stronger judge
collective          the collective refinement of MALLM, 2502.19130
debatellm_society   society of minds as DebateLLM plays it (2311.17371): in turn, so that a reply
                    reads those before it in its round
debatellm_chateval  the form of ChatEval (2308.07201) for questions there: in turn from the start;
                    an unreadable reply is no value that could win; debatellm_summary: at once,
                    and a summary of the last round replaces the replies
group_debate        GroupDebate, 2409.14051, within a stage; without the exchange of summaries

Seats of one agent are copies of it; several agents sit there as they are given, which is what
ReConcile and FORD are about.  `peers` are control arms of our own, which ask what it is about the
replies of others that changes an answer: one's own second thought (nobody), their answers without
reasons (answers), or any reasons at all, here of replies to another question (misplaced).

All words are ours.  The confidence is the winner's share of all weight.  For panels that compare
two texts see pair_panel.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from arena.errors import StudyError
from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.types import Answer, Seat, Subject, Turn
from protocols import asking, decisions
from protocols.decisions import Decision, Number, Tie
from protocols.personas import Personas, personas, with_role
from protocols.round_table_prompts import (
    Confidence,
    Peers,
    Shown,
    TableWords,
    prompt_of,
    reader,
    show_replies,
    stability,
    sum_up,
)
from protocols.table_talk import (
    Heard,
    History,
    Order,
    Places,
    Table,
    all_turns,
    last_turns,
    seated,
    talk,
)
from protocols.topologies import Readers, graph_of

VERSION = "1"

Until = Literal["never", "all_agree", "share", "stable"]
Decide = Literal["plurality", "majority", "supermajority", "unanimity", "weighted", "head"]
Weights = Literal["reconcile", "stated", "log_odds", "calibrated"]
Over = Literal["last", "all"]

PRESETS: dict[str, dict[str, object]] = {
    "society_of_minds": {},
    "sparse_ring": {"agents": 5, "rounds": 6, "readers": "ring"},
    "hub": {"agents": 5, "rounds": 6, "readers": "hub", "decide": "head"},
    "vote": {"agents": 5, "rounds": 1},
    **{
        f"eot_{name}": {
            "rounds": 6,
            "readers": readers,
            "confidence": "stability",
            "until": "all_agree",
        }
        for name, readers in {
            "memory": "full",
            "report": "hub",
            "relay": "relay",
            "debate": "pair_and_head",
        }.items()
    },
    "reconcile": {
        "rounds": 3,
        "shown": "grouped",
        "mark_own": False,
        "confidence": "stated",
        "until": "all_agree",
        "decide": "weighted",
    },
    "ford": {
        "agents": 2,
        "rounds": 4,
        "order": "in_turn",
        "shown": "history",
        "until": "all_agree",
        "over": "all",
    },
    "ford_three": {
        "rounds": 4,
        "order": "in_turn",
        "shown": "history",
        "until": "all_agree",
        "over": "all",
    },
    "collective": {"rounds": 10, "until": "all_agree"},
    "debatellm_society": {"order": "in_turn"},
    "debatellm_chateval": {"order": "in_turn", "blind": False, "shown": "history"},
    "debatellm_summary": {"shown": "summary"},
    "group_debate": {"agents": 4, "readers": "groups", "group": 2},
}


async def round_table(
    episode: Episode,
    question: Subject,
    *solvers: Seat,
    agents: Annotated[int, Ge(1)] = 3,
    rounds: Annotated[int, Ge(1)] = 2,
    readers: Readers = "full",
    group: Annotated[int, Ge(1)] = 2,
    order: Order = "parallel",
    blind: bool = True,
    places: Places = "by_seat",
    shown: Shown = "latest",
    mark_own: bool = True,
    roles: tuple[str, ...] = (),
    persona: Personas = "none",
    peers: Peers = "replies",
    foil: str = "",
    confidence: Confidence = "none",
    show_confidence: bool = True,
    until: Until = "never",
    share: Annotated[float, Gt(0), Le(1)] = 2 / 3,
    stable: Annotated[int, Ge(2)] = 2,
    decide: Decide = "plurality",
    weights: Weights = "reconcile",
    calibration: tuple[tuple[float, float], ...] = (),
    over: Over = "last",
    tie: Tie = "first",
    reask: bool = True,
) -> list[Answer]:
    """Return the table's answer after at most `rounds` rounds, the first without reading anybody.

    One agent in `solvers` is seated `agents` times; several sit as they are.  `readers` says who
    reads whom (topologies.py; `group` is the size of its groups), `order`, `blind` and `places` in
    which order (table_talk.py), `shown` whether the latest replies are read, all since the
    beginning, the latest by answer, or a summary of all (a call more between two rounds) beside
    one's own, and `mark_own` whether a seat is told which is its own.
    `roles` are instructions of the seats, in turn; a `persona` is drawn for each, or written by a
    model, a call each (personas.py).  `peers` is what is read of others: their
    replies, or in control arms their answers, misplaced ones (to the question `foil`, asked first,
    for a call more a seat), or nobody's.  `confidence` is asked for or computed from a
    seat's own answers, and shown to others with `show_confidence`.

    `until` ends the talk before the last round: all_agree, an answer with a `share` of all seats,
    or the same leading answer in `stable` rounds.  `decide` and `tie` are rules of decisions.py, of
    the `last` answers or of `all`; head takes seat 0's last.  `weights` makes weights of
    confidences; calibrated ones take the rows (least confidence, accuracy) of `calibration`.
    """
    if decide == "weighted" and confidence == "none":
        raise StudyError(
            "weighted votes need confidences, and none are asked for; give confidence='stated' or"
            " another, or decide='plurality'"
        )
    seats = seated(solvers, agents, roles)
    words = TableWords(question, shown, mark_own, confidence, show_confidence, peers)
    graph = graph_of(readers, len(seats), group)
    table = Table(seats, graph, rounds, order, blind, shown == "history", places)
    read = reader(words, reask)
    weigh = weight_function(weights, calibration)
    foils = await answer_foil(episode, seats, foil, reask) if peers == "misplaced" else []
    told = await personas(episode, question, solvers[0], len(seats), persona)
    own: dict[int, Turn] = {}
    sums: list[Turn] = []

    async def say(seat: int, round: int, replies: Prompt | None) -> Turn:
        """Ask a seat for its reply in a round."""
        own[seat] = await episode.ask(
            seats[seat],
            with_role(told[seat], prompt_of(words, seat, own.get(seat), replies)),
            phase="revision" if round else "answer",
            round=round,
            read=read,
            public_rating=words.is_seen,
        )
        return own[seat]

    def show(heard: Heard, history: History) -> Prompt | None:
        """Return the replies that a seat reads as a prompt."""
        if peers == "misplaced":
            heard = [(seat, foils[seat]) for seat, _ in heard]
        return show_replies(episode, words, heard, history, sums)

    async def is_over(history: History) -> bool:
        """Return whether the talk ends here."""
        if until == "stable":
            return is_stable(history, question, stable)
        least = {"never": None, "all_agree": 1.0, "share": share}[until]
        said = last_turns(history)
        given = [None] * (len(seats) - len(said)) + asking.votes(said, question)
        return least is not None and bool(decisions.share_of(given, least).winners)

    async def after_round(history: History) -> None:
        """Have the round summed up, where that is read in place of its replies."""
        if shown == "summary":
            author = Seat("summary", solvers[0].agent)
            sums.append(await sum_up(episode, words, author, history))

    history = await talk(episode, table, say, show, is_over, after_round)
    whole = over == "all" and decide != "head"
    voters = all_turns(history) if whole else last_turns(history)
    confidences = confidences_of(voters, history, seats, words)
    votes = asking.votes(voters, question)
    decision = decide_by(decide, votes, confidences, weigh)
    winner = decisions.settle(decision, tie, episode.rng("tie"))
    final = final_answer(
        solvers[0], voters, votes, winner, decision.scores if decide == "weighted" else None
    )
    return [*asking.answers(all_turns(history)), final]


async def answer_foil(
    episode: Episode, seats: Sequence[Seat], foil: str, reask: bool
) -> list[Turn]:
    """Let every seat answer another question, whose replies others are shown in place of theirs.

    Raises StudyError without one.
    """
    if not foil:
        raise StudyError("misplaced replies need another question; give foil='What is ...?'")
    other = Subject(foil, "question")
    prompt, read = asking.question_prompt(other), asking.reader(other, reask)
    asks = (episode.ask(seat, prompt, phase="another question", read=read) for seat in seats)
    return await asyncio.gather(*asks)


def is_stable(history: History, question: Subject, rounds: int) -> bool:
    """Return whether the same answer has led, without a tie, in the last `rounds` rounds."""
    if len(history) < rounds or None in history[-1]:
        return False
    leading = {
        decisions.plurality(asking.votes([turn for turn in said if turn], question)).winner
        for said in history[-rounds:]
    }
    return len(leading) == 1 and None not in leading


def confidences_of(
    voters: Sequence[Turn], history: History, seats: Sequence[Seat], words: TableWords
) -> list[Number | None]:
    """Return the confidence of each voter in [0, 1]: stated, or how stable its seat's answer is."""
    if not words.is_counted:
        return [turn.confidence for turn in voters]
    number = {seat.name: place for place, seat in enumerate(seats)}
    counts = [stability(history, number[turn.seat], words) for turn in voters]
    return [count / replies for count, replies in counts]


def weight_function(
    weights: Weights, calibration: Sequence[tuple[float, float]]
) -> Callable[[Number], Number]:
    """Return the function from a confidence to the weight of its vote.

    Raises StudyError for calibrated weights without a table, or with numbers outside [0, 1].
    """
    named: dict[Weights, Callable[[Number], Number]] = {
        "reconcile": decisions.reconcile_weight,
        "stated": lambda confidence: confidence,
        "log_odds": decisions.log_odds,
    }
    if weights != "calibrated":
        return named[weights]
    if not calibration:
        raise StudyError(
            "calibrated weights need a table of (least confidence, accuracy); give"
            " calibration=[[0.5, 0.4], [0.9, 0.7]], say, from an earlier study of the same agents"
        )
    wrong = [row for row in calibration if not all(0 <= each <= 1 for each in row)]
    if wrong:
        raise StudyError(
            f"calibrated weights need a table of (least confidence, accuracy), both from 0 to 1;"
            f" found {wrong[0]!r}"
        )
    accuracy = decisions.calibrated(calibration)
    return lambda confidence: decisions.log_odds(accuracy(confidence))


def decide_by(
    rule: Decide,
    votes: Sequence[str | None],
    confidences: Sequence[Number | None],
    weigh: Callable[[Number], Number],
) -> Decision:
    """Return the decision of votes by a rule; head is the vote of the first seat alone."""
    if rule == "head":
        return decisions.plurality(votes[:1])
    if rule == "weighted":
        weights = [None if each is None else weigh(each) for each in confidences]
        return decisions.weighted(votes, weights)
    rules = {
        "plurality": decisions.plurality,
        "majority": decisions.majority,
        "supermajority": decisions.supermajority,
        "unanimity": decisions.unanimity,
    }
    return rules[rule](votes)


def final_answer(
    solver: Seat,
    voters: Sequence[Turn],
    votes: Sequence[str | None],
    winner: str | None,
    weights: Mapping[str, Number] | None,
) -> Answer:
    """Return the winner as the table's answer, in the words of its first voter.

    The confidence is its share of all votes, missing ones included, or of all `weights` by answer;
    None where one of these is below 0.
    """
    if winner is None:
        return asking.voted_answer(solver, None, None)
    first = voters[list(votes).index(winner)].answer
    if weights is None:
        return asking.voted_answer(solver, first, votes.count(winner) / len(votes))
    total = sum(weights.values())
    has_shares = total > 0 and all(weight >= 0 for weight in weights.values())
    return asking.voted_answer(
        solver, first, min(1.0, weights[winner] / total) if has_shares else None
    )


def options_for_calls(calls: int, preset: str = "society_of_minds") -> dict[str, object]:
    """Return the options of a preset that make at most so many calls, where nothing ends early.

    Society of minds has half as many agents in two rounds; any other keeps its agents, and has as
    many rounds as there are calls for.  Raises StudyError where these are too few.
    """
    options = PRESETS[preset]
    if preset == "society_of_minds":
        asking.check_calls(calls, 4, "round_table needs two agents in two rounds")
        return {"agents": calls // 2, "rounds": 2}
    if preset == "vote":
        asking.check_calls(calls, 1, "round_table needs an agent")
        return {**options, "agents": calls}
    agents = options.get("agents", 3)
    assert isinstance(agents, int)
    # Between two rounds a summary is a call more.
    summary = int(options.get("shown") == "summary")
    least = 2 * agents + summary
    asking.check_calls(calls, least, f"{preset} needs {agents} agents in two rounds")
    return {**options, "rounds": (calls + summary) // (agents + summary)}
