"""A server with TLS, and the stock client."""

import http.server
import os
import ssl
import threading

import kfp
import kfp_server_api
import urllib3
from harness import FOLDER, HOST, compiled, main
from pipelines import sums

AUTHORITY = os.environ["PENSTOCK_TEST_CA"]
FILES_PORT = int(os.environ["PENSTOCK_TEST_FILES_PORT"])
LIMIT = 180


def trusting():
    return kfp.Client(host=HOST, ssl_ca_cert=AUTHORITY)


def run_of_a_client_that_is_told_the_authority():
    client = trusting()
    started = client.create_run_from_pipeline_func(sums, arguments={"x": 1}, experiment_name="tls")
    run = started.wait_for_run_completion(timeout=LIMIT)
    assert run.state == "SUCCEEDED", run
    pipeline = client.upload_pipeline(compiled(sums), pipeline_name="uploaded")
    assert client.get_pipeline_id("uploaded") == pipeline.pipeline_id
    assert [found.run_id for found in client.list_runs().runs] == [run.run_id]


def client_without_the_authority_says_nothing_to_the_server():
    by_address = HOST.replace("localhost", "127.0.0.1")
    for arguments in [{"host": HOST}, {"host": by_address, "ssl_ca_cert": AUTHORITY}]:
        try:
            kfp.Client(**arguments)
        except urllib3.exceptions.MaxRetryError as error:
            assert isinstance(error.reason, urllib3.exceptions.SSLError), error
        else:
            raise AssertionError("it trusts whoever answers")
    assert kfp.Client(host=HOST, verify_ssl=False).list_experiments().total_size >= 1


def pipeline_is_imported_from_a_server_with_tls():
    compiled(sums, "imported.yaml")

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=FOLDER)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", FILES_PORT), Files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["PENSTOCK_TEST_CERT"], os.environ["PENSTOCK_TEST_KEY"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = trusting()
    pipeline = client.upload_pipeline(compiled(sums), pipeline_name="imports")
    version = client._pipelines_api.pipeline_service_create_pipeline_version(
        pipeline_id=pipeline.pipeline_id,
        pipeline_version=kfp_server_api.V2beta1PipelineVersion(
            pipeline_id=pipeline.pipeline_id, name="by-url",
            package_url=kfp_server_api.V2beta1Url(
                pipeline_url=f"https://localhost:{FILES_PORT}/imported.yaml")))
    assert version.pipeline_spec["pipelineInfo"]["name"] == "sums", version
    server.shutdown()


main(run_of_a_client_that_is_told_the_authority, client_without_the_authority_says_nothing_to_the_server,
     pipeline_is_imported_from_a_server_with_tls)
