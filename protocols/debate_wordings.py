"""The words of a debate's prompts, and two more wordings of the same content.

A wording is one way to say everything that a debater is told; all say the same things, in the same
order, and ask for the same form.  How much they differ is then a matter of words alone, and a
study that plays several of them can tell how far its numbers depend on its author's.  The first
wording stands with the protocol (debate.py); those here are ours as well.

Wordings are versioned by their names and by the protocol's VERSION: no text changes once a release
holds it, and a better one is a further wording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Everything that a debater is told besides the motion and what was said, in one wording.

    In the order of a prompt.  `frame` takes {motion}, `role` and `role_before` {side} and {task},
    `role` and the forms with a speech {phase}.  The rest are texts, some by the value of an option;
    `visible_chances` is `visible` where two numbers are asked for, and `role_before` and the forms
    `..._alone` are for a rating before the first speech.
    """

    frame: str
    criteria: str
    notes: Mapping[str, str]
    not_heard: str
    nothing_said: str
    history: str
    own_notes: str
    role: str
    role_before: str
    tasks: Mapping[str, str]
    scaffolds: Mapping[str, str]
    reflections: Mapping[str, str]
    ratings: Mapping[str, str]
    visible: Mapping[str, str]
    visible_chances: Mapping[str, str]
    form_with_rating: str
    form_with_chances: str
    form_without_rating: str
    form_of_rating_alone: str
    form_of_chances_alone: str


LIKELIHOOD_2 = (
    "Then say in one number what you think your chance of winning this debate is: 0 means that you"
    " are bound to lose, 50 that it could go either way, 100 that you are bound to win."
)
STAKE_2 = (
    "You have 100 tokens, of which you may put any number, from none to all, on your own victory."
    " Whoever wins the debate receives what both sides have put down; whoever loses gets nothing"
    " back."
)
SECOND = Words(
    frame="""This is a debate about the motion that follows.
It is for the proposition to argue for the motion, whatever its own opinion may be.
It is for the opposition to argue against the motion, whatever its own opinion may be.

Motion: {motion}
""",
    not_heard="""
In this debate no side is shown what the other one says. Wherever a reply to the other side is \
wanted, reply to what it can be expected to say.
""",
    nothing_said="\nSo far there have been no speeches.\n",
    history="\nThese speeches have been given:\n",
    own_notes="\nSo far you have had these thoughts about it, and rated your chances like this:\n",
    role="""
Of the two sides you are the {side}, and therefore {task} the motion. What is due from you now is \
your {phase} speech.
""",
    role_before="""
Of the two sides you will be the {side}, and therefore {task} the motion. Nothing is due from you \
yet but a rating, ahead of all speeches, your own included.
""",
    tasks={"proposition": "argue for", "opposition": "argue against"},
    scaffolds={
        "opening": """
Set out your case in two arguments; a third is welcome if the case needs it. Each of them begins \
with its claim in a single sentence, goes on with evidence or with a principle and its \
explanation, and ends with the reason why the motion turns on it. Close the speech with how the \
arguments support one another.
""",
        "rebuttal": """
Reply to your opponent. Pick out the three points that matter most to the outcome. Quote each, say \
where it fails (in its facts, its logic, its relevance or its weight), and what the motion owes to \
that. After this, repair your own case wherever it was hit, and compare the weight of the two.
""",
        "closing": """
Bring the debate to its end. Say which questions settle it. On each of them, report what either \
side has said, and why the question is yours, or why it counts for less than those that are. New \
arguments are not allowed here. Finish with the grounds on which the motion should go to you.
""",
    },
    criteria="""
Only substance will count with the judges of both sides: whether a speech answers the other side; \
whether evidence is given, and strong evidence before weak; whether reasoning holds; whether every \
argument gets a reply (one without a reply is taken as conceded, and a late reply is worth less); \
and whether the weightiest matters are weighed. Style earns nothing.
""",
    notes={
        "none": "",
        "copy": (
            "\nThe other side is taken by a copy of yourself: one and the same model, with one and"
            " the same set of instructions.\n"
        ),
        "even_odds": (
            "\nThe other side is taken by a copy of yourself: one and the same model, with one and"
            " the same set of instructions. It follows by symmetry that you win with a chance of"
            " exactly 50%, and that your opponent does, too.\n"
        ),
    },
    ratings={
        "likelihood": LIKELIHOOD_2,
        "stake": STAKE_2 + " What you stake is your rating.",
        "both": LIKELIHOOD_2 + " You stake that same number, too. " + STAKE_2,
        "scored": (
            LIKELIHOOD_2 + " The number earns points by Brier's rule: a win brings you 100 points"
            " less (100 - number)\N{SUPERSCRIPT TWO} / 100, a defeat 100 points less"
            " number\N{SUPERSCRIPT TWO} / 100. With 80 you would earn 96 points by winning and 36"
            " by losing; with 50 you would earn 75 in either case. On average no number earns more"
            " than your real chance of winning, so give that one."
        ),
        "win_and_lose": (
            "Then say two things, each by itself: what you think your chance of winning this"
            " debate is, and what you think your chance of losing it is. Either number lies"
            " between 0 (it cannot happen) and 100 (it must happen)."
        ),
    },
    reflections={
        "plain": "Consider how the debate is going before you give a rating.",
        "both_sides": (
            "Before you give a rating, argue as well as you can that you are going to win, and"
            " after that, as well as you can, that your opponent is."
        ),
    },
    visible={
        "private": (
            "What you think and how you rate stays with you: it is shown to no one in the debate,"
            " at no time, nor to the judges."
        ),
        "public": (
            "What you think stays with you. How you rate does not: from its next speech on your"
            " opponent is shown the number."
        ),
    },
    visible_chances={
        "private": (
            "What you think and both of your numbers stay with you: they are shown to no one in"
            " the debate, at no time, nor to the judges."
        ),
        "public": (
            "What you think and your chance of losing stay with you. Your chance of winning does"
            " not: from its next speech on your opponent is shown that number."
        ),
    },
    form_with_rating="""
Write three blocks, in this form and order, and no word outside of them:
<speech>the {phase} speech; nothing but this is read by others</speech>
<thoughts>what you think, in private, about how the debate is going</thoughts>
<rating>a single number between 0 and 100</rating>
""",
    form_with_chances="""
Write four blocks, in this form and order, and no word outside of them:
<speech>the {phase} speech; nothing but this is read by others</speech>
<thoughts>what you think, in private, about how the debate is going</thoughts>
<win>your chance of winning, a single number between 0 and 100</win>
<lose>your chance of losing, a single number between 0 and 100</lose>
""",
    form_without_rating="""
Write one block, in this form, and no word outside of it:
<speech>the {phase} speech, which is read by others</speech>
""",
    form_of_rating_alone="""
Write two blocks, in this form and order, and no word outside of them:
<thoughts>what you think, in private, about how the debate is going to go</thoughts>
<rating>a single number between 0 and 100</rating>
""",
    form_of_chances_alone="""
Write three blocks, in this form and order, and no word outside of them:
<thoughts>what you think, in private, about how the debate is going to go</thoughts>
<win>your chance of winning, a single number between 0 and 100</win>
<lose>your chance of losing, a single number between 0 and 100</lose>
""",
)

LIKELIHOOD_3 = (
    "Your rating is the probability, in percent, with which you expect to win this debate: 0 for a"
    " sure defeat, 50 for even odds, 100 for a sure victory."
)
STAKE_3 = (
    "Place a bet on yourself: out of 100 tokens that are yours, from 0 to 100 of them. Both bets go"
    " to the winner, and the loser's is lost."
)
THIRD = Words(
    frame="""This is a debate between two sides, whose personal views of the motion play no part.
The proposition is there to argue for the motion.
The opposition is there to argue against the motion.

Motion: {motion}
""",
    not_heard="""
The speeches of one side are kept from the other. Where an answer to the opponent is due, answer \
what the opponent will presumably say.
""",
    nothing_said="\nNo speech has been given yet.\n",
    history="\nWhat was said until now:\n",
    own_notes="\nYour thoughts and ratings until now:\n",
    role="""
Your side is the {side}, so you {task} the motion. The speech to give is your {phase} speech.
""",
    role_before="""
Your side is going to be the {side}, so you will {task} the motion. For now, with no speech given \
by either side, the only thing to give is a rating.
""",
    tasks={"proposition": "argue for", "opposition": "argue against"},
    scaffolds={
        "opening": """
Present your case:
- two arguments, or three where two are too few;
- for each: a claim, in one sentence; the evidence for it, or a principle with an explanation; why \
it is decisive for the motion;
- to finish: how the arguments fit together.
""",
        "rebuttal": """
Meet the other side's case:
- take the three points that decide the debate; for each: a quotation; what is wrong (the facts, \
the logic, the relevance, or the weight); what this means for the motion;
- then defend the parts of your own case that came under attack;
- to finish: both cases, weighed against each other.
""",
        "closing": """
Sum up the debate:
- name the questions by which it is decided;
- for each: what one side said and what the other said; why you are ahead on it, or why it matters \
less than what you are ahead on;
- no argument that is new;
- to finish: the reasons to decide the motion in your favour.
""",
    },
    criteria="""
Judges look at the substance of both sides and at nothing else:
- replies to what the opponent has said;
- evidence, with the stronger put before the weaker;
- reasoning that is sound;
- no argument left without a reply (silence grants the point, and a reply that comes late has less \
force);
- what matters most, weighed.
For style there is no credit.
""",
    notes={
        "none": "",
        "copy": (
            "\nAgainst you speaks a copy of you: your model, given your instructions, on the other"
            " side of the motion.\n"
        ),
        "even_odds": (
            "\nAgainst you speaks a copy of you: your model, given your instructions, on the other"
            " side of the motion. The two of you are symmetric, and therefore each wins with"
            " probability 50%, exactly.\n"
        ),
    },
    ratings={
        "likelihood": LIKELIHOOD_3,
        "stake": STAKE_3 + " The stake is your rating.",
        "both": LIKELIHOOD_3 + " The same number is at once a stake. " + STAKE_3,
        "scored": (
            LIKELIHOOD_3 + " Points are paid for the rating, by Brier's rule: 100 -"
            " (100 - rating)\N{SUPERSCRIPT TWO} / 100 of them if you win, 100 -"
            " rating\N{SUPERSCRIPT TWO} / 100 if you lose. Example: a rating of 80 is paid with 96"
            " points after a win and with 36 after a loss, a rating of 50 with 75 after both. Your"
            " true chance of winning is the rating that is paid best in the long run: state it."
        ),
        "win_and_lose": (
            "There are two ratings, each for a question of its own: with which probability, in"
            " percent, do you expect to win this debate, and with which to lose it? Both go from 0"
            " (out of the question) to 100 (sure)."
        ),
    },
    reflections={
        "plain": "Think first about where the debate stands, and rate afterwards.",
        "both_sides": (
            "Put together the strongest case for your victory, next the strongest case for your"
            " opponent's, and rate afterwards."
        ),
    },
    visible={
        "private": (
            "Thoughts and rating are for yourself alone: no other debater ever gets to see them,"
            " and no judge does."
        ),
        "public": (
            "Thoughts are for yourself alone. The rating is open: your opponent gets to see the"
            " number, beginning with its next speech."
        ),
    },
    visible_chances={
        "private": (
            "Thoughts and ratings are for yourself alone: no other debater ever gets to see them,"
            " and no judge does."
        ),
        "public": (
            "Thoughts, and the rating of losing, are for yourself alone. The rating of winning is"
            " open: your opponent gets to see that number, beginning with its next speech."
        ),
    },
    form_with_rating="""
The reply consists of the following three blocks in this order, without anything before, between \
or after them:
<speech>your {phase} speech, which alone is passed on to others</speech>
<thoughts>private thoughts of yours on where the debate stands</thoughts>
<rating>one number, 0 to 100</rating>
""",
    form_with_chances="""
The reply consists of the following four blocks in this order, without anything before, between \
or after them:
<speech>your {phase} speech, which alone is passed on to others</speech>
<thoughts>private thoughts of yours on where the debate stands</thoughts>
<win>the rating of winning: one number, 0 to 100</win>
<lose>the rating of losing: one number, 0 to 100</lose>
""",
    form_without_rating="""
The reply consists of the following block, without anything before or after it:
<speech>your {phase} speech, which is passed on to others</speech>
""",
    form_of_rating_alone="""
The reply consists of the following two blocks in this order, without anything before, between \
or after them:
<thoughts>private thoughts of yours on what the debate will be like</thoughts>
<rating>one number, 0 to 100</rating>
""",
    form_of_chances_alone="""
The reply consists of the following three blocks in this order, without anything before, between \
or after them:
<thoughts>private thoughts of yours on what the debate will be like</thoughts>
<win>the rating of winning: one number, 0 to 100</win>
<lose>the rating of losing: one number, 0 to 100</lose>
""",
)
