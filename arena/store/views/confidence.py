"""Canned queries about stated confidence: how high it is, how it moves, and why.

The questions are those that one asks of the debates of arXiv 2505.19184.  Those about why a rating
moves read `speeches`, which gives with each speech its rating, the other side's ratings before and
after it was heard, and whether its side won.
"""

from __future__ import annotations

from arena.store.views.base import View

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
               round, phase, asks, words, confidence, confidence_status, rating_public, played_here,
               reader_version,
               sequential and seat = 'proposition' as heard_at_once, row_number() over own as place,
               lag(confidence) over own as before, lead(confidence) over own as after
        from rated_turns window own as (partition by study, arm, episode, seat order by step))
    select t.study, t.arm, t.episode, t.subject, t.day, t.seat, t.model, t.opponent_model,
           t.model_served, t.step, t.round, t.phase, t.asks, t.words,
           coalesce(t.words, 0) < 5 as empty, t.confidence, t.confidence_status, t.rating_public,
           t.played_here, t.reader_version, round(t.confidence - t.before, 12) as change,
           o.confidence as opponent_confidence,
           case when t.heard_at_once then o.before else o.confidence end as opponent_before,
           case when t.heard_at_once then o.confidence else o.after end as opponent_after,
           round(opponent_after - opponent_before, 12) as opponent_change, w.result
    from said t left join said o on o.episode = t.episode and o.seat <> t.seat and o.place = t.place
    left join debaters w on w.episode = t.episode and w.seat = t.seat
    """,
    {
        "seat": "proposition or opposition",
        "empty": "whether it has fewer than five words",
        "change": "its rating minus the side's rating before",
        "opponent_confidence": "the other side's rating in the same phase",
    },
    question="What was each speech rated, what came before and after it, and did its side win?",
)

FIRST_AND_LAST = """
    select {by}, count(*) as seats, count(rise) as n,
           round(avg(first) filter (last is not null), 12) as first,
           round(avg(last) filter (first is not null), 12) as last, round(avg(rise), 12) as rise,
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

CONFIDENCE: dict[str, View] = {
    "speeches": SPEECHES,
    "confidence_by_model": View(
        "Stated confidence of debaters by study, arm, model and phase",
        """
        select study, arm, model, round, phase, count(confidence) as n,
               round(avg(confidence), 12) as mean, round(stddev_samp(confidence), 12) as sd,
               count(*) filter (missing) as missing
        from rated_turns group by study, arm, model, round, phase order by all
        """,
        question="How sure of winning is each model in each phase?",
    ),
    "excess_by_phase": View(
        "Mean of both sides' ratings together minus 1, by study, arm and phase",
        """
        select study, arm, round, phase, count(excess) as debates,
               round(avg(excess), 12) as mean_excess, round(stddev_samp(excess), 12) as sd,
               count(*) filter (excess > 0) / nullif(debates, 0) as share_above_0,
               count(*) - debates as missing
        from side_confidence group by all order by all
        """,
        {
            "mean_excess": "mean of the sum of both ratings minus 1; 0 where the sides agree"
            " on their chances",
            "share_above_0": "share of debates in which both sides together claim more than 100%",
            "missing": "debates in which a side's rating is missing",
        },
        question="By how much do the two sides' chances add up to more than 100%, in each phase?",
    ),
    "rise_by_model": View(
        "Change of confidence from the first rated phase to the last, by study, arm and model",
        FIRST_AND_LAST.format(by="study, arm, model"),
        RISE_COLUMNS,
        question="Which model becomes surer from the first phase to the last, and how often?",
    ),
    "rise": View(
        "Change of confidence from the first rated phase to the last, by study and arm",
        FIRST_AND_LAST.format(by="study, arm"),
        RISE_COLUMNS,
        question="What share of debaters raised or lowered their confidence from the first phase to"
        " the last?",
    ),
    "common_confidences": View(
        "How often each confidence was stated, by study and arm, the most common first",
        """
        select study, arm, confidence, count(*) as n,
               n / sum(count(*)) over (partition by study, arm) as share
        from rated_turns where confidence is not null group by study, arm, confidence
        order by study, arm, n desc, confidence
        """,
        {
            "n": "how often it was stated",
            "share": "share of all ratings of the arm",
        },
        question="Which numbers are stated most often?",
    ),
    "round_numbers": View(
        "Share of ratings that are multiples of 5 and of 10 percent, by study, arm and model",
        """
        select study, arm, model, count(*) as n,
               count(*) filter (round(100 * confidence, 6) % 5 = 0) as multiples_of_5,
               count(*) filter (round(100 * confidence, 6) % 10 = 0) as multiples_of_10,
               multiples_of_5 / n as share_of_5, multiples_of_10 / n as share_of_10,
               count(distinct confidence) as different
        from rated_turns where confidence is not null group by study, arm, model
        order by study, arm, model
        """,
        {
            "multiples_of_5": "ratings that are a multiple of 5 percent",
            "multiples_of_10": "ratings that are a multiple of 10 percent",
            "share_of_5": "their share, in [0, 1]",
            "share_of_10": "their share, in [0, 1]",
            "different": "how many different numbers the model stated",
        },
        question="What share of each model's confidences are round numbers?",
    ),
    "self_spread": View(
        "Difference of both sides' ratings in debates of a model against itself, by study,"
        " arm, model and phase",
        """
        select study, arm, proposition_model as model, round, phase, count(*) as debates,
               round(avg(abs(proposition - opposition)), 12) as mean_spread,
               round(max(abs(proposition - opposition)), 12) as widest,
               round(avg(proposition - opposition), 12) as mean_lead
        from side_confidence where proposition_model = opposition_model and excess is not null
        group by study, arm, model, round, phase order by study, arm, model, round, phase
        """,
        {
            "mean_spread": "mean absolute difference of the two ratings",
            "widest": "the largest of these differences",
            "mean_lead": "mean of the proposition's rating minus the opposition's",
        },
        question="How far apart are the two sides where one model debates itself?",
    ),
    "visible_confidence": View(
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
        question="Does the confidence that an opponent shows predict how one's own changes next,"
        " and does one that it hides?",
    ),
    "next_after_empty": View(
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
        },
        question="How does confidence change after the opponent said next to nothing?",
    ),
    "private_words": View(
        "One row is a speech with remnants of the tags that should have kept thoughts and"
        " rating private",
        f"""
        select s.study, s.arm, s.episode, s.seat, s.step, s.round, s.phase, s.model,
               regexp_matches(t.public, '{PRIVATE_TAG}', 'i') as private_tag,
               regexp_matches(t.public, '{RATING_TAG}', 'i') as rating_tag,
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
        },
        question="Which speeches let private words or ratings slip, and what did the opponent's"
        " next rating do?",
    ),
    "stated_in_thoughts": View(
        "One row is a rating whose thoughts name a percentage, with the last one that they name",
        f"""
        select s.study, s.arm, s.episode, s.seat, s.step, s.round, s.phase, s.model, s.confidence,
               round(regexp_extract_all(t.thoughts, '{PERCENTAGE}', 1)[-1]::double / 100,
               12) as in_thoughts, round(s.confidence - in_thoughts, 12) as difference,
               len(regexp_extract_all(t.thoughts, '{PERCENTAGE}', 1)) as numbers
        from speeches s join latest_turns t using (episode, seat, step)
        where s.confidence is not null and in_thoughts <= 1
        order by s.study, s.arm, s.episode, s.round, s.seat
        """,
        {
            "in_thoughts": "the last number before %, percent or out of 100 in the thoughts,"
            " over 100; it need not be about winning",
            "difference": "stated confidence minus that",
            "numbers": "how many such numbers stand in the thoughts",
        },
        question="Does the stated confidence agree with the number in the private thoughts?",
    ),
    "drift_by_date": View(
        "Stated confidence by study, arm, phase, day and served model; days differ in models"
        " and motions too, where a study played them so",
        """
        select study, arm, round, phase, day, model_served, count(confidence) as n,
               round(avg(confidence), 12) as mean, count(distinct model) as models,
               count(distinct subject) as motions
        from rated_turns group by study, arm, round, phase, day, model_served order by all
        """,
        {
            "model_served": "the model as the provider named it; NULL: not said, as in imports",
            "models": "different models behind the mean",
            "motions": "different motions behind the mean",
        },
        question="Do confidences drift by date or by the snapshot of a model?",
    ),
}
