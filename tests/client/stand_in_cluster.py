"""What Penstock's API asks of a cluster about callers and namespaces, answered from tables that scenarios change."""

import http.server
import json
import threading

SETTINGS = {"version": 1, "defaultRoot": "s3://users/root", "stores": []}
VERBS = {
    "view": {"get", "list", "readArtifact"},
    "edit": {"get", "list", "readArtifact", "create", "update", "delete", "archive", "unarchive", "terminate", "retry",
             "enable", "disable"},
}


class Cluster:
    """Tokens, roles, and namespaces that are prepared for tasks."""

    def __init__(self, port, audience, namespaces):
        self.audience = audience
        self.namespaces = namespaces
        # Token: user. User and namespace: a word of VERBS.
        self.tokens, self.roles = {}, {}
        # What was asked.
        self.audiences, self.actions = set(), set()
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                review["status"] = cluster.review(review["kind"], review["spec"])
                self.answer(201, review)

            def do_GET(self):
                _, _, _, _, namespace, *rest = (self.path.split("?")[0] + "/////").split("/")
                if namespace in cluster.namespaces and rest[:2] == ["configmaps", "penstock-settings"]:
                    data = {"settings.json": json.dumps(SETTINGS)}
                    metadata = {"name": "penstock-settings", "namespace": namespace}
                    self.answer(200, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
                else:
                    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 404}
                    self.answer(404, {**status, "reason": "NotFound", "message": "not found"})

            def answer(self, code, document):
                body = json.dumps(document).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def review(self, kind, spec):
        if kind == "TokenReview":
            self.audiences.update(spec["audiences"])
            user = self.tokens.get(spec["token"])
            if user is None:
                return {"authenticated": False, "error": "it was not issued here"}
            return {"authenticated": True, "audiences": [self.audience], "user": {"username": user, "groups": ["known"]}}
        asked = spec["resourceAttributes"]
        self.actions.add((asked["group"], asked["version"], asked["resource"], asked["verb"]))
        level = self.roles.get((spec["user"], asked["namespace"]))
        return {"allowed": asked["verb"] in VERBS.get(level, ())}
