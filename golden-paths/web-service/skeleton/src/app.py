"""Answers what openapi.yaml says, with nothing but Python's own library."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

SERVICE = os.environ.get("SERVICE", "service")
PORT = int(os.environ.get("PORT", "8080"))
LONGEST_NAME = 100


def answer(target):
    """Status and body for the target of a GET."""
    path = urlsplit(target).path
    if path == "/":
        return 200, {"service": SERVICE}
    start, _, name = path.rpartition("/")
    name = unquote(name)
    if start == "/v1/greetings" and 0 < len(name) <= LONGEST_NAME:
        return 200, {"greeting": "Hello, " + name}
    return 404, {"error": "there is nothing under this path"}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = answer(self.path)
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
