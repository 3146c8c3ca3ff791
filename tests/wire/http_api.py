"""HTTP requests to the server's other port. May depend on the standard library and `client`."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request

from client import ADDRESS, CALL_TIMEOUT

HOST, PORT = ADDRESS.rsplit(":", 1)
# By default ours listens ten above gRPC's port; the suite's reference one above.
HTTP = os.environ.get("STEADFAST_HTTP_ADDRESS")


def _address():
    """The HTTP port: as told, or whichever of the usual ones answers."""
    global HTTP
    candidates = [HTTP] if HTTP else [f"{HOST}:{int(PORT) + offset}" for offset in (1, 10)]
    for candidate in candidates:
        try:
            urllib.request.urlopen(f"http://{candidate}/api/v1/system-info", timeout=CALL_TIMEOUT)
            HTTP = candidate
            return candidate
        except (OSError, ValueError):
            continue
    raise RuntimeError(f"no HTTP port at {candidates}: set STEADFAST_HTTP_ADDRESS")


class Reply:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        return json.loads(self.text)


def request(method, path, body=None, headers=None, timeout=CALL_TIMEOUT, **query):
    """`query` values are parameters; a body is sent as JSON unless it is bytes."""
    if query:
        path += "?" + urllib.parse.urlencode(query)
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    asked = urllib.request.Request(
        f"http://{_address()}{path}", data=body, method=method, headers=headers or {}
    )
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as reply:
            return Reply(reply.status, reply.headers, reply.read().decode())
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.headers, error.read().decode())


def get(path, **query):
    return request("GET", path, **query)


def post(path, body=None, **more):
    return request("POST", path, body, **more)
