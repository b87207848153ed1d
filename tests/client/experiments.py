"""Experiments by the stock client."""

from harness import client, expect_error, main, run_api

c = client()


def are_made_once_and_found():
    first = c.create_experiment("Moonshot", description="to the moon")
    assert first.display_name == "Moonshot" and first.description == "to the moon", first
    assert first.storage_state == "AVAILABLE" and first.namespace is None, first
    assert first.created_at.year >= 2024 and first.last_run_created_at.year == 1970, first
    assert c.create_experiment("Moonshot").experiment_id == first.experiment_id
    assert c.get_experiment(experiment_id=first.experiment_id) == first
    assert c.get_experiment(experiment_name="Moonshot") == first
    expect_error(409, "Please specify a new name", lambda: create("moonshot"))
    expect_error(404, "Experiment nothing not found", lambda: c.get_experiment(experiment_id="nothing"))
    expect_error(400, "unknown field", lambda: run_api("POST", "/experiments", {"display_name": "a", "nonsense": 1}))


def create(name):
    return run_api("POST", "/experiments", {"displayName": name})


def default_is_there_and_stays():
    default = c.get_experiment(experiment_name="Default")
    assert default.description.startswith("All runs created without specifying"), default
    expect_error(409, "The default experiment cannot be deleted", lambda: c.delete_experiment(default.experiment_id))


def are_listed_in_pages():
    for name in ["b2", "B1", "b3"]:
        c.create_experiment(name)
    some = '{"predicates": [{"operation": "IS_SUBSTRING", "key": "name", "stringValue": "b"}]}'
    page = c.list_experiments(page_size=2, sort_by="name", filter=some)
    assert [e.display_name for e in page.experiments] == ["B1", "b2"] and page.total_size == 3, page
    rest = c.list_experiments(page_token=page.next_page_token, page_size=5)
    assert [e.display_name for e in rest.experiments] == ["b3"], rest
    assert rest.next_page_token is None
    down = c.list_experiments(page_size=1, sort_by="name desc", filter=some)
    assert [e.display_name for e in down.experiments] == ["b3"], down
    by_number = c.list_experiments(filter='{"predicates": [{"operation": 1, "key": "display_name", "stringValue": "b3"}]}')
    assert by_number.total_size == 1, by_number
    none = c.list_experiments(filter='{"predicates": [{"operation": 1, "key": "name", "stringValue": "zz"}]}')
    assert none.experiments is None and none.total_size is None, none
    expect_error(400, 'Invalid sorting field: "nonsense"', lambda: c.list_experiments(sort_by="nonsense"))
    expect_error(400, "nonsense", lambda: c.list_experiments(page_token="nonsense"), anywhere=True)
    expect_error(400, "unrecognized field", lambda: c.list_experiments(filter=some.replace('"name"', '"nonsense"')))


def are_archived_and_deleted():
    one = c.create_experiment("short-lived")
    assert c.archive_experiment(one.experiment_id) is not None
    assert c.get_experiment(experiment_id=one.experiment_id).storage_state == "ARCHIVED"
    c.unarchive_experiment(one.experiment_id)
    assert c.get_experiment(experiment_id=one.experiment_id).storage_state == "AVAILABLE"
    c.delete_experiment(one.experiment_id)
    expect_error(404, "not found", lambda: c.get_experiment(experiment_id=one.experiment_id))
    expect_error(404, "not found", lambda: c.delete_experiment(one.experiment_id))


main(are_made_once_and_found, default_is_there_and_stays, are_listed_in_pages, are_archived_and_deleted)
