"""Asks two servers what no client should ask, and compares what they say.

    tests/sweep/run [--only calls|routes] [--rpc RPC,RPC]
"""

import argparse
import collections
import concurrent.futures
import sys
import uuid

import grpc

import calls
import routes
from client import Client, eventually, seconds
from differential import differences
from known import reason
from meant import MEANT

SHOWN = 300


def prepare(address, namespace):
    client = Client(address, namespace)
    client("RegisterNamespace", workflow_execution_retention_period=seconds(86400))
    return eventually(lambda: known(client))


def known(client):
    # The reference's services learn of it one after the other.
    try:
        client("ListWorkflowExecutions"), client("ListSchedules"), client("ListWorkers")
        client("DescribeWorker", worker_instance_key="none")
    except grpc.RpcError as error:
        if error.details() == "Worker none not found":
            return client
        raise AssertionError(error.details()) from None


def all_calls(options, clients, namespace):
    for name in options.rpc or calls.methods():
        for what, sent in calls.cases(name, namespace):
            yield f"{name}: {what}", [lambda c=client, n=name, s=sent: calls.ask(c, n, s) for client in clients]


def all_routes(options, namespace):
    addresses = (options.reference_http, options.ours_http)
    for what, *request in routes.cases(namespace):
        if not options.rpc or what.split()[0] in options.rpc:
            yield what, [lambda a=address, r=request: routes.ask(a, *r) for address in addresses]


def compare(case):
    what, (reference, ours) = case
    theirs, mine = reference(), ours()
    return what, theirs, list(differences(theirs, mine))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reference", required=True, help="HOST:PORT of the reference")
    parser.add_argument("--reference-http", required=True, help="HOST:PORT of its HTTP API")
    parser.add_argument("--ours", required=True, help="HOST:PORT of our server")
    parser.add_argument("--ours-http", required=True, help="HOST:PORT of its HTTP API")
    parser.add_argument("--only", choices=["calls", "routes"], help="one half")
    parser.add_argument("--rpc", type=lambda names: names.split(","), help="RPC,RPC")
    parser.add_argument("--jobs", type=int, default=8, help="cases at the same time")
    options = parser.parse_args()

    namespace = f"sweep-{uuid.uuid4().hex[:8]}"
    clients = [prepare(address, namespace) for address in (options.reference, options.ours)]
    for address in (options.reference, options.ours):
        prepare(address, f"{namespace}-other")
    cases = []
    if options.only != "routes":
        cases += all_calls(options, clients, namespace)
    if options.only != "calls":
        cases += all_routes(options, namespace)
    answers, meant, differing = collections.Counter(), collections.Counter(), 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for what, theirs, found in pool.map(compare, cases):
            answers[str(theirs.get("code", theirs.get("status")))] += 1
            reasons = [reason(f"{what}: {path[1:]}", one, other, MEANT) for path, one, other in found]
            meant.update(why for why in reasons if why)
            if None not in reasons:
                continue
            differing += 1
            print(what)
            for (path, one, other), why in zip(found, reasons, strict=True):
                if not why:
                    print(f"    {path[1:]}\n      reference {str(one)[:SHOWN]!r}\n      ours      {str(other)[:SHOWN]!r}")
            sys.stdout.flush()
    for why, count in meant.items():
        print(f"{count} times on purpose: {why}")
    print(f"the reference's answers: {dict(answers.most_common())}")
    print(f"{len(cases)} cases, {differing} differ")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
