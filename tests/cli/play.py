"""A player: runs an area's commands against one server and keeps what they printed.

May depend on the suite's client, on `script`, `printed` and `worker`.
"""

import os
import re
import subprocess
import time
import uuid

import grpc

from client import Client, eventually, seconds
from printed import Printed
from script import words
from worker import Workers

COMMAND_LIMIT = 60
UNTIL_LIMIT = 60


class Player:
    def __init__(self, temporal, address, namespace, folder):
        self.temporal = temporal
        self.namespace = namespace
        self.folder = folder
        self.kept = {"dir": str(folder), "namespace": namespace, "address": address}
        self.printed = Printed(namespace, address, folder)
        self.workers = Workers(address, namespace)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TEMPORAL_ADDRESS": address,
            "TEMPORAL_NAMESPACE": namespace,
        }
        client = Client(address, namespace)
        client("RegisterNamespace", workflow_execution_retention_period=seconds(86400))
        eventually(lambda: self.known(client), timeout=30)

    @staticmethod
    def known(client):
        # The reference's services learn of it one after the other.
        for rpc, arguments in (
            ("ListWorkflowExecutions", {}),
            ("ListWorkers", {}),
            ("DescribeWorker", {"worker_instance_key": "none"}),
        ):
            try:
                client(rpc, **arguments)
            except grpc.RpcError as error:
                if "Namespace" in error.details() or rpc != "DescribeWorker":
                    raise AssertionError(error.details()) from None
        return True

    def play(self, steps):
        """Runs all steps; gives back what each command printed, in order: (command, comparable, raw)."""
        self.seen, self.last = [], ""
        try:
            for step in steps:
                getattr(self, step.verb)(step)
        finally:
            self.workers.stop()
        return self.seen

    def run(self, step):
        arguments = words(self.filled(step.text))
        deadline = time.monotonic() + UNTIL_LIMIT
        unmet = None
        while True:
            done = self.command(arguments)
            self.last = done.stdout + done.stderr
            if not step.until or re.search(self.filled(step.until), self.last, re.S):
                break
            if time.monotonic() > deadline:
                unmet = f"it never printed {step.until}"
                break
            time.sleep(0.1)
        comparable = {
            "exit": done.returncode,
            "stdout": self.printed.output(done.stdout, arguments, step),
            "stderr": self.printed.text(done.stderr, step),
            "unmet": unmet,
        }
        self.seen.append((step.text, comparable, self.last))

    def command(self, arguments):
        try:
            return subprocess.run(
                [self.temporal, *arguments],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=self.environment,
                timeout=COMMAND_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            printed = (expired.stdout or b"").decode()
            return subprocess.CompletedProcess(arguments, -1, printed, "it never ended")

    def filled(self, text):
        for name, value in self.kept.items():
            text = text.replace(f"%{name}%", value)
        return text

    def keep(self, step):
        name, _, pattern = step.text.partition(" ")
        found = re.search(pattern.strip(), self.last)
        self.kept[name] = found[1] if found else f"no-{name}"
        if not found:
            self.seen[-1][1]["unmet"] = f"it printed no {name}"

    def file(self, step):
        name, _, text = step.text.partition(" ")
        (self.folder / name).write_text(self.filled(text))

    def worker(self, step):
        self.workers.start(**dict(word.split("=", 1) for word in words(step.text)))

    def stop(self, _step):
        self.workers.stop()

    @staticmethod
    def second(_step):
        now = int(time.time())
        while int(time.time()) == now:
            time.sleep(0.01)


def new_namespace(area):
    return f"cli-{area}-{uuid.uuid4().hex[:8]}"
