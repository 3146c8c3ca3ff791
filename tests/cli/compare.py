"""Runs areas of commands against two servers and compares what the command line printed.

    tests/cli/run [--area AREA,AREA] [--show]
"""

import argparse
import collections
import concurrent.futures
import difflib
import json
import sys
import tempfile
import time
from pathlib import Path

from differential import differences
from known import reason
from meant import MEANT
from play import Player, new_namespace
from script import areas, read

SHOWN = 400
# Those that take longest begin first.
LONG = ["worker", "workflow_look", "activity", "workflow_messages", "workflow_batch", "activity_workflow"]


def text_differences(reference, ours, path):
    """Of two lists of lines: which stand for which."""
    for tag, a, b, c, d in difflib.SequenceMatcher(None, reference, ours, autojunk=False).get_opcodes():
        if tag == "replace" and b - a == d - c:
            yield from ((path, theirs, mine) for theirs, mine in zip(reference[a:b], ours[c:d], strict=True))
        elif tag != "equal":
            yield path, "\n".join(reference[a:b]), "\n".join(ours[c:d])


def is_text(value):
    return all(isinstance(line, str) for line in value)


def command_differences(reference, ours):
    # What a script waits for in vain would compare as equal.
    if reference["unmet"] or ours["unmet"]:
        yield "unmet", reference["unmet"], ours["unmet"]
    if reference["exit"] != ours["exit"]:
        yield "exit", reference["exit"], ours["exit"]
    for path in ("stdout", "stderr"):
        theirs, mine = reference[path], ours[path]
        if is_text(theirs) and is_text(mine):
            yield from text_differences(theirs, mine, path)
        else:
            yield from differences(theirs, mine, path)


def compare(area, options):
    """Plays one area on both. Gives back (commands, differences with their reasons, seconds)."""
    began = time.monotonic()
    steps, namespace = read(area), new_namespace(area)
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        plays = []
        for side in ("reference", "ours"):
            own = Path(folder, side)
            own.mkdir()
            plays.append(pool.submit(play, options, getattr(options, side), namespace, own, steps))
        seen = [future.result() for future in plays]
    found = []
    for (command, theirs, _), (_, mine, _) in zip(*seen, strict=True):
        for path, *pair in command_differences(theirs, mine):
            found.append((command, path, *pair, reason(f"{area}: {command}: {path}", *pair, MEANT)))
    return area, seen, found, time.monotonic() - began


def in_order(names):
    return sorted(names, key=lambda name: LONG.index(name) if name in LONG else len(LONG))


def play(options, address, namespace, folder, steps):
    return Player(options.temporal, address, namespace, folder).play(steps)


def show(area, seen):
    for (command, theirs, raw), (_, mine, _) in zip(*seen, strict=True):
        print(f"--- {area} $ {command}\n{raw}")
        if theirs != mine:
            print(json.dumps(mine, indent=1))


def tell(area, seen, found, took, options):
    """Prints what came out of an area. Gives back how many differences are not meant."""
    if options.show:
        show(area, seen)
    found = [difference for difference in found if difference[-1] is None]
    print(f"{area}: {len(seen[0])} commands, {len(found)} differences, {took:.0f} s")
    last = None
    for command, path, theirs, mine, _ in found:
        if command != last:
            print(f"  $ {command}")
        last = command
        print(f"    {path}\n      reference {str(theirs)[:SHOWN]!r}\n      ours      {str(mine)[:SHOWN]!r}")
    sys.stdout.flush()
    return len(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--temporal", required=True, help="the command line's binary")
    parser.add_argument("--reference", required=True, help="HOST:PORT of the reference")
    parser.add_argument("--ours", required=True, help="HOST:PORT of our server")
    parser.add_argument("--area", default=",".join(in_order(areas())), help="AREA,AREA")
    parser.add_argument("--jobs", type=int, default=4, help="areas at the same time")
    parser.add_argument("--show", action="store_true", help="print all that was printed")
    options = parser.parse_args()

    commands, meant, again = 0, collections.Counter(), []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for area, seen, found, took in pool.map(lambda area: compare(area, options), options.area.split(",")):
            commands += len(seen[0])
            meant.update(why for *_, why in found if why)
            if tell(area, seen, found, took, options):
                again.append(area)
    # Beside other areas a server may be slower than a command waits. What differs counts if it still does when the
    # area has both servers for itself.
    differing = 0
    if again:
        print(f"once more, by itself: {', '.join(again)}")
    for area in again:
        differing += tell(*compare(area, options), options)
    for why, count in meant.items():
        print(f"{count} times on purpose: {why}")
    print(f"{commands} commands, {differing} differences")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
