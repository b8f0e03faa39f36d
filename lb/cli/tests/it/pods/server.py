"""Stands in for Kubernetes' API server, for what is asked of pods.

server.py CERTIFICATE KEY TOKEN: reads the pods' names and addresses from the lines of standard
input, and serves them in the namespace "shop" by TLS. What is asked has to be as the API has it:
paths, parameters, media types and the token. Each pod is validated by the schema of the API, also
after it has been patched. A line of JSON is printed for each request.
"""

import base64
import http.server
import json
import re
import ssl
import sys
import urllib.parse

import kubernetes_validate

certificate, key, token = sys.argv[1:4]
VERSION = "1.37"
PARAMETERS = {"continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "timeoutSeconds"}
COST = "controller.kubernetes.io/pod-deletion-cost"
# Pages are short, so that there are several.
PAGE = 1


def pod(name, address, component):
    labels = {"app.kubernetes.io/component": component, "pod-template-hash": "7d4b9c"}
    metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1", "labels": labels}
    container = {"name": "worker", "image": "weighbridge-worker:0.1.0"}
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    spec = {"containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


pods = {}
for line in sys.stdin:
    name, address, component = line.split()
    pods[name] = pod(name, address, component)
    kubernetes_validate.validate(pods[name], VERSION, strict=True)


def merged(target, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for member, value in patch.items():
        if value is None:
            result.pop(member, None)
        else:
            result[member] = merged(result.get(member), value)
    return result


def selected(pod, selector):
    labels = pod["metadata"]["labels"]
    wanted = [term.split("=", 1) for term in selector.split(",") if term]
    return all(labels.get(name) == value for name, value in wanted)


class Refused(Exception):
    def __init__(self, code, reason, message):
        self.status = {
            "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
            "code": code, "reason": reason, "message": message,
        }


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        try:
            code, value = 200, self.value(body)
        except Refused as refused:
            value = refused.status
            code = value["code"]
        text = json.dumps(value).encode()
        said = {"method": self.command, "path": self.path, "code": code, "body": body.decode()}
        print(json.dumps(said), flush=True)
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PATCH = do_PUT = do_POST = do_DELETE = answer

    def value(self, body):
        if self.headers.get("Authorization") != f"Bearer {token}":
            raise Refused(401, "Unauthorized", "Unauthorized")
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, strict_parsing=bool(url.query)))
        path = re.fullmatch(r"/api/v1/namespaces/([a-z0-9-]+)/pods(?:/([a-z0-9.-]+))?", url.path)
        if not path or path[1] != "shop" or not set(query) <= PARAMETERS:
            raise Refused(404, "NotFound", f"the server could not find {self.path}")
        if self.command == "GET" and path[2] is None:
            return self.page(query)
        if self.command == "PATCH" and path[2] and not query:
            return self.patched(path[2], body)
        raise Refused(405, "MethodNotAllowed", "the server does not allow this method")

    def page(self, query):
        names = sorted(name for name in pods if selected(pods[name], query.get("labelSelector", "")))
        first = int(base64.b64decode(query.get("continue", "")) or 0)
        assert int(query["limit"]) > 0
        metadata = {"resourceVersion": "1"}
        if first + PAGE < len(names):
            metadata["continue"] = base64.b64encode(str(first + PAGE).encode()).decode()
        # Items of a list do not say what they are.
        items = [
            {key: value for key, value in pods[name].items() if key not in ("apiVersion", "kind")}
            for name in names[first:first + PAGE]
        ]
        return {"apiVersion": "v1", "kind": "PodList", "metadata": metadata, "items": items}

    def patched(self, name, body):
        if name not in pods:
            raise Refused(404, "NotFound", f'pods "{name}" not found')
        if self.headers.get("Content-Type") != "application/merge-patch+json":
            raise Refused(415, "UnsupportedMediaType", "the body is in an unsupported format")
        patched = merged(pods[name], json.loads(body))
        try:
            kubernetes_validate.validate(patched, VERSION, strict=True)
            cost = patched["metadata"]["annotations"][COST]
            assert re.fullmatch("0|-?[1-9][0-9]*", cost) and abs(int(cost)) < 2**31, cost
        except Exception as error:
            why = str(error).splitlines()[0]
            raise Refused(422, "Invalid", f'Pod "{name}" is invalid: {why}') from error
        pods[name] = patched
        return patched


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
