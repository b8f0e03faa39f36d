"""An HTTP server of one thread, for tests: it listens at PORT, or at the Unix socket SOCKET."""

import http.server
import json
import os
import resource
import signal
import socketserver
import subprocess
import sys
import time
import urllib.parse


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def burn(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(1000))


told = []
signal.signal(signal.SIGUSR1, lambda *_: told.append(True))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        before = cpu_seconds()
        path, _, query = self.path.partition("?")
        query = {name: values[0] for name, values in urllib.parse.parse_qs(query).items()}
        body = self.body()
        if "begun" in query:
            os.remove(query["begun"])
        does = getattr(self, "do_path_" + path.strip("/"), None)
        said = does(query) if does else self.echo(body)
        if said is not None:
            said["pid"] = os.getpid()
            said["cpu_seconds"] = cpu_seconds() - before
            said["cpu_total"] = before + said["cpu_seconds"]
            self.say(int(query.get("status", 200)), json.dumps(said).encode())

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_HEAD = do_PURGE = answer

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def say(self, status, body):
        self.send_response(status)
        if status not in (204, 304):
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Own", "kept")
        self.send_header("endpoint-load-metrics", "TEXT cpu_utilization=0.9")
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def echo(self, body):
        return {
            "method": self.command,
            "target": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.decode("latin-1"),
        }

    def do_path_burn(self, query):
        burn(float(query["ms"]) / 1e3)
        return {}

    def do_path_fork(self, query):
        """Lets a child burn instead."""
        code = "import sys; sys.path.insert(0, %r); import server; server.burn(%s)" % (
            os.path.dirname(os.path.abspath(__file__)),
            float(query["ms"]) / 1e3,
        )
        subprocess.run([sys.executable, "-B", "-c", code], check=True)
        return {"child_seconds": resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime}

    def do_path_orphan(self, query):
        """Starts what would outlive it: in a session of its own."""
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        return {"child": child.pid}

    def do_path_exit(self, query):
        print("the end is near", file=sys.stderr, flush=True)
        os._exit(int(query["status"]))

    def do_path_kill(self, query):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_path_hold(self, query):
        self.server.held = bytearray(int(query["mib"]) << 20)
        return {}

    def do_path_break(self, query):
        """No answer, and no end either."""
        self.close_connection = True

    def do_path_until_told(self, query):
        """Goes on until SIGUSR1 comes, and then has no answer."""
        while not told:
            time.sleep(0.01)
        self.close_connection = True

    def do_path_upgrade(self, query):
        """Another protocol: what comes goes back in capitals, until the client ends."""
        self.send_response(101)
        self.send_header("Connection", "upgrade")
        self.send_header("Upgrade", self.headers.get("Upgrade", "nothing"))
        self.end_headers()
        while piece := self.rfile.read1(1024):
            self.wfile.write(piece.upper())
        self.close_connection = True

    def do_path_stream(self, query):
        """A first piece, and the second one once the client has got it: when a file is gone."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nfirst\r\n")
        while os.path.exists(query["file"]):
            time.sleep(0.01)
        self.wfile.write(b"6\r\nsecond\r\n0\r\n\r\n")

    def log_message(self, *arguments):
        pass


class AtSocket(socketserver.UnixStreamServer):
    """The same at a Unix socket, which has no address of a client."""

    def get_request(self):
        connection, _ = super().get_request()
        return connection, ("socket", 0)


if __name__ == "__main__":
    if "SOCKET" in os.environ:
        AtSocket(os.environ["SOCKET"], Handler).serve_forever()
    address = ("127.0.0.1", int(os.environ["PORT"]))
    http.server.HTTPServer(address, Handler).serve_forever()
