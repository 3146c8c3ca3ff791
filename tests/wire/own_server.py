"""A server of a test module's own, of ours or of the reference: for what is behind a switch."""

import os
import subprocess
from contextlib import contextmanager

from client import Client, eventually

from test_batch_restart import free_port
from test_time_skipping import TARGET, binary


@contextmanager
def serving(settings):
    """A server with these settings, as KEY=JSON; gives its address as soon as it answers."""
    port = free_port()
    if os.environ.get("WIRE_REFERENCE"):
        start = [str(TARGET / "venv-wire/bin/temporal"), "server", "start-dev", "--headless"]
        start += ["--log-level", "error"]
    else:
        start = [binary(), "dev", "--in-memory"]
    start += ["--port", str(port), "--http-port", str(free_port())]
    for setting in settings:
        start += ["--dynamic-config-value", setting]
    child = subprocess.Popen(start, stdout=subprocess.DEVNULL)
    try:
        address = f"127.0.0.1:{port}"
        client = Client(address)

        def answers():
            try:
                return client("DescribeNamespace", namespace="default", timeout=1)
            except Exception:
                return None

        eventually(answers, timeout=30)
        yield address
    finally:
        child.kill()
        child.wait()
