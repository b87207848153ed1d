"""What the scenarios share: the client, plain requests, and running them one after the other."""

import json
import os
import sys
import tempfile
import traceback
import urllib.error
import urllib.request
import warnings

warnings.filterwarnings("ignore")

import kfp  # noqa: E402
import kfp_server_api  # noqa: E402
from kfp import compiler  # noqa: E402

HOST = os.environ["PENSTOCK_TEST_API"]
FOLDER = tempfile.mkdtemp()


def client():
    """The stock client, as users make it."""
    return kfp.Client(host=HOST)


def compiled(pipeline, name="pipeline.yaml"):
    """File of a compiled pipeline."""
    path = os.path.join(FOLDER, name)
    compiler.Compiler().compile(pipeline, path)
    return path


def run_api(method, path, body=None, prefix="/apis/v2beta1"):
    """A plain request, for what the client cannot say."""
    data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
    request = urllib.request.Request(HOST + prefix + path, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def expect_error(status, text, call, anywhere=False):
    """The call is refused with this status and text; `anywhere`: the status alone counts."""
    try:
        answer = call()
    except kfp_server_api.ApiException as error:
        found, body = error.status, error.body
        body = body.decode() if isinstance(body, bytes) else body
    except urllib.error.HTTPError as error:
        found, body = error.code, error.read().decode()
    else:
        raise AssertionError(f"it was not refused: {answer}")
    assert found == status, (found, body)
    document = json.loads(body)
    assert anywhere or text in json.dumps(document, ensure_ascii=False).replace('\\"', '"'), body
    return document


def main(*scenarios):
    """Runs the scenarios; the first that fails ends the process."""
    for scenario in scenarios:
        try:
            scenario()
        except Exception:
            traceback.print_exc()
            sys.exit(f"FAILED {scenario.__name__}")
        print(f"ok {scenario.__name__}", flush=True)
