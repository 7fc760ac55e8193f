"""Canned queries about who won: judges' agreement and leanings, and confidence against outcomes.

A debate is won by the majority of votes (the view `outcomes`), a vote being what a judge says in
all seat orders (the view `votes`).  With few judges that truth is noisy: `judge_repeats` and
`judge_agreement` say how noisy.  Intervals and tests are left to `arena report` and `arena rank`.
"""

from __future__ import annotations

from arena.store.views.base import View

# Ten bins, closed on the right: (0.7, 0.8] holds 0.8, and 0 goes to the first.  A rating within
# 1e-8 of an edge counts as on it.
BIN = (
    "greatest(1, case when abs(10 * c - round(10 * c)) < 1e-8 then round(10 * c)"
    " else ceil(10 * c) end)::integer"
)


def calibration(by: str) -> str:
    """Return SQL for the Brier score, ECE and AUROC of ratings, by these columns of `speeches`."""
    return f"""
        with judged as (
            select {by}, confidence as c, result from speeches
            where confidence is not null and result is not null),
        placed as (
            select *, {BIN} as bin,
                   rank() over (partition by {by} order by c)
                   + (count(*) over (partition by {by}, c) - 1) / 2 as place
            from judged where result <> 0.5),
        binned as (
            select {by}, bin, abs(sum(c - result)) as off, count(*) as size
            from placed group by {by}, bin),
        errors as (select {by}, sum(off) / sum(size) as ece from binned group by {by}),
        ranked as (
            select {by}, count(*) as n_without_ties, sum(result) as won, avg(c) as mean_confidence,
                   avg(result) as win_rate, avg((c - result) ** 2) as brier_without_ties,
                   case when stddev_pop(c) > 0 then regr_slope(result, c) end as slope,
                   (sum(place) filter (result = 1) - won * (won + 1) / 2)
                       / nullif(won * (n_without_ties - won), 0) as auroc
            from placed group by {by}),
        scored as (
            select {by}, count(*) as n, avg((c - result) ** 2) as brier from judged group by {by})
        select {by}, n, n_without_ties, round(mean_confidence, 12) as mean_confidence,
               round(win_rate, 12) as win_rate,
               round(mean_confidence - win_rate, 12) as overconfidence, round(brier, 12) as brier,
               round(brier_without_ties, 12) as brier_without_ties, round(ece, 12) as ece,
               round(auroc, 12) as auroc, round(slope, 9) as slope
        from scored left join ranked using ({by}) left join errors using ({by}) order by {by}
    """


CALIBRATION_COLUMNS = {
    "n": "ratings in decided debates; a tie counts as half a win, and only in brier",
    "n_without_ties": "ratings in debates that a side won",
    "mean_confidence": "mean rating without ties, in [0, 1]",
    "overconfidence": "mean_confidence minus win_rate",
    "brier": "mean squared difference of rating and result, ties at 0.5; always saying 0.5 gives"
    " 0.25 without ties",
    "brier_without_ties": "the same with ties left out",
    "ece": "expected calibration error over 10 bins closed on the right, ties left out; with few"
    " ratings it is biased upwards",
    "slope": "least squares slope of the result on the rating, ties left out: 1 where each rating"
    " comes true as often as it says; judges that err, as judge_repeats shows, lower it; NULL where"
    " the rating never varies",
    "auroc": "chance that a winner stated more than a loser, equal ones a half; ties left out;"
    " NULL where all won or all lost",
}

READINGS = """
    with readings as (
        select d.study, t.* from verdicts t
        join episodes d on d.episode = t.debate and d.status = 'done' where t.winner is not null)
"""

JUDGES: dict[str, View] = {
    "calibration_by_phase": View(
        "Calibration of ratings against the jury's verdicts by study, arm and phase",
        calibration("study, arm, round, phase"),
        CALIBRATION_COLUMNS,
        question="How well do confidences fit whom the jury's verdicts name, phase by phase (Brier,"
        " ECE, AUROC)?",
    ),
    "calibration_by_model": View(
        "Calibration of ratings against the jury's verdicts by study, arm, phase and model",
        calibration("study, arm, round, phase, model"),
        CALIBRATION_COLUMNS,
        question="How well does each model's confidence fit the jury's verdicts (Brier, ECE,"
        " AUROC)?",
    ),
    "reliability": View(
        "Ratings and results against the jury's verdicts by study, arm, phase and bin of"
        " confidence, ties left out: what a reliability diagram shows",
        f"""
        with decided as (
            select study, arm, round, phase, confidence as c, result from speeches
            where confidence is not null and result <> 0.5)
        select study, arm, round, phase, {BIN} as bin, count(*) as n,
               round(avg(c), 12) as mean_confidence, round(avg(result), 12) as win_rate
        from decided group by all order by all
        """,
        {
            "bin": "1 to 10; bin 8 is (0.7, 0.8], closed on the right, and 0 goes to bin 1",
            "n": "ratings in the bin; bins without one have no row",
            "mean_confidence": "their mean, in [0, 1]",
        },
        question="Of those who stated so much, what share won?",
    ),
    "proposition_wins_by_motion": View(
        "Judged debates by study and motion: who won, by the majority of votes",
        """
        select o.study, e.subject, any_value(m.text) as motion, count(*) as debates,
               count(*) filter (majority = 'proposition') as proposition,
               count(*) filter (majority = 'opposition') as opposition,
               count(*) filter (majority = 'tie') as ties,
               count(*) filter (majority is null) as undecided,
               (proposition + ties / 2) / nullif(debates - undecided, 0) as win_rate,
               avg(case confidence_sum when 'proposition' then 1 when 'tie' then 0.5
                   when 'opposition' then 0 end) as win_rate_by_confidence_sum,
               sum(votes_proposition)
                   / nullif(sum(votes_proposition + votes_opposition), 0) as vote_share
        from outcomes o join episodes e on e.episode = o.debate
        left join subjects m on m.subject = e.subject
        group by o.study, e.subject order by o.study, motion
        """,
        {
            "debates": "judged debates",
            "proposition": "won by the proposition",
            "opposition": "won by the opposition",
            "ties": "as many votes for one side as for the other",
            "undecided": "without a vote",
            "win_rate": "of the proposition by the majority of votes, a tie half a win, undecided"
            " ones left out",
            "win_rate_by_confidence_sum": "the same by the larger sum of the votes' confidences",
            "vote_share": "share of all votes for a side that were for the proposition",
        },
        question="How often does the proposition win, motion by motion?",
    ),
    "vote_splits": View(
        "How many judged debates had which split of votes, by study",
        """
        select study,
               greatest(votes_proposition, votes_opposition) || '-'
                   || least(votes_proposition, votes_opposition) as split,
               greatest(votes_proposition, votes_opposition) as for_winner,
               least(votes_proposition, votes_opposition) as for_loser, count(*) as debates,
               debates / sum(count(*)) over (partition by study) as share
        from outcomes group by study, split, for_winner, for_loser
        order by study, for_winner - for_loser desc, for_winner desc
        """,
        {
            "split": "votes for the one side and the other, the larger number first;"
            " abstentions, flips among them, are in neither",
            "for_winner": "the larger number",
            "for_loser": "the smaller number",
            "debates": "judged debates",
            "share": "their share of the study's judged debates",
        },
        question="How do the judges' votes split?",
    ),
    "longer_sides": View(
        "How often the side with more words won, by study and arm",
        """
        with sides as (
            select study, arm, episode, seat, any_value(result) as result,
                   sum(coalesce(words, 0)) as words from speeches group by all),
        pairs as (
            select study, arm, p.words - o.words as lead, p.result from sides p
            join sides o using (study, arm, episode)
            where p.seat = 'proposition' and o.seat = 'opposition' and p.result is not null)
        select study, arm, count(*) filter (lead <> 0) as debates,
               count(*) filter ((lead > 0 and result = 1) or (lead < 0 and result = 0))
                   as longer_won, count(*) filter (lead <> 0 and result = 0.5) as ties,
               (longer_won + ties / 2) / nullif(debates, 0) as share,
               count(*) filter (lead = 0) as same_length
        from pairs group by study, arm order by study, arm
        """,
        {
            "debates": "decided debates whose sides differ in words",
            "longer_won": "of these, won by the side with more words in all its speeches",
            "share": "longer_won and half of the ties, over debates",
            "same_length": "decided debates with equally many words, left out",
        },
        question="Do longer sides win?",
    ),
    "higher_confidence_wins": View(
        "How often the side with the higher rating won, by study, arm and phase",
        """
        with pairs as (
            select study, arm, round, phase, confidence - opponent_confidence as lead, result
            from speeches where seat = 'proposition' and result is not null and lead is not null)
        select study, arm, round, phase, count(*) filter (lead <> 0) as debates,
               count(*) filter ((lead > 0 and result = 1) or (lead < 0 and result = 0))
                   as surer_won, count(*) filter (lead <> 0 and result = 0.5) as ties,
               (surer_won + ties / 2) / nullif(debates, 0) as share,
               count(*) filter (lead = 0) as same_rating
        from pairs group by study, arm, round, phase order by study, arm, round, phase
        """,
        {
            "debates": "decided debates whose sides stated different ratings in the phase",
            "surer_won": "of these, won by the side with the higher rating",
            "share": "surer_won and half of the ties, over debates",
            "same_rating": "decided debates with equal ratings, left out",
        },
        question="Does the side win that is surer of winning?",
    ),
    "judge_agreement": View(
        "Pairs of readings of the same debate, in the same order of sides, by two judges, and"
        " how many agree",
        READINGS
        + """
        select a.study, a.judge, b.judge as other, count(*) as pairs,
               count(*) filter (a.winner = b.winner) as same, same / pairs as share
        from readings a join readings b on b.debate = a.debate and b.seat_order = a.seat_order
            and b.judge > a.judge
        group by a.study, a.judge, b.judge order by a.study, a.judge, other
        """,
        {
            "other": "the other judge",
            "pairs": "pairs of readings, each reading of the one with each of the other; an"
            " abstention is a winner of its own here",
            "share": "same over pairs; chance is about a half, or more where sides are favoured",
        },
        question="How often do two judges name the same winner?",
    ),
    # Of imports alone: no protocol of ours asks a debater to judge its own debate.
    "own_minus_panel": View(
        "How far debaters that judge their own debates see themselves ahead, beside the panel, by"
        " study and model: means over debates and sides, of imported margins",
        """
        with margins as (
            select v.study, v.debate, n.model as judge, n.value as margin,
                   n.name <> 'signed margin' as of_participant,
                   d.proposition_model as pro, d.opposition_model as con
            from published_numbers n
            join (select e.study, r.* from verdicts r join debates e on e.episode = r.debate) v
                on v.episode = n.episode
            join debates d on d.episode = v.debate
            where n.name in ('signed margin', 'signed margin of a participant')
              and n.value is not null and pro <> con),
        own as (
            select study, debate, judge as model,
                   avg(case judge when pro then margin else -margin end) as margin
            from margins where of_participant and judge in (pro, con) group by all),
        panel as (
            select debate, pro, avg(margin) as margin
            from margins where judge not in (pro, con) group by all),
        beside as (
            select o.study, o.model, o.margin as own,
                   case o.model when p.pro then p.margin else -p.margin end as panel
            from own o join panel p using (debate))
        select study, model, count(*) as debates, round(avg(own), 12) as own_margin,
               round(avg(panel), 12) as panel_margin,
               round(avg(own - panel), 12) as own_minus_panel
        from beside group by study, model order by study, model
        """,
        {
            "model": "the debater that judged its own debates",
            "debates": "debates with a margin of its own and of the panel, each side apart",
            "own_margin": "mean margin that it gave itself, over both orders of presentation",
            "panel_margin": "mean margin that the other judges gave it",
            "own_minus_panel": "mean difference: above 0 where it flatters itself",
        },
        question="Do debaters judge their own debates in their own favour, beside the panel?",
    ),
    "judge_repeats": View(
        "Pairs of readings of the same debate, in the same order of sides, by one judge, and"
        " how many agree",
        """
        select study, judge, sum(pairs)::bigint as pairs, sum(same)::bigint as same,
               sum(same) / sum(pairs) as share
        from retests where pairs > 0 group by study, judge order by study, judge
        """,
        {
            "pairs": "pairs of readings of the same debate in the same order of sides",
            "share": "same over pairs: test and retest",
        },
        question="Does a judge that reads the same debate again name the same winner?",
    ),
    "side_bias": View(
        "Share of a judge's verdicts for the proposition, and for the side that it read first, by"
        " study",
        READINGS
        + """
        select study, judge, count(*) filter (winner <> 'abstain') as named,
               count(*) filter (winner = 'proposition') as proposition,
               count(*) filter (winner = 'abstain') as abstained,
               proposition / nullif(named, 0) as share_proposition,
               case when count(distinct seat_order) > 1 then
                   count(*) filter (
                       winner = case seat_order when 'swapped' then 'opposition'
                                else 'proposition' end)
                   / nullif(named, 0) end as share_first
        from readings group by study, judge order by study, judge
        """,
        {
            "named": "verdicts that name a side, each seat order by itself",
            "proposition": "of these, for the proposition",
            "share_proposition": "proposition over named",
            "share_first": "share of them for the side that stood first; NULL where the judge"
            " read one order only, since it cannot be told"
            " from the side then",
        },
        question="Which side, and which place in the order, does each judge favour?",
    ),
    "token_payout": View(
        "Ratings as stakes of 0 to 100 tokens by study, arm, model and phase: the winner gets"
        " the other's stake, the loser pays its own",
        """
        select study, arm, model, round, phase, count(*) as debates,
               round(avg(100 * confidence), 12) as mean_stake,
               round(avg(case result when 1 then 100 * opponent_confidence
                             when 0 then -100 * confidence else 0 end), 12) as mean_payout,
               round(100 + mean_payout, 12) as mean_balance
        from speeches where result is not null and confidence is not null
            and opponent_confidence is not null
        group by study, arm, model, round, phase order by study, arm, model, round, phase
        """,
        {
            "debates": "seats in decided debates with a rating from both sides",
            "mean_stake": "mean stake in tokens: the rating in percent",
            "mean_payout": "mean of what the phase alone would have brought, in tokens; a tie"
            " brings nothing",
            "mean_balance": "what is left on average of the 100 tokens to begin with, after"
            " the phase alone; no such account was kept",
        },
        question="What would the ratings have won and lost as stakes, under the rule that the"
        " prompts name?",
    ),
    "model_motion_side": View(
        "First and last rating and wins by study, arm, model, motion and side",
        """
        select study, arm, model, subject, any_value(m.text) as motion, seat, count(*) as debates,
               round(avg(earliest), 12) as first, round(avg(latest), 12) as last,
               count(result) as decided, round(avg(result), 12) as win_rate
        from first_and_last join (select episode, seat, result from debaters) using (episode, seat)
        left join subjects m using (subject) group by study, arm, model, subject, seat
        order by study, arm, model, motion, seat desc
        """,
        {
            "seat": "proposition or opposition",
            "debates": "debates of the model on this side of the motion",
            "first": "mean of its first rating that could be read, in [0, 1]",
            "last": "mean of its last rating that could be read, in [0, 1]",
            "decided": "of the debates, those that judges decided",
            "win_rate": "share of them that it won, a tie half a win; NULL where none was decided",
        },
        question="How do model, motion and side go together, in confidence and in wins?",
    ),
}
