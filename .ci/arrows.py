"""Fails when a crate depends on something that the map in ARCHITECTURE.md keeps it free of."""

import json
import pathlib
import re
import subprocess
import sys

KUBE, SQL, AWS = {"kube", "k8s-openapi"}, {"sqlx"}, {"aws-sdk-s3", "aws-config"}
TOKIO, TLS = {"tokio"}, {"rustls", "tokio-rustls"}

# crate -> (neighbours it may use, foreign crates it must not use)
MAP = {
    "spec": (set(), KUBE | SQL | AWS | TOKIO),
    "engine": ({"spec"}, KUBE | SQL | AWS | TOKIO),
    "objectstore": ({"spec"}, KUBE | SQL),
    "metastore": ({"spec", "engine"}, KUBE | AWS),
    "runtime": (set(), KUBE | SQL | AWS),
    "webhook": ({"spec", "runtime"}, SQL | AWS),
    "entry": (set(), KUBE | SQL | AWS | TOKIO | TLS),
    "launcher": ({"spec", "objectstore", "entry"}, SQL | {"kube-runtime"}),
    "driver": ({"spec", "engine", "objectstore", "metastore", "runtime", "launcher"}, {"axum"}),
    "apiserver": ({"spec", "engine", "objectstore", "metastore", "runtime"}, SQL | AWS),
    "cli": ({"spec", "engine", "objectstore", "metastore", "runtime", "webhook", "launcher", "driver", "apiserver"}, set()),
}

metadata = json.loads(subprocess.check_output(["cargo", "metadata", "--no-deps", "--format-version", "1"]))
problems = []
for package in metadata["packages"]:
    name = package["name"].removeprefix("penstock-")
    if name not in MAP:
        continue
    neighbours, foreign = MAP[name]
    for dependency in package["dependencies"]:
        if dependency["kind"] is not None:
            continue
        other = dependency["name"]
        if other.startswith("penstock-") and other.removeprefix("penstock-") not in neighbours:
            problems.append(f"{name} must not use {other}")
        if other in foreign:
            problems.append(f"{name} must stay free of {other}")
# In the API's server Kubernetes is asked about callers, and for nothing else.
for path in pathlib.Path("apiserver/src").rglob("*.rs"):
    if "auth" not in path.with_suffix("").parts and re.search(r"\b(kube|k8s_openapi)::", path.read_text()):
        problems.append(f"{path} must stay free of kube: only apiserver/src/auth may use it")
if problems:
    sys.exit("error: " + "\nerror: ".join(problems))
