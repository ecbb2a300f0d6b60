"""``marianne validate SCORE…``."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from marianne.cli.bounded import bounded
from marianne.cli.completing import complete_file
from marianne.cli.errors import CliError
from marianne.cli.exit_codes import OK, USAGE
from marianne.cli.options import Verb, json_option
from marianne.cli.preflight import score_settings, unusable_executor
from marianne.cli.render.out import clean, note, paint, print_json, say
from marianne.cli.render.plan import print_expansion, print_params, print_plan
from marianne.cli.render.problems import print_warnings, problem_line
from marianne.cli.session import Session
from marianne.cli.source import piped, standard_input
from marianne.cli.variables import param_file_option, parse_variables, var_option

if TYPE_CHECKING:
    from pathlib import Path

    from marianne.score.settings import ScoreSettings


@click.command("validate", cls=Verb)
@click.argument("scores", nargs=-1, required=True, metavar="SCORE...", shell_complete=complete_file)
@click.option("--expand", is_flag=True, help="Show the sheets that each score becomes.")
@click.option("--render", is_flag=True, help="Show each sheet as it will be executed.")
@var_option
@param_file_option
@json_option
@click.pass_obj
def command(
    session: Session,
    scores: tuple[str, ...],
    expand: bool,
    render: bool,
    variables: tuple[str, ...],
    param_files: tuple[str, ...],
    as_json: bool,
) -> int:
    """Check scores without running them.

    Expands each to its sheets, renders every prompt, as a run would, and has bash read every script
    without running it; - is standard input. Says all that is wrong with file, line and column. No
    conductor is needed. Exit code 2 if one is invalid.
    """
    instruments = session.home.instruments
    if (why := unusable_executor(session.home)) is not None:
        raise CliError("invalid_config", why, "no sheet could run before")
    settings = score_settings(session.home)
    given = parse_variables(variables, param_files)
    shown = "render" if render else "expand" if expand else ""
    # Imported once, here: each score has a child of its own, which would do it anew.
    import_module("marianne.score.load")
    import_module("marianne.instruments.registry")
    reports = [_report(score, instruments, given, shown, settings) for score in scores]
    if as_json:
        print_json(reports)
    else:
        for report in reports:
            _print(report)
    return OK if all(report["valid"] for report in reports) else USAGE


def _report(
    score: str,
    instruments: Path,
    variables: dict[str, str],
    shown: str,
    settings: ScoreSettings,
) -> dict[str, Any]:
    """What is found in one score, by a process with the limits of the conductor's readers."""
    stdin = score == "-"
    file = "<stdin>" if stdin else score
    try:
        text = standard_input() if stdin else piped(score)
        return bounded(lambda: _check(file, text, instruments, variables, shown, settings))
    except CliError as error:
        if error.code != "invalid_score":
            raise
        problem = {"file": file, "message": error.message, "hint": error.hint}
        return {"file": file, "valid": False, "problems": [problem], "warnings": []}


def _check(
    file: str,
    text: str | None,
    instruments: Path,
    variables: dict[str, str],
    shown: str,
    settings: ScoreSettings,
) -> dict[str, Any]:
    from marianne.instruments.registry import Registry
    from marianne.model.errors import ScoreError
    from marianne.score.load import load_plan
    from marianne.walls.offers import looked_for

    stdin = file == "<stdin>"
    report: dict[str, Any] = {"file": file}
    try:
        plan = load_plan(
            None if stdin else file,
            text,
            base_dir=os.getcwd() if stdin else os.path.dirname(os.path.abspath(file)),
            workspace=None,
            variables=variables,
            instruments=Registry.load(instruments),
            settings=settings,
            shell=True,
            walls=looked_for,
        )
    except ScoreError as error:
        problems = [problem.to_map() for problem in error.problems]
        return {**report, "valid": False, "problems": problems, "warnings": []}
    from marianne.score.describe import describe_params, describe_plan

    if shown == "expand":
        report["plan"] = describe_plan(plan)
    elif shown:
        from marianne.score.preview import preview_plan

        report["plan"] = preview_plan(plan)
    return {
        **report,
        "valid": True,
        "name": plan.name,
        "sheets": len(plan.sheets),
        "stages": plan.total_stages,
        "lists": [plan.sheet(num).name for num in plan.lists],
        "workspace": plan.workspace,
        "params": describe_params(plan),
        "problems": [],
        "warnings": list(plan.warnings),
    }


def _print(report: dict[str, Any]) -> None:
    if report["valid"]:
        count = report["sheets"]
        verdict = paint("valid", "green")
        more = ", and those of a list: ".join(["", ", ".join(report["lists"])])
        sheets = f"{count} sheet{'' if count == 1 else 's'}{more if report['lists'] else ''}"
        say(f"{report['file']}: {verdict}, {sheets}")
        if "environment" in report.get("plan", ()):
            print_plan(report["plan"], "nothing was started")
        else:
            print_params(report["params"])
            if "plan" in report:
                print_expansion(report["plan"]["sheets"])
    else:
        for problem in report["problems"]:
            note(clean(problem_line(problem)))
        say(f"{report['file']}: {paint('invalid', 'red')}")
    print_warnings(_placed(report["file"], warning) for warning in report["warnings"])


def _placed(file: str, warning: str) -> str:
    """With the file, where it has not been said."""
    return warning if warning.startswith(f"{file}:") else f"{file}: {warning}"
