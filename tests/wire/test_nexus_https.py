"""Servers elsewhere behind TLS: Nexus endpoints and completion callbacks with https addresses."""

import os
import queue
import ssl
import subprocess
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import commands as c
import pytest
from client import Client, eventually, value_of
from scene import Scene
from test_batch_restart import free_port
from test_time_skipping import binary

pytestmark = pytest.mark.own_server
ALLOWED = 'component.callbacks.allowedAddresses=[{"Pattern":"*","AllowInsecure":false}]'


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def authority(folder, name):
    """A new authority, and a certificate of it for localhost: what to trust, and what to serve with."""
    folder = folder / name
    folder.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    own = ["-x509", *key, "-subj", "/CN=authority", "-days", "2"]
    openssl(folder, "req", *own, "-keyout", "ca.key", "-out", "ca.pem")
    openssl(folder, "req", *key, "-keyout", "key.pem", "-out", "req.pem", "-subj", "/CN=localhost")
    (folder / "ext").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext"]
    openssl(folder, "x509", "-req", "-in", "req.pem", *signed, "-out", "cert.pem", "-days", "2")
    return folder


class Elsewhere:
    """A server that takes everything, and remembers it."""

    def __init__(self, certificates):
        came = self.came = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"] or 0))
                came.put((self.path, dict(self.headers), body))
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "5")
                self.end_headers()
                self.wfile.write(b'"out"')

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"https://localhost:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def trusted(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("tls"), "trusted")


@pytest.fixture(scope="module")
def scene(trusted):
    """A scene on a server of its own, which trusts one authority."""
    port = free_port()
    child = subprocess.Popen(
        [binary(), "dev", "--in-memory", "--port", str(port), "--http-port", str(free_port())]
        + ["--dynamic-config-value", ALLOWED],
        env={**os.environ, "SSL_CERT_FILE": str(trusted / "ca.pem")},
        stdout=subprocess.DEVNULL,
    )
    client = Client(f"127.0.0.1:{port}")

    def answers():
        try:
            return client("GetSystemInfo", timeout=1)
        except Exception:
            return None

    eventually(answers, timeout=20)
    yield Scene(client)
    child.kill()
    child.wait()


@pytest.fixture
def elsewhere(trusted):
    server = Elsewhere(trusted)
    yield server
    server.close()


def operation(scene, url):
    """Starts a standalone operation at an address; its id."""
    name = f"ep-{uuid.uuid4().hex[:12]}"
    target = {"external": {"url": url}}
    scene.call("CreateNexusEndpoint", spec={"name": name, "target": target})
    id_ = f"op-{uuid.uuid4().hex[:12]}"
    scene.call(
        "StartNexusOperationExecution",
        operation_id=id_,
        endpoint=name,
        service="svc",
        operation="op",
        request_id=uuid.uuid4().hex,
    )
    return id_


def test_an_endpoint(scene, elsewhere):
    id_ = operation(scene, elsewhere.url)
    polled = scene.call("PollNexusOperationExecution", operation_id=id_)
    assert value_of(polled.result) == "out"
    path, headers, _ = elsewhere.came.get(timeout=10)
    assert path.startswith("/svc/op?callback=") and headers["nexus-request-id"]


def test_a_callback(scene, elsewhere):
    nexus = {"url": f"{elsewhere.url}/done", "header": {"k": "v"}}
    scene.start(completion_callbacks=[{"nexus": nexus}])
    scene.complete(scene.poll(), c.complete("done"))
    path, headers, body = elsewhere.came.get(timeout=10)
    assert path == "/done" and headers["k"] == "v" and body == b'"done"'
    assert headers["nexus-operation-state"] == "succeeded"

    def taken():
        (callback,) = scene.describe().callbacks
        assert callback.attempt == 1 and not callback.HasField("last_attempt_failure"), callback
        return callback

    eventually(taken)


def test_nobody_is_trusted_without_an_authority(scene, tmp_path):
    server = Elsewhere(authority(tmp_path, "other"))
    id_ = operation(scene, server.url)

    def refused():
        described = scene.call("DescribeNexusOperationExecution", operation_id=id_)
        failure = described.info.last_attempt_failure
        assert "certificate" in failure.message, described.info
        return failure

    eventually(refused)
    assert server.came.empty()
    server.close()
