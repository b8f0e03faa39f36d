"""The same server with a thread for each connection."""

import http.server
import os

import server

address = ("127.0.0.1", int(os.environ["PORT"]))
http.server.ThreadingHTTPServer(address, server.Handler).serve_forever()
