"""Canned queries about stated confidence: how high it is, how it moves, and why.

The questions are those that one asks of the debates of arXiv 2505.19184.  Those about why a rating
moves read `speeches`, which gives with each speech its rating, the other side's ratings before and
after it was heard, and whether its side won.
"""

from __future__ import annotations

from arena.store.views.base import CannedQuery, View

N_RATED = {"n": "ratings", "mean": "mean rating, in [0, 1]"}
PRIVATE_TAG = r"bet\\?_logic\\?_private|<\s*/?\s*thoughts\b"
RATING_TAG = r"bet\\?_amount|<\s*/?\s*rating\b"
RATING_IN_TAG = r"<\s*(bet\\?_amount|rating)\s*>\s*\d"
PERCENTAGE = r"(\d{1,3}(?:\.\d+)?)\s?(?:%|percent\b|out of 100\b|/\s?100\b)"

# Both sides of a parallel debate speak before they hear each other: the nth speech of one side
# meets the nth of the other, and is heard before the next.
SPEECHES = View(
    "One row is a debater's speech with its rating, what the other side rated before and after"
    " hearing it, and whether its side won",
    """
    with said as (
        select study, arm, episode, subject, day, seat, model, opponent_model, model_served, step,
               round, phase, asks, words, confidence, confidence_status, rating_public,
               played_here, sequential and seat = 'proposition' as heard_at_once,
               row_number() over own as place, lag(confidence) over own as before,
               lead(confidence) over own as after
        from ratings window own as (partition by study, arm, episode, seat order by step))
    select t.study, t.arm, t.episode, t.subject, t.day, t.seat, t.model, t.opponent_model,
           t.model_served, t.step, t.round, t.phase, t.asks, t.words,
           coalesce(t.words, 0) < 5 as empty, t.confidence, t.confidence_status, t.rating_public,
           t.played_here, round(t.confidence - t.before, 12) as change,
           o.confidence as opponent_confidence,
           if(t.heard_at_once, o.before, o.confidence) as opponent_before,
           if(t.heard_at_once, o.confidence, o.after) as opponent_after,
           round(opponent_after - opponent_before, 12) as opponent_change, w.result
    from said t left join said o
        on o.episode = t.episode and o.seat <> t.seat and o.place = t.place
    left join debaters w on w.episode = t.episode and w.seat = t.seat
    """,
    {
        "day": "the day on which the debate began, UTC; for imports from the file's name",
        "seat": "proposition or opposition",
        "opponent_model": "the other side's model",
        "words": "words between blanks in what others may read; NULL: no readable speech",
        "empty": "whether it has fewer than five words",
        "played_here": "whether a request is on record; false for imports",
        "change": "its rating minus the side's rating before",
        "opponent_confidence": "the other side's rating in the same phase",
        "opponent_before": "the other side's last rating before it heard this speech; NULL: none",
        "opponent_after": "the other side's first rating after it heard this speech; NULL: none",
        "opponent_change": "opponent_after minus opponent_before",
        "result": "1 where the side won by the sum of the judges' confidences, 0 where it lost,"
        " 0.5 for a tie; NULL: not decided",
    },
)

FIRST_AND_LAST = """
    select {by}, count(*) as seats, count(rise) as n,
           round(avg(first) filter (last is not null), 12) as first,
           round(avg(last) filter (first is not null), 12) as last,
           round(avg(rise), 12) as rise,
           count(*) filter (rise > 0) / nullif(n, 0) as share_up,
           count(*) filter (rise < 0) / nullif(n, 0) as share_down
    from first_and_last where first_round is not null group by {by} order by {by}
"""
RISE_COLUMNS = {
    "seats": "seats in finished debates",
    "n": "seats with a rating in both the first and the last rated phase of the arm; the others"
    " are left out",
    "first": "their mean rating in the first phase, in [0, 1]",
    "last": "their mean rating in the last phase, in [0, 1]",
    "rise": "last minus first",
    "share_up": "share of them that ended higher than they began",
    "share_down": "share of them that ended lower than they began",
}

CONFIDENCE: dict[str, CannedQuery] = {
    "speeches": CannedQuery(
        "What was each speech rated, what came before and after it, and did its side win?", SPEECHES
    ),
    "confidence_by_model": CannedQuery(
        "How sure of winning is each model in each phase?",
        View(
            "Stated confidence of debaters by study, arm, model and phase",
            """
            select study, arm, model, round, phase, count(confidence) as n,
                   round(avg(confidence), 12) as mean, round(stddev_samp(confidence), 12) as sd,
                   count(*) filter (missing) as missing
            from ratings group by study, arm, model, round, phase order by all
            """,
            N_RATED
            | {
                "sd": "sample standard deviation",
                "missing": "ratings that were asked for and could not be read",
            },
        ),
    ),
    "excess_by_phase": CannedQuery(
        "By how much do the two sides' chances add up to more than 100%, in each phase?",
        View(
            "Mean of both sides' ratings together minus 1, by study, arm and phase",
            """
            select study, arm, round, phase, count(excess) as debates,
                   round(avg(excess), 12) as mean_excess,
                   round(stddev_samp(excess), 12) as sd,
                   count(*) filter (excess > 0) / nullif(debates, 0) as share_above_0,
                   count(*) - debates as missing
            from side_confidence group by all order by all
            """,
            {
                "debates": "debates with a rating from both sides",
                "mean_excess": "mean of the sum of both ratings minus 1; 0 where the sides agree"
                " on their chances",
                "sd": "sample standard deviation over debates",
                "share_above_0": "share of debates in which both sides together claim more than"
                " 100%",
                "missing": "debates in which a side's rating is missing",
            },
        ),
    ),
    "rise_by_model": CannedQuery(
        "Which model becomes surer from the first phase to the last, and how often?",
        View(
            "Change of confidence from the first rated phase to the last, by study, arm and model",
            FIRST_AND_LAST.format(by="study, arm, model"),
            RISE_COLUMNS,
        ),
    ),
    "rise": CannedQuery(
        "What share of debaters raised or lowered their confidence from the first phase to the"
        " last?",
        View(
            "Change of confidence from the first rated phase to the last, by study and arm",
            FIRST_AND_LAST.format(by="study, arm"),
            RISE_COLUMNS,
        ),
    ),
    "common_confidences": CannedQuery(
        "Which numbers are stated most often?",
        View(
            "How often each confidence was stated, by study and arm, the most common first",
            """
            select study, arm, confidence, count(*) as n,
                   n / sum(count(*)) over (partition by study, arm) as share
            from ratings where confidence is not null group by study, arm, confidence
            order by study, arm, n desc, confidence
            """,
            {
                "confidence": "in [0, 1]",
                "n": "how often it was stated",
                "share": "share of all ratings of the arm",
            },
        ),
    ),
    "round_numbers": CannedQuery(
        "What share of each model's confidences are round numbers?",
        View(
            "Share of ratings that are multiples of 5 and of 10 percent, by study, arm and model",
            """
            select study, arm, model, count(*) as n,
                   count(*) filter (round(100 * confidence, 6) % 5 = 0) as multiples_of_5,
                   count(*) filter (round(100 * confidence, 6) % 10 = 0) as multiples_of_10,
                   multiples_of_5 / n as share_of_5,
                   multiples_of_10 / n as share_of_10, count(distinct confidence) as different
            from ratings where confidence is not null group by study, arm, model
            order by study, arm, model
            """,
            {
                "n": "ratings",
                "multiples_of_5": "ratings that are a multiple of 5 percent",
                "multiples_of_10": "ratings that are a multiple of 10 percent",
                "share_of_5": "their share, in [0, 1]",
                "share_of_10": "their share, in [0, 1]",
                "different": "how many different numbers the model stated",
            },
        ),
    ),
    "self_spread": CannedQuery(
        "How far apart are the two sides where one model debates itself?",
        View(
            "Difference of both sides' ratings in debates of a model against itself, by study,"
            " arm, model and phase",
            """
            select study, arm, proposition_model as model, round, phase, count(*) as debates,
                   round(avg(abs(proposition - opposition)), 12) as mean_spread,
                   round(max(abs(proposition - opposition)), 12) as widest,
                   round(avg(proposition - opposition), 12) as mean_lead
            from side_confidence
            where proposition_model = opposition_model and excess is not null
            group by study, arm, model, round, phase order by study, arm, model, round, phase
            """,
            {
                "debates": "debates with a rating from both sides",
                "mean_spread": "mean absolute difference of the two ratings",
                "widest": "the largest of these differences",
                "mean_lead": "mean of the proposition's rating minus the opposition's",
            },
        ),
    ),
    "visible_confidence": CannedQuery(
        "Does the confidence that an opponent shows predict how one's own changes next, and does"
        " one that it hides?",
        View(
            "How a debater's next change of rating goes with the opponent's rating, seen or not,"
            " by study and arm",
            """
            select study, arm, rating_public as visible, count(*) as n,
                   case when stddev_pop(confidence) > 0 and stddev_pop(opponent_change) > 0
                        then round(corr(confidence, opponent_change), 9) end as correlation,
                   case when stddev_pop(confidence) > 0
                       then round(regr_slope(opponent_change, confidence), 9) end as slope
            from speeches where confidence is not null and opponent_change is not null
            group by study, arm, rating_public order by study, arm, visible
            """,
            {
                "visible": "whether the rating was shown to the opponent; where it was not, a"
                " correlation comes from the speeches alone",
                "n": "ratings with a rating of the opponent before and after the speech was heard",
                "correlation": "Pearson's, of the rating and the opponent's next change; NULL"
                " where one of them never varies",
                "slope": "change of the opponent's rating per 1.0 of the rating (least squares);"
                " NULL where it never varies",
            },
        ),
    ),
    "next_after_empty": CannedQuery(
        "How does confidence change after the opponent said next to nothing?",
        View(
            "Mean change of the rating after the opponent's speech, by study and arm, for speeches"
            " of under 5 words and all others",
            """
            select study, arm, empty, count(*) as n, round(avg(opponent_change), 12) as mean_change,
                   round(stddev_samp(opponent_change), 12) as sd
            from speeches where opponent_change is not null group by study, arm, empty
            order by study, arm, empty
            """,
            {
                "empty": "whether the speech that was heard has fewer than five words, or was"
                " unreadable",
                "n": "speeches with a rating of the listener before and after",
                "mean_change": "mean of the listener's rating after the speech minus before it",
                "sd": "sample standard deviation of the change",
            },
        ),
    ),
    "private_words": CannedQuery(
        "Which speeches let private words or ratings slip, and what did the opponent's next rating"
        " do?",
        View(
            "One row is a speech with remnants of the tags that should have kept thoughts and"
            " rating private",
            f"""
            select s.study, s.arm, s.episode, s.seat, s.step, s.round, s.phase, s.model,
                   regexp_matches(t.public, '{PRIVATE_TAG}', 'i')
                   as private_tag, regexp_matches(t.public, '{RATING_TAG}', 'i') as rating_tag,
                   regexp_matches(t.public, '{RATING_IN_TAG}', 'i') as rating, s.opponent_before,
                   s.opponent_after, s.opponent_change
            from speeches s join turns t using (episode, seat, step) where private_tag or rating_tag
            order by s.study, s.arm, s.episode, s.round, s.seat
            """,
            {
                "private_tag": "whether a tag of private thoughts stands in the speech; not every"
                " remnant carries content",
                "rating_tag": "whether a tag of the rating stands in it",
                "rating": "whether the rating's number stands in it behind its tag",
                "opponent_before": "the opponent's last rating before it heard the speech; NULL:"
                " none",
                "opponent_after": "the opponent's first rating after it heard the speech; NULL:"
                " none, as after a last speech",
                "opponent_change": "opponent_after minus opponent_before",
            },
        ),
    ),
    "stated_in_thoughts": CannedQuery(
        "Does the stated confidence agree with the number in the private thoughts?",
        View(
            "One row is a rating whose thoughts name a percentage, with the last one that they"
            " name",
            f"""
            select s.study, s.arm, s.episode, s.seat, s.step, s.round, s.phase, s.model,
                   s.confidence,
                   round(regexp_extract_all(t.thoughts, '{PERCENTAGE}', 1)[-1]::double / 100,
                   12) as in_thoughts,
                   round(s.confidence - in_thoughts, 12) as difference,
                   len(regexp_extract_all(t.thoughts, '{PERCENTAGE}', 1)) as numbers
            from speeches s join turns t using (episode, seat, step)
            where s.confidence is not null and in_thoughts <= 1
            order by s.study, s.arm, s.episode, s.round, s.seat
            """,
            {
                "in_thoughts": "the last number before %, percent or out of 100 in the thoughts,"
                " over 100; it need not be about winning",
                "difference": "stated confidence minus that",
                "numbers": "how many such numbers stand in the thoughts",
            },
        ),
    ),
    "drift_by_date": CannedQuery(
        "Do confidences drift by date or by the snapshot of a model?",
        View(
            "Stated confidence by study, arm, phase, day and served model; days differ in models"
            " and motions too, where a study played them so",
            """
            select study, arm, round, phase, day, model_served, count(confidence) as n,
                   round(avg(confidence), 12) as mean,
                   count(distinct model) as models, count(distinct subject) as motions
            from ratings group by study, arm, round, phase, day, model_served order by all
            """,
            N_RATED
            | {
                "day": "the day on which the debate began, UTC; for imports from the file's name;"
                " NULL: unknown",
                "model_served": "the model as the provider named it; NULL: not said, as in imports",
                "models": "different models behind the mean",
                "motions": "different motions behind the mean",
            },
        ),
    ),
}
