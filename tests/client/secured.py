"""An API of a cluster behind TLS, and the stock client."""

import os

import kfp
import urllib3
from harness import HOST, main
from pipelines import sums

AUTHORITY = os.environ["PENSTOCK_TEST_CA"]
LIMIT = 180


def run_of_a_client_that_is_told_the_authority():
    client = kfp.Client(host=HOST, ssl_ca_cert=AUTHORITY)
    started = client.create_run_from_pipeline_func(sums, arguments={"x": 1}, experiment_name="tls", enable_caching=False)
    run = started.wait_for_run_completion(timeout=LIMIT)
    assert run.state == "SUCCEEDED", run


def client_without_the_authority_says_nothing_to_the_server():
    try:
        kfp.Client(host=HOST)
    except urllib3.exceptions.MaxRetryError as error:
        assert isinstance(error.reason, urllib3.exceptions.SSLError), error
    else:
        raise AssertionError("it trusts whoever answers")


main(run_of_a_client_that_is_told_the_authority, client_without_the_authority_says_nothing_to_the_server)
