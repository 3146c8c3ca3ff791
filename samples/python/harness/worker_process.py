"""A worker in a process of its own, so that it can be killed like a machine that loses its power."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

WORKER = Path(__file__).resolve().parent.parent / "worker.py"


class WorkerProcess:
    """A started worker; make one with `start`."""

    def __init__(self, identity: str, process: asyncio.subprocess.Process) -> None:
        self.identity = identity
        self.pid = process.pid
        self._process = process
        # `None` is the end of what it prints.
        self._lines: list[str | None] = []
        self._news = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        options: dict[str, str],
        env: dict[str, str],
        on_line: Callable[[str], None],
    ) -> "WorkerProcess":
        """Starts a worker with these command line options, and waits until it polls."""
        args = [part for name, value in options.items() for part in (f"--{name}", value)]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(WORKER),
            *args,
            env={**os.environ, **env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        worker = cls(options["identity"], process)
        worker._reader = asyncio.create_task(worker._read(on_line))
        try:
            await worker.printed("ready")
        except BaseException:
            await worker.kill()
            raise
        return worker

    async def printed(self, line: str) -> None:
        """Waits until the worker has printed this line; fails if it ends first."""
        async with self._news:
            await self._news.wait_for(lambda: line in self._lines or None in self._lines)
        if line not in self._lines:
            raise RuntimeError(f'{self.identity} ended before it printed "{line}"')

    async def kill(self) -> None:
        """Ends the process without any warning to it, as a crash would."""
        if self._process.returncode is None:
            self._process.kill()
        await self._ended()

    async def stop(self) -> None:
        """Asks the process to finish what it is doing and to end."""
        self._process.terminate()
        await self._ended()

    async def _ended(self) -> None:
        await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def _read(self, on_line: Callable[[str], None]) -> None:
        assert self._process.stdout is not None, "started with a pipe"
        async for raw in self._process.stdout:
            line = raw.decode().rstrip()
            on_line(line)
            await self._add(line)
        await self._add(None)

    async def _add(self, line: str | None) -> None:
        async with self._news:
            self._lines.append(line)
            self._news.notify_all()
