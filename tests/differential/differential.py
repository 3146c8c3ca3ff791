"""Plays plans on two servers and compares what they said.

    tests/differential/run --seeds 1-100            against a server of ours and the reference, both started
    tests/differential/run --seeds 7 --show         with everything that was seen

A seed that differs prints its differences, the earliest first; the same seed does the same again.
"""

import argparse
import collections
import concurrent.futures
import json
import re
import sys
import time

import grpc

from client import Client
from known import reason
from plan import plan
from play import Player

SHOWN = 12
COMMON = 40


def differences(reference, ours, path=""):
    """The places at which two comparable values differ: (path, reference's, ours)."""
    if isinstance(reference, dict) and isinstance(ours, dict):
        for key in sorted(reference.keys() | ours.keys()):
            yield from differences(reference.get(key), ours.get(key), f"{path}.{key}")
    elif isinstance(reference, list | tuple) and isinstance(ours, list | tuple):
        for index in range(max(len(reference), len(ours))):
            pair = (side[index] if index < len(side) else None for side in (reference, ours))
            yield from differences(*pair, f"{path}.{index}")
    elif reference != ours:
        yield path, reference, ours


def compare(seed, reference, ours, without):
    """Plays one seed on both. Gives back what differs, and why it may."""
    operations = [operation for operation in plan(seed) if operation[0] not in without]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        plays = [pool.submit(Player(address, seed).play, operations) for address in (reference, ours)]
    seen = [dict(play.result()) for play in plays]
    names = list(dict.fromkeys([*seen[0], *seen[1]]))
    found = []
    for name in names:
        found += differences(seen[0].get(name), seen[1].get(name), name)
    return operations, seen, [(*difference, reason(*difference)) for difference in found]


def prepare(address):
    """The search attributes that plans use."""
    call = Client(address)
    try:
        call("AddSearchAttributes", search_attributes={"DiffKeyword": "INDEXED_VALUE_TYPE_KEYWORD", "DiffInt": "INDEXED_VALUE_TYPE_INT"})
    except grpc.RpcError as error:
        if "already" not in error.details():
            raise
    deadline = time.monotonic() + 30
    while True:
        try:
            call("ListWorkflowExecutions", query="DiffKeyword = 'k' AND DiffInt = 1")
            return
        except grpc.RpcError:
            # The reference needs a moment.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reference", required=True, help="HOST:PORT of the reference")
    parser.add_argument("--ours", required=True, help="HOST:PORT of our server")
    parser.add_argument("--seeds", default="1-20", help="FROM-TO, or one")
    parser.add_argument("--jobs", type=int, default=8, help="seeds at the same time")
    parser.add_argument("--without", default="", help="VERB,VERB: operations to leave out")
    parser.add_argument("--show", action="store_true", help="print all that was seen")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)

    for address in (options.reference, options.ours):
        prepare(address)
    without = options.without.split(",")
    verbs, differing, explained = collections.Counter(), 0, collections.Counter()
    kinds = collections.defaultdict(list)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        compared = pool.map(lambda seed: compare(seed, options.reference, options.ours, without), seeds)
        for seed, (operations, seen, found) in zip(seeds, compared, strict=True):
            verbs.update(verb for verb, _ in operations)
            explained.update(why for *_, why in found if why)
            if options.show:
                print(json.dumps(seen[0], indent=1))
            meant = [difference for difference in found if difference[3] is None]
            if meant:
                differing += 1
                for path, theirs, mine, _ in meant:
                    kinds[re.sub(r"\d+", "N", path), str(theirs)[:60], str(mine)[:60]].append(seed)
                print(f"seed {seed}: {len(meant)} differences")
                for path, theirs, mine, _ in meant[:SHOWN]:
                    print(f"  {path}\n    reference {theirs!r}\n    ours      {mine!r}")
                sys.stdout.flush()
    print(f"{len(seeds)} seeds, {differing} differ; operations: {dict(verbs)}")
    for kind, where in sorted(kinds.items(), key=lambda item: -len(item[1]))[:COMMON]:
        print(f"  {len(where)} times, as with seed {where[0]}: {kind}")
    for why, count in explained.items():
        print(f"  {count} times on purpose: {why}")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
