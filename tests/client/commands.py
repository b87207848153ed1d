"""Each command of the stock `kfp` command line that speaks to a server."""

import json
import re

from click.testing import CliRunner
from harness import HOST, client, compiled, main
from kfp.cli import cli
from pipelines import saying, sums

PACKAGE = compiled(sums, "commands.yaml")
WITHOUT_INPUTS = compiled(saying, "saying.yaml")


def kfp(*arguments, answer=None, fails=False):
    """What a command prints; as a table, which shows a column for each field that it needs."""
    given = None if answer is None else answer + "\n"
    result = CliRunner().invoke(cli.cli, ["--endpoint", HOST, *arguments], obj={}, input=given)
    assert (result.exit_code != 0) == fails, (arguments, result.output, result.exception)
    return result.output


def document(*arguments):
    """The same for programs; links come before it."""
    text = kfp("--output", "json", *arguments)
    return json.loads(text[re.search(r"^[\[{]", text, re.MULTILINE).start():])


def experiments():
    made = document("experiment", "create", "-d", "of the command line", "commands")
    experiment = made["experiment_id"]
    assert "commands" in kfp("experiment", "list", "-m", "50", "--sort-by", "created_at desc")
    assert experiment in kfp("experiment", "get", experiment)
    assert "ARCHIVED" in kfp("experiment", "archive", "--experiment-id", experiment)
    assert "AVAILABLE" in kfp("experiment", "unarchive", "--experiment-name", "commands")
    kfp("experiment", "delete", experiment, answer="n")
    assert client().get_experiment(experiment_id=experiment).display_name == "commands"
    kfp("experiment", "delete", experiment, answer="y")
    kfp("experiment", "get", experiment, fails=True)


def pipelines_and_versions():
    made = document("pipeline", "create", "-p", "commands", "-d", "of the command line", PACKAGE)
    pipeline = made["pipeline_id"]
    version = document("pipeline", "create-version", "-v", "second", "-p", pipeline, PACKAGE)
    assert version["pipeline_id"] == pipeline and version["display_name"] == "second", version
    other = version["pipeline_version_id"]
    # The table of a version has the columns of a pipeline.
    assert pipeline in kfp("pipeline", "get-version", pipeline, other)
    assert "commands" in kfp("pipeline", "list")
    assert "second" in kfp("pipeline", "list-versions", pipeline)
    assert pipeline in kfp("pipeline", "get", pipeline)
    assert "deleted" in kfp("pipeline", "delete-version", pipeline, other, answer="y")
    assert "second" not in kfp("pipeline", "list-versions", pipeline)
    for left in client().list_pipeline_versions(pipeline).pipeline_versions:
        kfp("pipeline", "delete-version", pipeline, left.pipeline_version_id, answer="y")
    assert "deleted" in kfp("pipeline", "delete", pipeline, answer="y")
    kfp("pipeline", "get", pipeline, fails=True)


def runs():
    made = kfp("run", "create", "-e", "commands of runs", "-r", "by command", "-f", PACKAGE, "-w", "-t", "120", "x=5")
    assert "SUCCEEDED" in made and "/#/runs/details/" in made, made
    [run] = document("run", "list", "-m", "1", "--sort-by", "created_at desc")
    run = run["run_id"]
    assert run in kfp("run", "list")
    assert "SUCCEEDED" in kfp("run", "get", run)
    assert "Run is finished with state SUCCEEDED" in kfp("run", "get", "-w", run)
    assert "ARCHIVED" in kfp("run", "archive", run)
    assert "AVAILABLE" in kfp("run", "unarchive", run)
    assert "deleted" in kfp("run", "delete", run, answer="y")
    kfp("run", "get", run, fails=True)


def run_of_a_named_pipeline():
    pipeline = document("pipeline", "create", "-p", "named", PACKAGE)["pipeline_id"]
    [version] = client().list_pipeline_versions(pipeline).pipeline_versions
    made = kfp("run", "create", "-e", "commands of runs", "-n", "named", "-v", version.pipeline_version_id, "-w", "x=6")
    assert "SUCCEEDED" in made and "/#/runs/details/" in made, made


def recurring_runs():
    made = document("recurring-run", "create", "--job-name", "often", "--experiment-name", "commands of runs",
                    "--interval-second", "3600", "--max-concurrency", "2", "--no-catchup", "--enabled",
                    "--description", "of the command line", "--pipeline-package-path", WITHOUT_INPUTS)
    often = made["recurring_run_id"]
    cron = document("recurring-run", "create", "--job-name", "nightly", "--experiment-name", "commands of runs",
                    "--cron-expression", "0 0 3 * * *", "--disabled", "--pipeline-package-path", WITHOUT_INPUTS)
    assert often in kfp("recurring-run", "list")
    assert "ENABLED" in kfp("recurring-run", "get", often)
    assert "DISABLED" in kfp("recurring-run", "get", cron["recurring_run_id"])
    assert "DISABLED" in kfp("recurring-run", "disable", often)
    assert "ENABLED" in kfp("recurring-run", "enable", often)
    for recurring in (often, cron["recurring_run_id"]):
        assert "deleted" in kfp("recurring-run", "delete", recurring, answer="y")
    kfp("recurring-run", "get", often, fails=True)


main(experiments, pipelines_and_versions, runs, run_of_a_named_pipeline, recurring_runs)
