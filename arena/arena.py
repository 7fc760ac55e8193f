"""The Arena that users hold: it plays studies into a store, and shows what came of them.

Playing and SQL are of `arena.play.run`; here stand what needs `analysis`, which knows nothing of
playing and is loaded when it is first asked for.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import agents
from arena.errors import StudyError
from arena.former_names import former_parameters
from arena.machines.places import parse_place
from arena.machines.playing import play_on, run_on
from arena.play import progress
from arena.play.plans import is_other_plan
from arena.play.reread import RereadSummary, Watch, reread
from arena.play.run import EVERYTHING_OPEN, NOTHING, RunSelection, select_plays
from arena.play.run import Arena as PlayingArena
from arena.play.stored_plays import Sources
from arena.play.summary import Summary
from arena.store.connection import show_leftovers
from arena.store.database import select_rows
from arena.store.replay import load_study_state
from arena.studies.lineups import agents_in
from arena.studies.study import Protocol, Study, plays, protocol_name
from arena.text import utc_now
from arena.tournaments.stored_debates import stored_debates
from arena.tournaments.stored_requests import stored_requests
from arena.tournaments.stored_thoughts import stored_thoughts
from arena.types import Model, Subject
from protocols import named
from protocols.recheck import recheck_of

if TYPE_CHECKING:
    from analysis.figures.figure import Figure
    from analysis.read.selection import By
    from analysis.reports.ballots import VoteStandings
    from analysis.reports.debates import StudyReport
    from analysis.reports.estimators import EstimatorTable
    from analysis.reports.rechecks import RecheckFinding
    from analysis.reports.report import Report
    from analysis.reports.standings import Standings

MOST_RECHECK_CALLS = 10_000
# The last one first.
RECHECKS = """
    select study from runs where starts_with(study, ?)
    group by study order by max(started_at) desc"""
STUDIES = "select study from studies order by created_at, study"


class Arena(PlayingArena):
    """A store, the means to play studies into it, and what came of them.

    `run` and `play` play, `sql` asks the record, and `report`, `rank` and `figure` give what the
    commands print and draw.  `arena.play.run.Arena` says what each parameter means.
    """

    def __repr__(self) -> str:
        return f"<Arena {str(self.path)!r}>"

    @former_parameters({"which": "selection"})
    async def play(
        self,
        study: Study,
        *,
        selection: RunSelection = EVERYTHING_OPEN,
        watch: progress.Watch | None = None,
        on: str | None = None,
        engines: int | None = None,
    ) -> Summary:
        """Play the open episodes of a study and fold the record into the database.

        `on` is where: "ray" or "ray://HOST:PORT", whose `engines` hold the models (None: one a
        GPU), or "processes=N"; None: in this process.  All else is as `arena.play.run.Arena.play`
        says.
        """
        if on is None:
            return await super().play(study, selection=selection, watch=watch)
        place = parse_place(on, engines)
        return await play_on(place, self, study, selection=selection, watch=watch)

    @former_parameters({"which": "selection"})
    def run(
        self,
        study: Study,
        *,
        selection: RunSelection = EVERYTHING_OPEN,
        watch: progress.Watch | None = None,
        on: str | None = None,
        engines: int | None = None,
    ) -> Summary:
        """Do the same as `play`, blocking, on its own event loop: also inside a notebook.

        Draws progress to standard error, unless `watch` takes the state of the run.  Ctrl-C stops
        it within two seconds; all replies so far are kept.
        """
        if on is None:
            return super().run(study, selection=selection, watch=watch)
        place = parse_place(on, engines)
        return run_on(place, self, study, selection=selection, watch=watch)

    def report(
        self,
        study: Study | str | None = None,
        *,
        by: By = "agent",
        models: Sequence[str] = (),
        arms: Sequence[str] = (),
        where: str = "",
        leftovers: bool = False,
        margin: float = 0.05,
        mixed: bool = False,
        sample: int | None = None,
        details: bool = False,
    ) -> Report[StudyReport]:
        """Return what `arena report` prints: how sure the debaters were, and how right.

            arena.report("panel").results[0].debates.phases

        Of one study, or of all in the store.  The report shows itself as tables; its `results` are
        the numbers, in [0, 1], `json()` those of `arena report --json`.  A mean within `margin` of
        50% counts as 50%; `mixed` fits the mixed-effects model too, on a `sample` of debates;
        `details` gives the tables by contestant, which the command's --json always has.

        `by` says who counts as one contestant: "agent", "model" or "setting".  `models` (names of
        models, agents or contestants), `arms`, and `where`, a condition in SQL on the columns of
        the view episodes, choose episodes; with `leftovers` those count too that the study's last
        plan does not hold.  Raises StudyError for an unknown study or name.
        """
        from analysis.read.selection import Selection
        from analysis.reports.report import debate_report

        return debate_report(
            self.path,
            name_of(study),
            margin=margin,
            mixed=mixed,
            sample=sample,
            details=details,
            selection=Selection(by, names(models), names(arms), where, leftovers),
        )

    def rank(
        self,
        study: Study | str | None = None,
        *,
        jury: str | None = None,
        exclude_related: bool = False,
        by: By = "agent",
        models: Sequence[str] = (),
        arms: Sequence[str] = (),
        where: str = "",
        leftovers: bool = False,
    ) -> Report[Standings | VoteStandings]:
        """Return what `arena rank` prints: who won a tournament, and what its judges favour.

        Of one judged study, or of all in the store; by the verdicts of the study `jury` alone, if
        it is named.  With `exclude_related` judges do not decide debates in which they, or a model
        of their family, took part.  Contestants and debates are chosen as in `report`.
        Raises StudyError for a study without verdicts.
        """
        from analysis.read.selection import Selection
        from analysis.reports.report import rank_report

        return rank_report(
            self.path,
            name_of(study),
            jury=jury,
            exclude_related=exclude_related,
            selection=Selection(by, names(models), names(arms), where, leftovers),
        )

    def estimators(
        self, study: Study | str | None = None, *, by: By = "agent", leftovers: bool = False
    ) -> Report[EstimatorTable]:
        """Return what `arena report --estimators` prints: estimators of confidence side by side.

        Of one study whose replies were scored, or of all in the store.  Raises StudyError for an
        unknown study.
        """
        from analysis.read.selection import Selection
        from analysis.reports.report import estimator_report

        return estimator_report(
            self.path, name_of(study), selection=Selection(by, leftovers=leftovers)
        )

    def figure(self, name: str, study: Study | str | None = None) -> Figure:
        """Return one figure of a study: `figure("confidence")`; a wrong name lists all names.

        It shows itself as a picture with its caption.  `chart` is its Vega-Lite (for altair:
        `alt.Chart.from_dict(figure.chart)`), `rows` are its numbers, `sql` the query behind them;
        `svg()` and `png()` are for files.  The study may be left out where the store holds one.
        Raises StudyError if study or name is unknown, or there is nothing to draw.
        """
        from analysis.figures.registry import figure

        return figure(self.path, name_of(study) or self._only_study(), name)

    def reread(
        self,
        study: Study | str | None = None,
        *,
        studies: Sequence[Study] = (),
        watch: Watch | None = None,
    ) -> RereadSummary:
        """Read stored replies with today's readers and grading, as `arena reread` does.

        Of one study, or of all in the store; no model is asked.  Turns stay as they were played,
        and replays go by them; reports and views go by the latest reading.  A protocol that no
        package has, and a grader of a study's own, are found in `study` or in `studies`.
        `watch` is called with the number of turns that were read so far.  Raises StudyError for an
        unknown study.
        """
        given = (*studies, *([study] if isinstance(study, Study) else []))
        sources = sources_of(self.path, given)
        return reread(self.path, name_of(study), sources, watch=watch)

    def recheck_study(
        self,
        study: Study | str,
        *,
        calls: int = 200,
        models: Mapping[str, Model] = NOTHING,
        only: Sequence[str] = (),
        studies: Sequence[Study] = (),
        retry_failed: bool = False,
    ) -> Study:
        """Return the study that asks stored requests of a study again, `calls` of each model.

        Play it with `run` or estimate it with `dry_run`, as any study; `recheck` does all of it.
        It is a new one each time; but the last one, if that asks the same and has not come to its
        end, or if failed calls of it are to be played again (`retry_failed`).  `models` are those
        to ask, by the names that the study has for them; others are those of `study` and `studies`,
        or what the name stands for today.  `only` names models; the others are not asked.  Raises
        StudyError if nothing can be asked again.
        """
        if not 1 <= calls <= MOST_RECHECK_CALLS:
            raise StudyError(f"a recheck has 1 to {MOST_RECHECK_CALLS:,} calls a model: {calls}")
        given = (*studies, *([study] if isinstance(study, Study) else []))
        of = study.name if isinstance(study, Study) else study
        requests = stored_requests(self.path, of, calls, sources_of(self.path, given))
        asked = {who.model for who in requests.by_speaker}
        if unknown := sorted({*only, *models} - asked):
            raise StudyError(
                f"{of!r} has no request of {unknown[0]} to ask again;"
                f" it has some of {', '.join(sorted(asked)) or 'no model'}"
            )
        chosen = asked & set(only) if only else asked
        wanted = recheck_models(chosen, models, given)
        others = sorted({model.name for name, model in models.items() if model.name != name})
        last, new = recheck_names(self.path, of, "".join(f" with {other}" for other in others))
        if last is not None:
            again = recheck_of(last, requests, wanted)
            if goes_on(self.path, again, retry_failed=retry_failed):
                return again
        if retry_failed:
            found = "there is none" if last is None else f"the last one is {last!r}"
            raise StudyError(
                f"no recheck of {of!r} that asks the same has a failed or an open call: {found};"
                " give the --calls, --only and --model that it had, or leave out --retry-failed"
            )
        return recheck_of(new, requests, wanted)

    def recheck(
        self,
        study: Study | str,
        *,
        calls: int = 200,
        models: Mapping[str, Model] = NOTHING,
        only: Sequence[str] = (),
        studies: Sequence[Study] = (),
        retry_failed: bool = False,
    ) -> list[RecheckFinding]:
        """Ask stored requests again, and return of each model whether it replies as it did.

            arena.recheck("panel", calls=200)[0].verdict

        The calls are a study of their own, with this arena's budget, limits and prices; nothing is
        written into the study that is rechecked.  Parameters and errors are those of
        `recheck_study`.
        """
        from analysis.reports.rechecks import recheck_findings

        again = self.recheck_study(
            study, calls=calls, models=models, only=only, studies=studies, retry_failed=retry_failed
        )
        self.run(again, selection=RunSelection(retry_failed=retry_failed))
        return recheck_findings(self.path, name_of(study), recheck=again.name, with_power=True)

    def _only_study(self) -> str:
        """Return the name of the only study.  Raises StudyError if there are several, or none."""
        names = [name for (name,) in select_rows(self.path, STUDIES).rows]
        if len(names) == 1:
            return str(names[0])
        found = ", ".join(map(repr, names)) or "none"
        raise StudyError(f"name the study of the figure; in {self.path} there are: {found}")


def sources_of(path: Path, studies: Sequence[Study]) -> Sources:
    """Return where rereading finds protocols, graders and debates: first in these studies."""
    arms = [(study.name, arm.protocol) for study in studies for arm in study.arms]
    found = {(study, protocol_name(protocol)): protocol for study, protocol in arms}
    subjects: dict[tuple[str, bool], dict[str | None, Subject]] = {}
    # A debate that is judged is an episode, thoughts that are labelled are EPISODE/SEAT/STEP.
    judged = (
        "select episode, study from plays"
        " where episode in (select split_part(source, '/', 1) from subjects)"
    )
    studies_of = dict(select_rows(path, judged).rows)

    def protocol_of(study: str, name: str) -> Protocol:
        if name == "recheck":
            raise StudyError("it is part of a recheck, whose replies are read beside stored ones")
        if (study, name) in found:
            return found[study, name]
        try:
            return found.setdefault((study, name), named(name))
        except StudyError as error:
            raise StudyError(
                f"the protocol {name} of study {study!r} is in no installed package; name the"
                f" study's file: arena reread STUDY.py --study {shlex.quote(study)}"
            ) from error

    def subject_of(source: str) -> Subject | None:
        episode, _, turn = source.partition("/")
        if episode not in studies_of:
            return None
        kind = studies_of[episode], bool(turn)
        if kind not in subjects:
            # A debate that the last plan leaves out was judged all the same.
            with show_leftovers():
                stored = (stored_thoughts if turn else stored_debates)(path, kind[0])
            subjects[kind] = {subject.source: subject for subject in stored}
        return subjects[kind].get(source)

    graders = {study.name: study.grader for study in studies if study.grader is not None}
    return Sources(protocol_of, subject_of, graders)


def recheck_names(path: Path, study: str, others: str) -> tuple[str | None, str]:
    """Return the name of the last recheck of a study, None if there is none, and that of a new one.

    Names have the day, and a number from the second of a day on.  `others` stands behind these, and
    names models that are asked in place of those of the study.
    """
    begin, day = f"{study} rechecked ", f"{utc_now():%Y-%m-%d}"
    form = re.compile(rf"{re.escape(begin)}(\d{{4}}-\d\d-\d\d)(?: \((\d+)\))?{re.escape(others)}")
    rows = select_rows(path, RECHECKS, [begin]).rows
    found = [named for (name,) in rows if (named := form.fullmatch(str(name)))]
    number = 1 + max((int(each[2] or 1) for each in found if each[1] == day), default=0)
    new = f"{begin}{day}{f' ({number})' if number > 1 else ''}{others}"
    return (found[0][0] if found else None), new


def goes_on(path: Path, recheck: Study, *, retry_failed: bool) -> bool:
    """Return whether a stored recheck has this very plan, and calls of it are still to be played.

    With `retry_failed` failed calls are too.
    """
    all_plays = plays(recheck)
    state = load_study_state(path, recheck.name)
    if is_other_plan(all_plays, state):
        return False
    return bool(select_plays(all_plays, state, RunSelection(retry_failed=retry_failed)))


def recheck_models(
    wanted: Collection[str], given: Mapping[str, Model], studies: Sequence[Study]
) -> dict[str, Model]:
    """Return the models to ask again, by the names that a study has for them.

    Raises StudyError for one that cannot be asked by its name alone.
    """
    seated = {
        agent.model.name: agent.model
        for study in studies
        for arm in study.arms
        for lineup in arm.lineups
        for agent in agents_in(lineup)
    }
    found = {}
    for name in sorted(wanted):
        model = given.get(name) or seated.get(name)
        try:
            found[name] = model or agents.model(name)
        except StudyError as error:
            raise StudyError(
                f"{name} cannot be asked by its name alone; name the study's file, or where it is:"
                f" --model {shlex.quote(f'{name}=REFERENCE')}; or leave it out: --only MODEL"
                f" ({error})"
            ) from error
    return found


def names(given: Sequence[str]) -> tuple[str, ...]:
    """Return names that are given in a sequence, or one that is given alone."""
    return (given,) if isinstance(given, str) else tuple(given)


def name_of(study: Study | str | None) -> str | None:
    """Return the name of a study that is given as it is or by name."""
    return study.name if isinstance(study, Study) else study
