"""Runs the samples against a server, shows what happens, and fails if anything is not as it should be.

    .venv/bin/python demo.py [--address 127.0.0.1:7233] [--namespace default] [--only payment,saga] [--quiet]
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from harness.connect import connect
from harness.printer import Printer, paint, table
from harness.stage import Setting, Stage
from loan.demo import demo as loan
from payment.demo import demo as payment
from saga.demo import demo as saga

LIMIT_S = 60
"""A sample that takes longer than this hangs."""

Demo = Callable[[Stage], Awaitable[None]]

SAMPLES: dict[str, tuple[str, Demo]] = {
    "payment": ("the worker dies between charge and update", payment),
    "loan": ("waits up to 14 days for a person", loan),
    "saga": ("undoes a trip in reverse, and dies in the middle of it", saga),
}


@dataclass
class Result:
    """How a sample ended: its row in the summary, and what failed."""

    row: list[str]
    failures: list[str]


async def run(name: str, setting: Setting, quiet: bool) -> Result:
    """Runs one sample."""
    title, demo = SAMPLES[name]
    if not quiet:
        print(f"\n{paint('bold', name)}: {title}", flush=True)
    printer = Printer(quiet)
    stage = Stage(name, setting, printer)
    with tempfile.TemporaryDirectory(prefix="steadfast-samples-") as world:
        os.environ["SAMPLES_WORLD"] = world
        try:
            await asyncio.wait_for(demo(stage), LIMIT_S)
        except Exception as error:  # Whatever it is, the other samples still run.
            stage.check("the sample runs to its end", False, repr(error))
        finally:
            retried = stage.retries
            try:
                await stage.clear()
            except Exception as error:
                stage.check("nothing is left behind", False, repr(error))
    counts = [str(stage.checks), str(retried), str(stage.kills)]
    verdict = "FAILED" if stage.failures else "passed"
    row = [name, verdict, *counts, f"{printer.seconds} s"]
    return Result(row, [f"{name}: {failure}" for failure in stage.failures])


async def main() -> int:
    """Runs what was asked for; the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="127.0.0.1:7233")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--only", default=",".join(SAMPLES))
    parser.add_argument("--quiet", action="store_true")
    args = parser.parse_args()
    wanted = args.only.split(",")
    unknown = [name for name in wanted if name not in SAMPLES]
    if unknown:
        parser.error(f"no such sample: {', '.join(unknown)}")

    # SIGTERM ends the demo as Ctrl-C does: through `finally`, so that the workers end too.
    task = asyncio.current_task()
    assert task is not None, "this is a coroutine"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    print(f"Samples in Python, server {args.address}, namespace {args.namespace}", flush=True)
    client = await connect(args.address, args.namespace)
    setting = Setting(client, args.address, args.namespace, f"{time.time_ns() // 1_000_000:x}")
    results = [await run(name, setting, args.quiet) for name in SAMPLES if name in wanted]

    head = ["sample", "result", "checks", "retried", "killed", "time"]
    print("\n" + table([head, *(result.row for result in results)]))
    for failure in (failure for result in results for failure in result.failures):
        print(paint("red", failure))
    failed = sum(bool(result.failures) for result in results)
    print(f"\n{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
