"""Studies of every kind, as a user of version 0.1.0 wrote them; `parts` says which are wanted.

Without a server: debates, jury, sequential, second_jury, questions, confidence, and toy, which
needs torch.
With the server of common.py at `url`: remote, faults, and again (which is played with --cache).
"""

from __future__ import annotations

from agents import agent
from agents.simulated_questions import simulated_questions
from arena import Arm, Sampling, Stage, Study, Subject, against_itself, round_robin
from protocols.confidence import confidence_elicitation
from protocols.debate import PRESETS, debate
from protocols.judging import jury
from protocols.leap import leap, leap_segmented
from protocols.self_agreement import self_agreement
from protocols.self_consistency import self_consistency
from protocols.single import single
from protocols.society_of_minds import society_of_minds

SIMULATED = ["debates", "jury", "sequential", "second_jury", "questions", "confidence"]
JUDGES = ["sim/judge:seed=1", "sim/judge:side=-0.5:seed=2", "sim/judge:first=0.7:seed=3"]
SIZES = {"think_tokens": 96, "summary_tokens": 48, "answer_tokens": 16}
COLOURS = ("Blue", "Green", "Red")


def motions(*words: str) -> list[Subject]:
    """Make motions of our own."""
    texts = (f"This house would {text}." for text in words)
    return [Subject(text, source="made for a test", licence="CC0-1.0") for text in texts]


def debates() -> list[Study]:
    """Let three simulated debaters meet each other and themselves."""
    weak = agent("sim/modest:strength=-0.8:words=30", name="weak", system="Be brief.")
    strong = agent("sim/overconfident:strength=0.8", sampling=Sampling(max_tokens=300))
    vague = agent("sim/erratic:unreadable=0.5:strength=0.1:family=2")
    three = [weak, strong, vague]
    arms = [
        Arm("cross_model", debate, round_robin(three), PRESETS["cross_model"]),
        Arm("self", debate, against_itself(three), PRESETS["self"]),
    ]
    return [Study("debates", arms, motions("keep old stores readable", "count every call"))]


def sequential() -> list[Study]:
    """Let simulated debaters speak in turn, and show their ratings, each twice."""
    three = [agent(f"sim/even:strength={strength}:words=9") for strength in (0.5, 0.1, -0.5)]
    arms = [
        Arm("multi_round", debate, round_robin(three, mirrored=False), PRESETS["multi_round"]),
        Arm("public", debate, against_itself(three[:2]), PRESETS["public"]),
    ]
    return [Study("sequential", arms, motions("speak in turn"), repeats=2)]


def first_jury() -> list[Stage]:
    """Let three judges read the debates in both orders."""
    return [jury("debates jury", *debates(), [agent(reference) for reference in JUDGES])]


def second_jury() -> list[Stage]:
    """Let two judges read the others as they were played, twice."""
    judges = [agent(reference) for reference in JUDGES[:2]]
    return [jury("sequential jury", *sequential(), judges, orders=["as played"], repeats=2)]


def questions() -> list[Study]:
    """Put three simulated questions to a simulated solver in six ways."""
    lineup = [{"solver": agent("sim/solver:ability=0.5", sampling=Sampling(temperature=0.7))}]
    arms = [
        Arm("single", single, lineup),
        Arm("vote", self_consistency, lineup, {"paths": 4}),
        Arm("one more", self_agreement, lineup, {"paths": 3}),
        Arm("society", society_of_minds, lineup, {"agents": 2, "rounds": 2}),
        Arm("leap", leap, lineup, {"paths": 3, "turns": 2, "top_k": 1, **SIZES}),
        Arm("segmented", leap_segmented, lineup, {"paths": 3, "turns": 2, "top_k": 1}),
    ]
    return [Study("questions", arms, simulated_questions(3))]


def confidence() -> list[Study]:
    """Ask two simulated solvers how sure they are, in three ways."""
    solvers = ["sim/solver:bias=0.25", "sim/solver:ability=1.5:bias=0.0:unreadable=0.1"]
    lineups = [{"solver": agent(reference)} for reference in solvers]
    arms = [
        Arm(strategy, confidence_elicitation, lineups, {"strategy": strategy, **options})
        for strategy, options in (
            ("vanilla", {"samples": 3}),
            ("top_k", {"k": 3}),
            ("self_probing", {"temperature": 0.4}),
        )
    ]
    return [Study("confidence_elicitation", arms, simulated_questions(3, seed=1))]


def toy() -> list[Study]:
    """Let paths of the toy model read summaries: tokens, measures, prefills and routes."""
    from agents.toy.problems import sums

    solver = [{"solver": agent("toy/sum", sampling=Sampling(temperature=1.7, max_tokens=100))}]
    sizes = {"turns": 4, "think_tokens": 24, "summary_tokens": 16, "answer_tokens": 8, "part": [0]}
    arms = [
        Arm("vote", self_consistency, solver, {"paths": 2}),
        Arm("leap", leap, solver, {"paths": 3, "top_k": 2, **sizes}),
    ]
    return [Study("toy", arms, sums(2))]


def remote(url: str) -> list[Study]:
    """Put three questions to a server: of a choice, of a number, and without a right answer."""
    lineup = [{"solver": agent(f"http/small@{url}", sampling=Sampling(temperature=0.7))}]
    asked = [
        Subject("Which colour is meant?", "question", gold="B", choices=COLOURS),
        Subject("How much is six times seven?", "question", gold="42"),
        Subject("What is the answer?", "question"),
    ]
    arms = [Arm("single", single, lineup), Arm("vote", self_consistency, lineup, {"paths": 3})]
    return [Study("remote", arms, asked)]


def faults(url: str, name: str) -> list[Study]:
    """Debate over a server that fails: once for one motion, for ever for another."""
    pair = [agent(f"http/small@{url}"), agent(f"http/large@{url}")]
    subjects = motions("answer after a fault", "be refused", "stay unreadable")
    lineup = {"proposition": pair[0], "opposition": pair[1]}
    return [Study(name, [Arm("cross_model", debate, [lineup])], subjects)]


def study(
    *, url: str = "http://127.0.0.1:9/v1", parts: list[str] = SIMULATED
) -> list[Study | Stage]:
    """Give the studies that these parts name."""
    made = {
        "debates": debates,
        "sequential": sequential,
        "second_jury": second_jury,
        "jury": first_jury,
        "questions": questions,
        "confidence": confidence,
        "toy": toy,
        "remote": lambda: remote(url),
        "faults": lambda: faults(url, "faults"),
        "again": lambda: faults(url, "faults again"),
    }
    return [stage for part in parts for stage in made[part]()]
