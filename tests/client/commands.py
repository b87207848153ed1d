"""Each command of the stock `kfp` command line that speaks to a server, with each of its options."""

import json
import re

import click
from click.core import ParameterSource
from click.testing import CliRunner
from harness import HOST, client, compiled, main
from kfp.cli import cli
from pipelines import saying, sums

PACKAGE = compiled(sums, "commands.yaml")
WITHOUT_INPUTS = compiled(saying, "saying.yaml")

# What need not be asked for here, and why.
LEFT_OUT = {
    "--show-completion": "it is about the shell",
    "--install-completion": "it is about the shell",
    "--version": "it is the program's own",
    "--iap-client-id": "Google's proxy alone takes it",
    "--other-client-id": "Google's proxy alone takes it",
    "--other-client-secret": "Google's proxy alone takes it",
    "--existing-token": "multi_user.py: a server that knows its callers",
    "--namespace": "multi_user.py: a server of several namespaces",
    "recurring-run create --enable-caching": "the program says that it does nothing yet",
    "recurring-run create --disable-caching": "the program says that it does nothing yet",
}

asked = set()
just_asked = set()
invoke = click.Command.invoke


def spelled(option, value=True):
    """An option's long name; a flag may have another one for saying no."""
    names = option.secondary_opts if option.secondary_opts and not value else option.opts
    return max(names, key=len)


def noted(command, context):
    given = [option for option in command.params if isinstance(option, click.Option)
             and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE]
    just_asked.update((id(command), spelled(option, context.params[option.name])) for option in given)
    just_asked.add((id(command), ""))
    return invoke(command, context)


click.Command.invoke = noted


def kfp(*arguments, answer=None, fails=False):
    """What a command prints; as a table, which shows a column for each field that it needs."""
    just_asked.clear()
    given = None if answer is None else answer + "\n"
    result = CliRunner().invoke(cli.cli, ["--endpoint", HOST, *arguments], obj={}, input=given)
    assert (result.exit_code != 0) == fails, (arguments, result.output, result.exception)
    if not fails:
        asked.update(just_asked)
    return result.output


def document(*arguments, link=None):
    """The same for programs; a link to what the document says comes before it."""
    text = kfp("--output", "json", *arguments)
    made = json.loads(text[re.search(r"^[\[{]", text, re.MULTILINE).start():])
    if link is not None:
        what, place = link
        assert f"{what} details: {HOST}/#/{place.format(**made)}\n" in text, text
    return made


EXPERIMENT = ("Experiment", "experiments/details/{experiment_id}")
PIPELINE = ("Pipeline", "pipelines/details/{pipeline_id}")
VERSION = ("Pipeline", "pipelines/details/{pipeline_id}/version/{pipeline_version_id}")


def experiments():
    made = document("experiment", "create", "-d", "of the command line", "commands", link=EXPERIMENT)
    experiment = made["experiment_id"]
    assert made["description"] == "of the command line", made
    assert "commands" in kfp("experiment", "list", "-m", "50", "--sort-by", "created_at desc")
    assert experiment in kfp("experiment", "get", experiment)
    for named in (("--experiment-id", experiment), ("--experiment-name", "commands")):
        assert "ARCHIVED" in kfp("experiment", "archive", *named)
        assert "AVAILABLE" in kfp("experiment", "unarchive", *named)
    kfp("experiment", "delete", experiment, answer="n")
    assert client().get_experiment(experiment_id=experiment).display_name == "commands"
    kfp("experiment", "delete", experiment, answer="y")
    kfp("experiment", "get", experiment, fails=True)


def pipelines_and_versions():
    made = document("pipeline", "create", "-p", "commands", "-d", "of the command line", PACKAGE, link=PIPELINE)
    pipeline = made["pipeline_id"]
    version = document("pipeline", "create-version", "-v", "second", "-p", pipeline, PACKAGE, link=VERSION)
    assert version["pipeline_id"] == pipeline and version["display_name"] == "second", version
    other = version["pipeline_version_id"]
    named = document("pipeline", "create-version", "-v", "third", "-n", "commands", "-d", "by name", PACKAGE, link=VERSION)
    assert (named["pipeline_id"], named["description"]) == (pipeline, "by name"), named
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
    experiment, run = run["experiment_id"], run["run_id"]
    assert f"Run details: {HOST}/#/runs/details/{run}\n" in made, made
    assert f"Experiment details: {HOST}/#/experiments/details/{experiment}\n" in made, made
    assert run in kfp("run", "list")
    assert "SUCCEEDED" in kfp("run", "get", run)
    detail = kfp("run", "get", "-d", run)
    detail = json.loads(detail[detail.index("{"):])
    assert (detail["run_id"], detail["state"]) == (run, "SUCCEEDED"), detail
    assert len(detail["run_details"]["task_details"]) >= 2, detail
    assert "Run is finished with state SUCCEEDED" in kfp("run", "get", "-w", run)
    assert "ARCHIVED" in kfp("run", "archive", run)
    assert "AVAILABLE" in kfp("run", "unarchive", run)
    assert "deleted" in kfp("run", "delete", run, answer="y")
    kfp("run", "get", run, fails=True)


def runs_of_a_pipeline():
    pipeline = document("pipeline", "create", "-p", "named", PACKAGE)["pipeline_id"]
    [version] = client().list_pipeline_versions(pipeline).pipeline_versions
    version = version.pipeline_version_id
    made = kfp("run", "create", "-e", "commands of runs", "-n", "named", "-v", version, "-w", "x=6")
    assert "SUCCEEDED" in made and "/#/runs/details/" in made, made
    made = document("run", "create", "-e", "commands of runs", "-p", pipeline, "-v", version, "x=6")
    assert made["pipeline_version_reference"] == {"pipeline_id": pipeline, "pipeline_version_id": version}, made
    assert made["display_name"] == "commands of runs", made


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


def recurring_runs_of_a_pipeline():
    pipeline = document("pipeline", "create", "-p", "recurring", WITHOUT_INPUTS)["pipeline_id"]
    [version] = client().list_pipeline_versions(pipeline).pipeline_versions
    version = version.pipeline_version_id
    experiment = client().create_experiment("commands of runs").experiment_id
    made = document("recurring-run", "create", "--job-name", "later", "--experiment-id", experiment, "--catchup",
                    "--cron-expression", "0 0 3 * * *", "--start-time", "2040-01-01T00:00:00Z",
                    "--end-time", "2040-12-31T00:00:00Z", "--pipeline-id", pipeline, "--version-id", version, "text=of it")
    assert made["pipeline_version_reference"] == {"pipeline_id": pipeline, "pipeline_version_id": version}, made
    assert made["experiment_id"] == experiment and not made["no_catchup"], made
    cron = made["trigger"]["cron_schedule"]
    span = ("2040-01-01T00:00:00+00:00", "2040-12-31T00:00:00+00:00")
    assert (cron["start_time"], cron["end_time"]) == span, made
    assert made["runtime_config"]["parameters"] == {"text": "of it"}, made


def lists():
    """Each is sorted, filtered, and goes on where the page before ended."""
    names = ("list 1", "list 2")
    for name in names:
        client().create_experiment(name)
        client().upload_pipeline(WITHOUT_INPUTS, name)
    experiment = client().get_experiment(experiment_name="list 1").experiment_id
    pipeline = client().get_pipeline_id("list 1")
    client().upload_pipeline_version(WITHOUT_INPUTS, "list 2", pipeline_id=pipeline)
    source = {"pipeline_package_path": WITHOUT_INPUTS}
    for name in names:
        client().run_pipeline(experiment, name, **source)
        client().create_recurring_run(experiment, name, interval_second=3600, enabled=False, **source)
    of_experiment = {"experiment_id": experiment}
    filter = json.dumps({"predicates": [{"operation": "IS_SUBSTRING", "key": "name", "stringValue": "list "}]})
    for command, listed, narrowed in [
        (["experiment", "list"], client().list_experiments, {}),
        (["pipeline", "list"], client().list_pipelines, {}),
        (["pipeline", "list-versions", pipeline], client().list_pipeline_versions, {"pipeline_id": pipeline}),
        (["run", "list", "-e", experiment], client().list_runs, of_experiment),
        (["recurring-run", "list", "-e", experiment], client().list_recurring_runs, of_experiment),
    ]:
        order = {"sort_by": "name desc", "filter": filter}
        token = listed(page_size=1, **order, **narrowed).next_page_token
        second = document(*command, "-m", "1", "--sort-by", order["sort_by"], "--filter", filter, "--page-token", token)
        assert [item["display_name"] for item in second] == ["list 1"], (command, second)


def nothing_else_is_there_to_ask_for():
    """The commands that have a client, and all their options."""
    groups = [(group.name, group) for group in cli.COMMANDS["client"]]
    commands = [(f"{name} {command.name}", command) for name, group in groups for command in group.commands.values()]
    missing = []
    for path, command in [("", cli.cli), *commands]:
        options = [option for option in command.params if isinstance(option, click.Option)]
        spellings = [spelled(option, value) for option in options for value in (True, False)]
        for option in ["", *dict.fromkeys(spellings)]:
            name = f"{path} {option}".strip()
            if ((id(command), option) in asked) == (name in LEFT_OUT):
                missing.append(name)
    assert not missing, f"neither asked for nor left out, or both: {missing}"


main(
    experiments,
    pipelines_and_versions,
    runs,
    runs_of_a_pipeline,
    recurring_runs,
    recurring_runs_of_a_pipeline,
    lists,
    nothing_else_is_there_to_ask_for,
)
