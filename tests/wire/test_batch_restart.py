"""A batch operation goes on after its server was killed, and does nothing twice."""

import socket
import subprocess
import uuid

import pytest
from client import Client, eventually, payloads
from test_time_skipping import binary

pytestmark = pytest.mark.own_server
TARGETS = 150


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server of ours on a file."""

    def __init__(self, file):
        self.port = free_port()
        self.child = subprocess.Popen(
            [binary(), "dev", "--port", str(self.port), "--http-port", str(free_port())]
            + ["--db-filename", str(file)],
            stdout=subprocess.DEVNULL,
        )
        self.client = Client(f"127.0.0.1:{self.port}")
        eventually(self.answers, timeout=20)

    def answers(self):
        try:
            return self.client("GetSystemInfo", timeout=1)
        except Exception:
            return None

    def kill(self):
        self.child.kill()
        self.child.wait()


@pytest.fixture
def servers(tmp_path):
    started = []

    def start():
        started.append(Server(tmp_path / "steadfast.db"))
        return started[-1]

    yield start
    for server in started:
        server.kill()


def test_a_killed_server_goes_on_with_its_batch_operation(servers):
    first = servers()
    kind, job = f"T-{uuid.uuid4().hex}", uuid.uuid4().hex
    for number in range(TARGETS):
        first.client(
            "StartWorkflowExecution",
            workflow_id=f"{job}-{number}",
            workflow_type={"name": kind},
            task_queue={"name": "q"},
        )
    first.client(
        "StartBatchOperation",
        job_id=job,
        reason="why",
        visibility_query=f"WorkflowType = '{kind}'",
        signal_operation={"signal": "go", "input": payloads(1)},
    )

    def under_way():
        done = first.client("DescribeBatchOperation", job_id=job).complete_operation_count
        return True if done >= 10 else None

    eventually(under_way, every=0.01)
    first.kill()
    second = servers()

    def finished():
        described = second.client("DescribeBatchOperation", job_id=job)
        return described if described.HasField("close_time") else None

    described = eventually(finished, timeout=30)
    assert described.state == 2  # BATCH_OPERATION_STATE_COMPLETED
    assert described.complete_operation_count == TARGETS
    assert described.failure_operation_count == 0
    for number in range(TARGETS):
        events = second.client(
            "GetWorkflowExecutionHistory", execution={"workflow_id": f"{job}-{number}"}
        ).history.events
        signals = [one for one in events if one.event_type == 26]
        assert len(signals) == 1, number
