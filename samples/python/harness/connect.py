"""Connecting with patience."""

import asyncio
import time

from temporalio.client import Client
from temporalio.service import RPCError


async def connect(address: str, namespace: str) -> Client:
    """Tries to connect until it works, for half a minute: the server may be just starting."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return await Client.connect(address, namespace=namespace)
        except (RPCError, RuntimeError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.3)
