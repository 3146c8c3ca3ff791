"""One worker process with all workflows and activities of the samples.

    .venv/bin/python worker.py [--address 127.0.0.1:7233] [--namespace default] [--task-queue samples]
                               [--identity NAME]

Prints `ready` when it polls, then one line for each request its activities make.
"""

import argparse
import asyncio
import logging
import os
import signal
from datetime import timedelta

from temporalio.worker import Worker

from harness.connect import connect
from loan import activities as loan
from loan.workflow import LoanApproval
from payment import activities as payment
from payment.workflow import Payment
from saga import activities as saga
from saga.workflow import BookingSaga


async def main() -> None:
    """Polls until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="127.0.0.1:7233")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--task-queue", default="samples")
    parser.add_argument("--identity", default=f"worker-{os.getpid()}")
    args = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    worker = Worker(
        await connect(args.address, args.namespace),
        task_queue=args.task_queue,
        identity=args.identity,
        workflows=[Payment, LoanApproval, BookingSaga],
        activities=[
            payment.charge_card,
            payment.update_order,
            loan.notify_applicant,
            saga.book_flight,
            saga.book_hotel,
            saga.book_car,
            saga.cancel_flight,
            saga.cancel_hotel,
            saga.cancel_car,
        ],
        # A workflow task for a worker that died goes to another one after this time. The default of ten seconds
        # is right for a real network; here it would only make the demo slow.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        graceful_shutdown_timeout=timedelta(seconds=1),
    )
    async with worker:
        print("ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
