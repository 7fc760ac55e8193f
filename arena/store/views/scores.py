"""Views of what was found out about stored turns later: scores of estimators, and asides."""

from __future__ import annotations

from arena.store.views.base import View

SCORE_VIEWS: dict[str, View] = {
    "latest_scores": View(
        "One row is a number that an estimator gives to a stored turn, in a finished scoring",
        """
        select j.study as scoring_study, j.arm as scoring_arm, s.* from scores s
        join episodes j on j.episode = s.scoring and j.status = 'done'
        anti join left_out l on l.episode = s.episode
        """,
        {
            "scoring_study": "the study in which the estimator was played",
            "scoring_arm": "its arm: the estimator's function, and the agent that it asked",
        },
        question="How sure does each estimator say that the model was of each reply?",
    ),
    "asides": View(
        "One row is a question that a seat was asked aside after one of its turns, with what it"
        " said in that turn",
        """
        select p.study, p.arm, a.parent as episode, a.parent_seat as seat, a.parent_step as step,
               t.phase, t.round, s.agent, s.model, t.confidence, t.confidence_status,
               a.study as aside_study, a.arm as aside_arm, a.episode as aside, a.options,
               u.confidence as aside_confidence, u.confidence_status as aside_status,
               u.thoughts as aside_words
        from episodes a join episodes p on p.episode = a.parent
        join latest_turns t on t.episode = a.parent and t.seat = a.parent_seat
                           and t.step = a.parent_step
        join seats s on s.episode = a.parent and s.seat = a.parent_seat
        join latest_turns u on u.episode = a.episode and u.seat = 'speaker' and u.step = 0
        where a.protocol = 'asked_aside' and a.status = 'done'
        """,
        {
            "study": "the study whose seat was asked",
            "episode": "the play after whose turn it was asked",
            "confidence": "what the turn states, in [0, 1]; NULL: see confidence_status",
            "aside_study": "the study that asked",
            "aside_arm": "its arm",
            "aside": "the play of the question",
            "options": "what was asked, and how the reply was read",
            "aside_confidence": "what is stated aside, in [0, 1]; NULL: see aside_status",
            "aside_status": "read, not asked, or the reason why there is no confidence",
            "aside_words": "what else was said aside, which nobody was shown",
        },
        question="What does a seat say aside, and what did it say in the turn before?",
    ),
}
