"""The world outside of the workflows: a payment provider, an airline, a mail server.

It is a folder of plain files, so that it outlives a killed worker and so that the demo can look afterwards at
what really happened, instead of believing what the workflows say.
"""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from temporalio import activity


def world_folder() -> Path:
    """Where the files are when nothing else is said."""
    default = os.path.join(tempfile.gettempdir(), "steadfast-samples")
    return Path(os.environ.get("SAMPLES_WORLD", default))


def note(subject: str, text: str) -> None:
    """Notes a request in the log of all requests, and prints it: this is the worker's live progress."""
    info = activity.info()
    call = {
        "activity": info.activity_type,
        "subject": subject,
        "attempt": info.attempt,
        "at": time.time_ns() // 1_000_000,
        "text": text,
    }
    world_folder().mkdir(parents=True, exist_ok=True)
    with open(world_folder() / "calls.jsonl", "a", encoding="utf-8") as log:
        log.write(json.dumps(call) + "\n")
    print(f"{info.activity_type} {subject}, attempt {info.attempt}: {text}", flush=True)


def once(key: str) -> bool:
    """Lets an effect take place once for its key: true if it has taken place now, false if it had before.

    This is what an idempotency key buys at a real provider. The file is created exclusively, so two callers at
    the same moment cannot both be first.
    """
    folder = world_folder() / "effects"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / key).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def done(key: str) -> bool:
    """Whether the effect with this key has taken place."""
    return (world_folder() / "effects" / key).exists()


def calls() -> list[dict[str, Any]]:
    """All requests so far, in order."""
    try:
        text = (world_folder() / "calls.jsonl").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.splitlines()]


async def hold(point: str) -> None:
    """Stops here for good when the worker was started with this point in SAMPLES_HOLD_AT, and says so.

    The demo then kills the process with SIGKILL: the moment at which a machine dies, made repeatable.
    """
    if point in os.environ.get("SAMPLES_HOLD_AT", "").split(","):
        print(f"holding at {point}", flush=True)
        await asyncio.Event().wait()
