"""A plain HTTP server of the standard library: one thread, one request after the other."""
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit


def serve(answer):
    """Answers with `answer(query, body)`, at the port that the command line names."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_ours = url.path == "/" + Path(sys.argv[0]).stem
            content = answer(dict(parse_qsl(url.query)), body) if is_ours else b"nothing is here"
            self.send_response(200 if is_ours else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


def serve_json(answer):
    """The same for bodies of JSON: `answer(value)`."""
    serve(lambda _, body: answer(json.loads(body)))
