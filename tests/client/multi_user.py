"""Two teams and their namespaces by the stock client: each sees and does what is theirs, and is told why not.

With tokens in the environment the server asks a real cluster, whose Pods carry runs out; otherwise a stand-in, and nobody
carries them out.
"""

import inspect
import json
import os
import time

import kfp
import kfp_server_api
from click.testing import CliRunner
from harness import FOLDER, HOST, compiled, expect_error, main
from kfp.cli import cli
from kfp.client import ServiceAccountTokenVolumeCredentials
from pipelines import saying, sums
from stand_in_cluster import Cluster

AUDIENCE = "pipelines.kubeflow.org"
TEAM_A, TEAM_B, SYSTEM = os.environ["PENSTOCK_TEST_NAMESPACES"].split(",")
ON_CLUSTER = "PENSTOCK_TEST_TOKENS" in os.environ
LIMIT = 240
# Where accounts are, and what they may do there: ann and bob work, vera looks on, and olga installs pipelines for all.
ACCOUNTS = {"ann": (TEAM_A, "edit"), "bob": (TEAM_B, "edit"), "vera": (TEAM_A, "view"), "olga": (SYSTEM, "edit")}
PACKAGE, SAYING = compiled(sums), compiled(saying, "saying.yaml")

seen = set()


def user(account):
    return f"system:serviceaccount:{ACCOUNTS[account][0]}:{account}"


if ON_CLUSTER:
    cluster, tokens = None, json.loads(os.environ["PENSTOCK_TEST_TOKENS"])
else:
    cluster = Cluster(int(os.environ["PENSTOCK_TEST_CLUSTER_PORT"]), AUDIENCE, {TEAM_A, TEAM_B})
    tokens = {account: f"token-of-{account}" for account in ACCOUNTS}
    for account, (namespace, level) in ACCOUNTS.items():
        cluster.tokens[tokens[account]] = user(account)
        cluster.roles[user(account), namespace] = level


class Noted:
    """The stock client, and which of its methods were called."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        seen.add(name)
        return getattr(self._client, name)


def client_of(account, **arguments):
    arguments.setdefault("namespace", ACCOUNTS[account][0])
    return Noted(kfp.Client(host=HOST, existing_token=tokens[account], **arguments))


ann, bob, vera, olga = map(client_of, ACCOUNTS)
NAMES = {id(ann): "ann", id(bob): "bob", id(vera): "vera", id(olga): "olga"}


def denied(call, who, verb, resource, namespace=TEAM_A, status=403):
    """The call is refused, and what the client prints of it says to whom, what and where."""
    try:
        answer = call()
    except kfp_server_api.ApiException as error:
        printed = str(error)
    else:
        raise AssertionError(f"it was not refused: {answer}")
    assert f"({status})" in printed and "HTTP response body: " in printed, printed
    for part in [
        f"User '{user(NAMES[id(who)])}' is not authorized with reason: ",
        f"ResourceAttributes{{Namespace:{namespace},Verb:{verb},Group:{AUDIENCE},Version:v1beta1,Resource:{resource}}}",
    ]:
        assert part in printed, (part, printed)


def ids(found, what):
    return [getattr(item, what) for item in found or []]


def callers_are_known():
    nobody = Noted(kfp.Client(host=HOST))
    assert nobody.get_kfp_healthz().multi_user is True
    assert nobody.get_user_namespace() == "", "there is none that a Pod would say"
    unknown = "Failed to check authorization. User identity is empty in the request header"
    for call in [nobody.list_experiments, nobody.list_pipelines, lambda: nobody.get_run("x"), nobody.list_runs]:
        expect_error(401, unknown, call)
    try:
        nobody.upload_pipeline(PACKAGE, "nobody's", namespace=TEAM_A)
    except kfp_server_api.ApiException as error:
        assert error.status == 401 and unknown in str(error), error
    else:
        raise AssertionError("it was uploaded")
    forged = kfp.Client(host=HOST, existing_token="forged", namespace=TEAM_A)
    expect_error(401, "the bearer token is not valid", forged.list_experiments)
    # As in a Pod: the kubelet writes a new token into the file from time to time.
    path = os.path.join(FOLDER, "token")
    with open(path, "w") as file:
        file.write(tokens["vera"])
    of_file = kfp.Client(host=HOST, credentials=ServiceAccountTokenVolumeCredentials(path), namespace=TEAM_A)
    assert of_file.list_experiments().experiments is None
    denied(lambda: of_file.create_experiment("not hers"), vera, "create", "experiments")
    with open(path, "w") as file:
        file.write(tokens["bob"])
    denied(of_file.list_experiments, bob, "list", "experiments")


def namespaces_are_remembered():
    c = client_of("ann", namespace="kubeflow")
    assert c.get_user_namespace() == ""
    for call, text in [
        (c.list_experiments, "An experiment cannot have an empty namespace in multi-user mode"),
        (lambda: c.create_experiment("nowhere"), "An experiment cannot have an empty namespace in multi-user mode"),
        (c.list_runs, "A run cannot have an empty namespace in multi-user mode"),
        (c.list_recurring_runs, "a recurring run cannot have an empty namespace in multi-user mode"),
    ]:
        expect_error(400, text, call)
    context = os.path.expanduser("~/.config/kfp/context.json")
    # As in a Pod, whose namespace is in a file.
    elsewhere, kfp.Client._NAMESPACE_PATH = kfp.Client._NAMESPACE_PATH, os.path.join(FOLDER, "namespace")
    with open(kfp.Client._NAMESPACE_PATH, "w") as file:
        file.write(TEAM_B)
    assert client_of("bob", namespace="kubeflow").get_user_namespace() == TEAM_B, "the server says that it has several"
    kfp.Client._NAMESPACE_PATH = elsewhere
    os.remove(context)
    c.set_user_namespace(TEAM_A)
    assert c.list_experiments().experiments is None
    again = client_of("ann", namespace="kubeflow")
    assert again.get_user_namespace() == TEAM_A, "it is in the file of the user"
    assert client_of("ann", namespace=TEAM_B).get_user_namespace() == TEAM_B
    # A header of the user's own, as a proxy in front would set it.
    if not ON_CLUSTER:
        with open(context, "w") as file:
            json.dump({"namespace": TEAM_A, "client_authentication_header_name": "kubeflow-userid",
                       "client_authentication_header_value": user("vera")}, file)
        proxied = kfp.Client(host=HOST)
        assert proxied.list_experiments().experiments is None
        denied(lambda: proxied.create_experiment("not hers"), vera, "create", "experiments")
    os.remove(context)


def experiments_are_of_a_namespace():
    made = ann.create_experiment("moonshot", description="to the moon")
    assert made.namespace == TEAM_A and ann.create_experiment("moonshot").experiment_id == made.experiment_id, made
    theirs = bob.create_experiment("moonshot")
    assert theirs.namespace == TEAM_B and theirs.experiment_id != made.experiment_id, theirs
    for c in (ann, vera):
        assert c.get_experiment(experiment_id=made.experiment_id) == made
        assert c.get_experiment(experiment_name="moonshot") == made
        assert ids(c.list_experiments().experiments, "experiment_id") == [made.experiment_id]
        assert c.list_experiments(page_size=1, sort_by="created_at desc", namespace=TEAM_A).total_size == 1
        denied(lambda: c.list_experiments(namespace=TEAM_B), c, "list", "experiments", TEAM_B)
        denied(lambda: c.create_experiment("stray", namespace=TEAM_B), c, "list", "experiments", TEAM_B)
        denied(lambda: c.get_experiment(experiment_id=theirs.experiment_id), c, "get", "experiments", TEAM_B)
    for c in (bob, vera):
        denied(lambda: c.archive_experiment(made.experiment_id), c, "archive", "experiments")
        denied(lambda: c.unarchive_experiment(made.experiment_id), c, "unarchive", "experiments")
        denied(lambda: c.delete_experiment(made.experiment_id), c, "delete", "experiments")
    ann.archive_experiment(made.experiment_id)
    assert vera.get_experiment(experiment_id=made.experiment_id).storage_state == "ARCHIVED"
    assert bob.get_experiment(experiment_id=theirs.experiment_id).storage_state == "AVAILABLE"
    ann.unarchive_experiment(made.experiment_id)
    ann.delete_experiment(made.experiment_id)
    expect_error(404, "not found", lambda: vera.get_experiment(experiment_id=made.experiment_id))
    assert bob.get_experiment(experiment_name="moonshot") == theirs


def refused_upload(call, who, namespace, verb="create"):
    """Uploads have a refusal of their own, with another status."""
    denied(call, who, verb, "pipelines", namespace, status=400)


def pipelines_are_of_a_namespace():
    made = ann.upload_pipeline(PACKAGE, "ours", description="adds", namespace=TEAM_A)
    assert made.namespace == TEAM_A, made
    by_function = ann.upload_pipeline_from_pipeline_func(saying, "spoken", namespace=TEAM_A)
    theirs = bob.upload_pipeline(PACKAGE, "ours", namespace=TEAM_B)
    assert theirs.pipeline_id != made.pipeline_id
    one = made.pipeline_id
    second = ann.upload_pipeline_version(PACKAGE, "second", pipeline_id=one)
    third = ann.upload_pipeline_version_from_pipeline_func(sums, "third", pipeline_id=one)
    for c in (ann, vera):
        assert c.get_pipeline(one) == made
        listed = c.list_pipelines(namespace=TEAM_A, sort_by="created_at").pipelines
        assert ids(listed, "pipeline_id") == [one, by_function.pipeline_id], listed
        assert c.list_pipeline_versions(one).total_size == 3
        assert c.get_pipeline_version(one, second.pipeline_version_id) == second
        assert c.get_pipeline_id("ours") is None, "names are looked for among what is shared"
        denied(lambda: c.list_pipelines(namespace=TEAM_B), c, "list", "pipelines", TEAM_B)
        denied(lambda: c.get_pipeline(theirs.pipeline_id), c, "get", "pipelines", TEAM_B)
        refused_upload(lambda: c.upload_pipeline(PACKAGE, "stray", namespace=TEAM_B), c, TEAM_B)
    denied(lambda: bob.list_pipeline_versions(one), bob, "list", "pipelines")
    denied(lambda: bob.get_pipeline_version(one, second.pipeline_version_id), bob, "get", "pipelines")
    # The id of a pipeline in the path decides nothing: the version lies where its own pipeline does.
    disguised = theirs.pipeline_id
    denied(lambda: bob.get_pipeline_version(disguised, second.pipeline_version_id), bob, "get", "pipelines")
    denied(lambda: bob.delete_pipeline_version(disguised, second.pipeline_version_id), bob, "delete", "pipelines")
    for c in (bob, vera):
        refused_upload(lambda: c.upload_pipeline_version(PACKAGE, "stray", pipeline_id=one), c, TEAM_A)
        refused_upload(lambda: c.upload_pipeline_version_from_pipeline_func(sums, "stray", pipeline_id=one), c, TEAM_A)
        refused_upload(lambda: c.upload_pipeline_from_pipeline_func(sums, "stray", namespace=TEAM_A), c, TEAM_A)
        denied(lambda: c.delete_pipeline_version(one, third.pipeline_version_id), c, "delete", "pipelines")
        denied(lambda: c.delete_pipeline(one), c, "delete", "pipelines")
    for version in ann.list_pipeline_versions(one).pipeline_versions:
        ann.delete_pipeline_version(one, version.pipeline_version_id)
    ann.delete_pipeline(one)
    assert bob.get_pipeline(theirs.pipeline_id) == theirs


def pipelines_of_no_namespace_are_for_all():
    made = olga.upload_pipeline(PACKAGE, "for all")
    assert not made.namespace, made
    version = olga.upload_pipeline_version(PACKAGE, "better", pipeline_name="for all")
    for c in (ann, bob, vera):
        assert c.get_pipeline_id("for all") == made.pipeline_id
        assert ids(c.list_pipelines().pipelines, "display_name") == ["for all"]
        assert c.get_pipeline(made.pipeline_id) == made
        refused_upload(lambda: c.upload_pipeline(PACKAGE, "mine"), c, SYSTEM)
        refused_upload(lambda: c.upload_pipeline_version(PACKAGE, "worse", pipeline_name="for all"), c, SYSTEM)
        denied(lambda: c.delete_pipeline(made.pipeline_id), c, "delete", "pipelines", SYSTEM)
    experiment = bob.create_experiment("of what is shared")
    run = bob.run_pipeline(experiment.experiment_id, "theirs", pipeline_id=made.pipeline_id,
                           version_id=version.pipeline_version_id, params={"x": 1})
    assert bob.list_runs().runs[0].run_id == run.run_id
    denied(lambda: ann.get_run(run.run_id), ann, "get", "runs", TEAM_B)
    bob.delete_run(run.run_id)


def runs_are_of_a_namespace():
    started = ann.create_run_from_pipeline_func(sums, arguments={"x": 1}, run_name="first", experiment_name="adding",
                                                namespace=TEAM_A, enable_caching=False)
    run = started.run_id
    experiment = ann.get_experiment(experiment_name="adding")
    packaged = ann.create_run_from_pipeline_package(PACKAGE, arguments={"x": 2}, experiment_name="adding")
    direct = ann.run_pipeline(experiment.experiment_id, "third", PACKAGE, params={"x": 3})
    for c in (ann, vera):
        assert c.get_run(run).display_name == "first"
        assert set(ids(c.list_runs().runs, "run_id")) == {run, packaged.run_id, direct.run_id}
        assert c.list_runs(namespace=TEAM_A, page_size=2, sort_by="created_at desc").total_size == 3
        assert c.list_runs(experiment_id=experiment.experiment_id).total_size == 3
    for c in (bob, vera):
        denied(lambda: c.archive_run(run), c, "archive", "runs")
        denied(lambda: c.unarchive_run(run), c, "unarchive", "runs")
        denied(lambda: c.terminate_run(run), c, "terminate", "runs")
        denied(lambda: c.delete_run(run), c, "delete", "runs")
        denied(lambda: c.runs.run_service_retry_run(run), c, "retry", "runs")
    denied(lambda: bob.get_run(run), bob, "get", "runs")
    denied(lambda: bob.list_runs(namespace=TEAM_A), bob, "list", "runs")
    denied(lambda: bob.wait_for_run_completion(run, timeout=5), bob, "get", "runs")
    for c in (bob, vera):
        denied(lambda: c.create_run_from_pipeline_func(sums, arguments={"x": 1}, namespace=TEAM_A), c,
               "list" if c is bob else "create", "experiments")
    stray = lambda c: c.run_pipeline(experiment.experiment_id, "stray", PACKAGE, params={"x": 1})
    denied(lambda: stray(bob), bob, "create", "runs")
    denied(lambda: stray(vera), vera, "create", "runs")
    denied(lambda: bob.list_runs(experiment_id=experiment.experiment_id), bob, "list", "runs")
    if ON_CLUSTER:
        finished = vera.wait_for_run_completion(run, timeout=LIMIT, sleep_duration=0.5)
        assert finished.state == "SUCCEEDED", finished
        ann.wait_for_run_completion(packaged.run_id, timeout=LIMIT, sleep_duration=0.5)
    else:
        try:
            ann.wait_for_run_completion(run, timeout=0.1, sleep_duration=0.2)
        except TimeoutError as error:
            assert str(error) == "Run timeout", error
        else:
            raise AssertionError("nobody carries it out")
        ann.terminate_run(packaged.run_id)
        assert vera.get_run(packaged.run_id).state == "CANCELING"
    ann.archive_run(run)
    assert vera.get_run(run).storage_state == "ARCHIVED"
    ann.unarchive_run(run)
    for run_id in (run, packaged.run_id, direct.run_id):
        ann.delete_run(run_id)
    expect_error(404, f"Run {run} not found", lambda: bob.get_run(run))


def recurring_runs_are_of_a_namespace():
    experiment = ann.create_experiment("often").experiment_id
    made = ann.create_recurring_run(experiment, "hourly", pipeline_package_path=SAYING, interval_second=3600)
    nightly = ann.create_recurring_run(experiment, "nightly", pipeline_package_path=SAYING, cron_expression="0 0 3 * * *")
    one = made.recurring_run_id
    for c in (ann, vera):
        assert c.get_recurring_run(one).namespace == TEAM_A
        assert c.list_recurring_runs(namespace=TEAM_A).total_size == 2
        assert c.list_recurring_runs(experiment_id=experiment).total_size == 2
    denied(lambda: bob.get_recurring_run(one), bob, "get", "jobs")
    denied(lambda: bob.list_recurring_runs(namespace=TEAM_A), bob, "list", "jobs")
    for c in (bob, vera):
        for verb, method in [("disable", c.disable_recurring_run), ("disable", c.disable_job),
                             ("enable", c.enable_recurring_run), ("enable", c.enable_job),
                             ("delete", c.delete_recurring_run), ("delete", c.delete_job)]:
            denied(lambda: method(one), c, verb, "jobs")
        denied(lambda: c.create_recurring_run(experiment, "stray", pipeline_package_path=SAYING, interval_second=60), c,
               "create", "jobs")
    ann.disable_recurring_run(one)
    ann.disable_job(nightly.recurring_run_id)
    assert {r.status for r in vera.list_recurring_runs(namespace=TEAM_A).recurring_runs} == {"DISABLED"}
    ann.enable_recurring_run(one)
    ann.enable_job(nightly.recurring_run_id)
    ann.delete_recurring_run(one)
    ann.delete_job(nightly.recurring_run_id)
    assert vera.list_recurring_runs(namespace=TEAM_A).recurring_runs is None


def callers_may_ask_what_they_may():
    ask = lambda c, namespace, verb: c.auths.auth_service_authorize(namespace=namespace, resources="VIEWERS", verb=verb)
    if not ON_CLUSTER:
        assert ask(vera, TEAM_A, "GET") == {} == ask(ann, TEAM_A, "CREATE")
        expect_error(403, "Verb:create,Group:kubeflow.org", lambda: ask(vera, TEAM_A, "CREATE"))
    expect_error(403, "Verb:get,Group:kubeflow.org", lambda: ask(bob, TEAM_A, "GET"))


def the_command_line_takes_a_token():
    def run(account, *arguments, fails=False):
        flags = ["--endpoint", HOST, "--existing-token", tokens[account], "--namespace", TEAM_A, "--output", "json"]
        result = CliRunner().invoke(cli.cli, [*flags, *arguments], obj={})
        assert (result.exit_code != 0) == fails, (arguments, result.output, result.exception)
        return result.output + str(result.exception)

    assert "by hand" in run("ann", "experiment", "create", "by hand")
    assert "by hand" in run("vera", "experiment", "list")
    refused = run("bob", "experiment", "list", fails=True)
    assert f"User '{user('bob')}' is not authorized" in refused and "Resource:experiments" in refused, refused
    refused = run("vera", "experiment", "create", "by vera", fails=True)
    assert "Verb:create" in refused, refused


def rights_come_and_go():
    if ON_CLUSTER:
        return
    def wait(allowed):
        deadline = time.monotonic() + 40
        while True:
            try:
                bob.list_experiments(namespace=TEAM_A)
                found = True
            except kfp_server_api.ApiException as error:
                assert error.status == 403, error
                found = False
            if found == allowed:
                return
            assert time.monotonic() < deadline, f"it was never {allowed}"
            time.sleep(0.5)

    cluster.roles[user("bob"), TEAM_A] = "view"
    wait(True)
    del cluster.roles[user("bob"), TEAM_A]
    wait(False)


def nothing_else_was_asked_for():
    """The words of KFP's roles, and every public method of the client."""
    public = {name for name, _ in inspect.getmembers(kfp.Client, inspect.isfunction) if not name.startswith("_")}
    assert not public - seen, f"they were never called: {public - seen}"
    if ON_CLUSTER:
        return
    assert cluster.audiences == {AUDIENCE}, cluster.audiences
    groups = {(group, version) for group, version, _, _ in cluster.actions}
    assert groups == {(AUDIENCE, "v1beta1"), ("kubeflow.org", "v1beta1")}, groups
    resources = {resource for _, _, resource, _ in cluster.actions}
    assert resources == {"experiments", "pipelines", "runs", "jobs", "viewers"}, resources


main(
    callers_are_known,
    namespaces_are_remembered,
    experiments_are_of_a_namespace,
    pipelines_are_of_a_namespace,
    pipelines_of_no_namespace_are_for_all,
    runs_are_of_a_namespace,
    recurring_runs_are_of_a_namespace,
    callers_may_ask_what_they_may,
    the_command_line_takes_a_token,
    rights_come_and_go,
    nothing_else_was_asked_for,
)
