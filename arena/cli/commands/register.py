"""Add `arena register`, which freezes a study before it is played, and checks it afterwards."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from arena.cli.commands import Command, add_flag, add_repeatable, margin_share
from arena.cli.commands.completion import complete_study
from arena.cli.commands.selection import add_by, add_selection, selection_of
from arena.errors import StudyError
from arena.text import pluralize, printable

if TYPE_CHECKING:
    from arena.studies.registration import (
        Analysis,
        Claim,
        Deviation,
        Plan,
        Registration,
        Stopping,
    )
    from arena.studies.study import Study
    from arena.tournaments.stages import Stages


def add(command: Command) -> None:
    """Add the command to the parser."""
    register = command(
        "register",
        register_study,
        "freeze plan, prompts, readers, exclusions, claims, margin and stopping rule of a study"
        " under one hash, and print a text to deposit",
    )
    file = register.add_argument(
        "file",
        type=Path,
        metavar="STUDY",
        help="a Python file with `def study(...) -> Study`, or the name of a study that comes with"
        " arena",
    )
    # For argcomplete, which looks for this attribute.
    vars(file)["completer"] = complete_study
    argument = "an argument of the study function; repeatable"
    add_repeatable(register, "-o", "--option", metavar="KEY=VALUE", help=argument)
    add_repeatable(register, "--vary", metavar="OPTION", help="as in arena run; repeatable")
    keys = "read API keys from a file of NAME=value lines"
    register.add_argument("--keys", type=Path, metavar="FILE", help=keys)
    register.add_argument("--question", default="", metavar="TEXT", help="what is asked, in words")
    add_claims(register)
    ends = "the study ends with so many episodes (default: all that are planned)"
    register.add_argument("--stop-after", type=int, metavar="N", help=ends)
    spent = "the study ends when so many dollars are spent"
    register.add_argument("--stop-after-usd", type=float, metavar="X", help=spent)
    chosen = register.add_argument_group(
        "exclusions", "what the registered results are computed of"
    )
    add_by(chosen)
    add_selection(chosen)
    register.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the text to FILE, and beside it, as FILE.json, the plan of which the hash is",
    )
    add_flag(
        register,
        "--check",
        "register nothing: say in what the study and its store depart from the registration; exit"
        " status 1 if they do",
    )
    add_flag(register, "--json", "print the plan itself as JSON; with --check, the deviations")


def add_claims(register: argparse.ArgumentParser) -> None:
    """Add what is claimed, and how it is tested."""
    claims = (
        "a number of the report that is claimed, with the expectation in words if you like;"
        " `--claims list` prints what there is; repeatable"
    )
    add_repeatable(register, "--claims", metavar="NAME[@ARM][=TEXT]", help=claims)
    primary = "a primary claim, as --claims; p-values are adjusted for the number of these"
    add_repeatable(register, "--primary", metavar="NAME[@ARM][=TEXT]", help=primary)
    register.add_argument(
        "--multiplicity",
        choices=("holm", "bonferroni", "bh", "none"),
        default="holm",
        help="how the p-values of primary claims are adjusted (default: holm)",
    )
    register.add_argument(
        "--margin",
        type=float,
        default=5.0,
        metavar="POINTS",
        help="a mean this near to 50%% is as good as 50%% (default: 5, for 5 points)",
    )


def register_study(options: argparse.Namespace) -> int:
    """Run `arena register`: register the studies of a file, or check them."""
    from analysis.reports.claimable import words_on_verdicts
    from analysis.reports.registered_claims import CLAIMS
    from arena.tournaments.stages import vary_options
    from arena.tournaments.study_file import load_stages

    if "list" in options.claims:
        for name, claim in CLAIMS.items():
            print(f"{name:<16} {claim.words}")
        return 0
    # Models read their keys when the study file creates them.
    if options.keys is not None:
        from agents.providers.keys import load_keys

        load_keys(options.keys)
    if options.check:
        return check(options)
    stages = vary_options(load_stages(options.file, options.option), options.vary)
    studies, later = resolve(stages, options.db)
    analysis, stopping = analysis_of(options, studies), stopping_of(options, studies)
    found = [register_one(options, study, analysis, stopping, later) for study in studies]
    for registration, is_new in found:
        show(options, registration, is_new=is_new)
    if warning := words_on_verdicts([each.name for each in analysis.claims], later):
        print(f"WARNING: {warning}", file=sys.stderr)
    if options.write is not None:
        files = write(options.write, [registration for registration, _ in found])
        print(printable(f"written: {', '.join(map(str, files))}"), file=sys.stderr)
    print(printable(f"next: {run_command(options)}"), file=sys.stderr)
    return 0


def run_command(options: argparse.Namespace) -> str:
    """Return the command that plays what was registered."""
    words = ["arena", "run", str(options.file)]
    words += [word for each in options.option for word in ("-o", each)]
    words += [word for each in options.vary for word in ("--vary", each)]
    words += ["--keys", str(options.keys)] if options.keys else []
    words += ["--db", str(options.db)] if options.db != Path("arena.duckdb") else []
    return shlex.join(words)


def resolve(stages: Stages, path: Path) -> tuple[list[Study], list[str]]:
    """Return the studies that can be written today, and what is known of the others.

    Raises StudyError if there is none.
    """
    from arena.studies.study import Study
    from arena.tournaments.stages import count_episodes

    # A jury's study is another one with each debate that is played, so it cannot be frozen.
    studies = [stage for stage in stages if isinstance(stage, Study)]
    if not studies:
        raise StudyError("no stage of this file can be registered before others are played")
    later = []
    for stage in stages:
        if not isinstance(stage, Study):
            agents = ", ".join(agent.name for agent in stage.agents)
            count = pluralize(count_episodes(stage, path), "episode")
            later.append(f"study {stage.name}, written from what is played: {count}; {agents}")
    return studies, later


def analysis_of(options: argparse.Namespace, studies: Sequence[Study]) -> Analysis:
    """Return how results are to be computed.  Raises StudyError for what no report could do."""
    from analysis.read.selection import matching_episodes
    from arena.store.database import create
    from arena.studies.lineups import agents_in
    from arena.studies.registration import Analysis

    selection = selection_of(options, options.by)
    arms = {arm.label for study in studies for arm in study.arms}
    agents = [
        agent
        for study in studies
        for arm in study.arms
        for lineup in arm.lineups
        for agent in agents_in(lineup)
    ]
    names = {name for agent in agents for name in (agent.name, agent.model.name)}
    for asked, known, what in ((selection.arms, arms, "arm"), (selection.models, names, "model")):
        for name in asked:
            if name not in known and not set(name.split(",")) <= known:
                raise StudyError(
                    f"there is no {what} {name!r:.80} in this study; there are:"
                    f" {', '.join(sorted(known))}"
                )
    if selection.where:
        # What is refused leaves no file behind.
        with TemporaryDirectory() as folder:
            store = options.db if options.db.exists() else Path(folder) / "empty.duckdb"
            create(store)
            matching_episodes(store, selection.where)
    claims = [
        claim_of(text, studies, primary=primary)
        for primary, texts in ((True, options.primary), (False, options.claims))
        for text in texts
    ]
    return Analysis(
        selection.by,
        selection.models,
        selection.arms,
        selection.where,
        selection.leftovers,
        margin_share(options.margin),
        options.multiplicity,
        tuple(claims),
    )


def claim_of(text: str, studies: Sequence[Study], *, primary: bool) -> Claim:
    """Return a claim that is written NAME[@ARM][=TEXT].

    Raises StudyError for an unknown one, and for one that the report of no study could have.
    """
    from analysis.reports.claimable import why_not_claimable
    from analysis.reports.registered_claims import CLAIMS
    from arena.studies.registration import Claim

    name, _, words = text.partition("=")
    kind, at, arm = name.partition("@")
    if kind not in CLAIMS:
        raise StudyError(
            f"there is no claim {kind!r:.80}; there are: {', '.join(CLAIMS)}"
            " (arena register STUDY --claims list says what they are)"
        )
    arms = {each.label for study in studies for each in study.arms}
    if at and arm not in arms:
        listed = ", ".join(sorted(arms))
        raise StudyError(f"there is no arm {arm!r:.80} in this study; there are: {listed}")
    if why_not := why_not_claimable(kind, studies, arm):
        raise StudyError(f"{name} cannot be claimed: {why_not}")
    return Claim(name, primary, words.strip(), CLAIMS[kind].words)


def stopping_of(options: argparse.Namespace, studies: Sequence[Study]) -> Stopping:
    """Return the stopping rule.  Raises StudyError for one that cannot be kept."""
    from arena.studies.registration import Stopping
    from arena.studies.study import plays

    episodes, usd = options.stop_after, options.stop_after_usd
    if episodes is not None and usd is not None:
        raise StudyError("a study ends by episodes or by dollars: give --stop-after or -usd")
    planned = max(len(plays(study)) for study in studies)
    if episodes is not None and not 1 <= episodes <= planned:
        raise StudyError(f"--stop-after lies in 1 to the {planned:,} planned, found {episodes:,}")
    if usd is not None and not 0 < usd < float("inf"):
        raise StudyError(f"--stop-after-usd must be above 0, found {usd:g}")
    return Stopping(episodes, usd)


def register_one(
    options: argparse.Namespace,
    study: Study,
    analysis: Analysis,
    stopping: Stopping,
    later: Sequence[str],
) -> tuple[Registration, bool]:
    """Register one study; return its registration, and whether it is new."""
    from arena.play.registering import register
    from arena.play.sync import run_blocking

    return run_blocking(
        lambda: register(
            options.db,
            study,
            question=options.question,
            analysis=analysis,
            stopping=stopping,
            later=later,
        )
    )


def write(target: Path, registrations: Sequence[Registration]) -> list[Path]:
    """Write the texts to deposit to a file, and each plan beside it; return all the files."""
    from analysis.reports.html import write_atomically
    from arena.studies.deposit import deposit_text

    plans = [each.plan for each in registrations if each.plan is not None]
    write_atomically(target, "\n".join(map(deposit_text, plans)).encode())
    files = [target]
    for number, plan in enumerate(plans, 1):
        suffix = f".{number}.json" if len(plans) > 1 else ".json"
        files.append(target.with_name(target.name + suffix))
        write_atomically(files[-1], plan.content.encode())
    return files


def show(options: argparse.Namespace, registration: Registration, *, is_new: bool) -> None:
    """Print a registration: its text, or the plan as JSON."""
    from arena.studies.deposit import deposit_text

    plan = registration.plan
    assert plan is not None
    if options.json:
        # Without a line break at its end: the hash is one of these bytes.
        sys.stdout.write(plan.content)
        return
    if options.write is None:
        print(deposit_text(plan))
    if plan.played_before:
        count = pluralize(plan.played_before, "episode")
        print(f"WARNING: {count} of this study had begun before it was registered")
    words = "registered" if is_new else "registered already, as"
    print(printable(f"study {plan.study}: {words} {registration.hash}"))


def check(options: argparse.Namespace) -> int:
    """Print in what studies, and the store, depart from their registrations; 1 if they do."""
    from arena.studies.registered import load_registrations, standing
    from arena.studies.registration import Deviation

    results: list[tuple[Registration, list[Deviation]]] = []
    faults = []
    studies, later = named_studies(options)
    for name, study in studies.items():
        found = load_registrations(options.db, name) if options.db.exists() else []
        faulty = [f"registration {each.hash[:12]}: {each.fault}" for each in found if each.fault]
        faults += faulty
        stands = standing(options.db, found, name)
        if stands is not None:
            departs = [Deviation("registrations", fault) for fault in faulty]
            departs += planned_deviations(stands.plan, study) if study else ()
            if later is not None and stands.plan.later != later:
                departs.append(Deviation("later studies", f"now: {'; '.join(later) or 'none'}"))
            results.append((stands.registration, [*departs, *stands.deviations]))
    if not results:
        reason = "; ".join(faults) or "arena register STUDY makes one"
        raise StudyError(f"{options.db} holds no registration of {options.file} to check: {reason}")
    if options.json:
        rows = [
            {"study": one.study, "hash": one.hash, "deviations": [asdict(each) for each in departs]}
            for one, departs in results
        ]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        for one, departs in results:
            print_deviations(one, departs)
    # A study that goes on departs in nothing by that.
    return int(any(not each.is_to_come for _, departs in results for each in departs))


def named_studies(
    options: argparse.Namespace,
) -> tuple[dict[str, Study | None], tuple[str, ...] | None]:
    """Return the studies of the file by name, None for those that cannot be written today.

    Also what is known of later studies.  The name of a registered study stands for what the store
    holds of it, of which nothing more is known: None.
    """
    from arena.studies.registered import load_registrations
    from arena.tournaments.stages import try_resolve_stage, vary_options
    from arena.tournaments.study_file import load_stages

    name = str(options.file)
    if options.db.exists() and load_registrations(options.db, name):
        return {name: None}, None
    stages = vary_options(load_stages(options.file, options.option), options.vary)
    studies = {stage.name: try_resolve_stage(stage, options.db) for stage in stages}
    return studies, tuple(resolve(stages, options.db)[1])


def planned_deviations(plan: Plan, study: Study) -> list[Deviation]:
    """Return in what a study departs as its file describes it today."""
    from arena.play.registering import find_deviations
    from arena.play.sync import run_blocking
    from arena.studies.study import plays

    found = run_blocking(lambda: find_deviations(plan, plays(study)))
    return [replace(each, what=f"{each.what} (the study as it is now)") for each in found]


def print_deviations(registration: Registration, found: Sequence[Deviation]) -> None:
    """Print the deviations of one study, each on a line."""
    day = f"{registration.registered_at:%Y-%m-%d %H:%M} UTC"
    print(printable(f"study {registration.study}: registered {day} as {registration.hash}"))
    for each in found:
        print(printable(f"  {each.part}: {each.what}"))
    if not found:
        print("  nothing departs from it")
