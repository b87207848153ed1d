"""Pipelines and versions by the stock client."""

import json
import os
import tarfile
import urllib.parse
import zipfile

import yaml
from harness import FOLDER, HOST, client, compiled, expect_error, main, run_api
from pipelines import needs_marker, sums

c = client()
PACKAGE = compiled(sums)


def upload_makes_a_pipeline_and_its_first_version():
    made = c.upload_pipeline(PACKAGE, pipeline_name="Sums One", description="adds")
    assert made.display_name == "Sums One" and made.description == "adds" and made.pipeline_id, made
    assert c.get_pipeline(made.pipeline_id) == made
    assert c.get_pipeline_id("Sums One") == made.pipeline_id
    assert c.get_pipeline_id("nothing of that name") is None
    [version] = c.list_pipeline_versions(made.pipeline_id).pipeline_versions
    assert version.display_name == "Sums One" and version.pipeline_id == made.pipeline_id, version
    with open(PACKAGE) as file:
        assert version.pipeline_spec == yaml.safe_load(file), version.pipeline_spec
    assert c.get_pipeline_version(made.pipeline_id, version.pipeline_version_id) == version
    try:
        c.upload_pipeline(PACKAGE, pipeline_name="Sums One")
    except Exception as error:
        assert "409" in str(error) or "already exist" in str(error), error
    else:
        raise AssertionError("two pipelines of one name")


def name_of_the_package_is_the_default():
    made = c.upload_pipeline_from_pipeline_func(needs_marker)
    assert made.display_name == "needs-marker", made


def versions_are_added_listed_and_deleted():
    pipeline = c.upload_pipeline(PACKAGE, pipeline_name="versioned")
    second = c.upload_pipeline_version(PACKAGE, "second", pipeline_id=pipeline.pipeline_id, description="again")
    assert (second.display_name, second.description) == ("second", "again"), second
    third = c.upload_pipeline_version_from_pipeline_func(sums, "third", pipeline_name="versioned")
    listed = c.list_pipeline_versions(pipeline.pipeline_id, sort_by="name desc")
    assert [v.display_name for v in listed.pipeline_versions] == ["versioned", "third", "second"], listed
    page = c.list_pipeline_versions(pipeline.pipeline_id, page_size=2)
    assert len(page.pipeline_versions) == 2 and page.total_size == 3 and page.next_page_token, page
    expect_error(400, "Set cascade=true", lambda: c.delete_pipeline(pipeline.pipeline_id))
    for version in listed.pipeline_versions:
        c.delete_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id)
    expect_error(404, "not found", lambda: c.get_pipeline_version(pipeline.pipeline_id, third.pipeline_version_id))
    assert c.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions is None
    c.delete_pipeline(pipeline.pipeline_id)
    expect_error(404, "Pipeline", lambda: c.get_pipeline(pipeline.pipeline_id))


def archives_hold_a_pipeline_too():
    zipped, tarred = os.path.join(FOLDER, "a.zip"), os.path.join(FOLDER, "a.tar.gz")
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(PACKAGE, "pipeline.yaml")
    with tarfile.open(tarred, "w:gz") as archive:
        archive.add(PACKAGE, "pipeline.yaml")
    for package in [zipped, tarred]:
        made = c.upload_pipeline(package, pipeline_name=os.path.basename(package))
        [version] = c.list_pipeline_versions(made.pipeline_id).pipeline_versions
        assert version.pipeline_spec["pipelineInfo"]["name"] == "sums", version


def what_is_no_pipeline_is_refused():
    for name, content in [("a.yaml", b"no: pipeline\n"), ("b.yaml", b""), ("c.png", b"\x89PNG\r\n"), ("d.zip", b"PKno")]:
        path = os.path.join(FOLDER, name)
        with open(path, "wb") as file:
            file.write(content)
        try:
            c.upload_pipeline(path, pipeline_name=f"refused-{name}")
        except Exception:
            pass
        else:
            raise AssertionError(f"{name} was taken")
        assert c.get_pipeline_id(f"refused-{name}") is None


def tags_are_kept_replaced_and_removed():
    made = run_api("POST", "/pipelines", {"name": "tagged", "tags": {"team": "a", "tier": "gold"}})
    path = f"/pipelines/{made['pipeline_id']}"
    assert made["tags"] == {"team": "a", "tier": "gold"} and made["display_name"] == "tagged", made
    wanted = {"predicates": [{"operation": "EQUALS", "key": "tags.team", "string_value": "a"}]}
    query = urllib.parse.urlencode({"filter": json.dumps(wanted)})
    assert run_api("GET", f"/pipelines?{query}")["total_size"] == 1
    changed = run_api("PATCH", path, {"display_name": "Tagged!", "tags": {"team": "b"}})
    assert changed["tags"] == {"team": "b"} and changed["display_name"] == "Tagged!" and changed["name"] == "tagged"
    assert run_api("GET", f"/pipelines?{query}") == {}
    assert run_api("PATCH", path, {"tags": None})["tags"] == {"team": "b"}
    assert "tags" not in run_api("PATCH", path, {"tags": {}})
    expect_error(400, "exceeds maximum of 20", lambda: run_api("PATCH", path, {"tags": {f"k{n}": "" for n in range(21)}}))
    expect_error(400, "must not contain '.'", lambda: run_api("PATCH", path, {"tags": {"a.b": ""}}))
    assert run_api("GET", "/pipelines/names/tagged")["pipeline_id"] == made["pipeline_id"]


def what_is_not_there_says_so():
    expect_error(404, "Not Found", lambda: run_api("GET", "/nothing"))
    expect_error(404, "Pipeline invalid-id-!@#$% not found", lambda: c.get_pipeline("invalid-id-!@#$%"))
    expect_error(501, "Method Not Allowed", lambda: run_api("PUT", "/pipelines", {}))
    health = c.get_kfp_healthz()
    assert health.multi_user is False, health
    assert HOST.startswith("http://127.0.0.1:")


main(
    upload_makes_a_pipeline_and_its_first_version,
    name_of_the_package_is_the_default,
    versions_are_added_listed_and_deleted,
    archives_hold_a_pipeline_too,
    what_is_no_pipeline_is_refused,
    tags_are_kept_replaced_and_removed,
    what_is_not_there_says_so,
)
