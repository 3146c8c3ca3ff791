"""Reads an area: a file of commands, one a line, in the order in which they run.

    # why this is here
    $ workflow start -w w1 --type Wait -t queue         a command, without the word `temporal`
    until COMPLETED $ workflow describe -w w1           run again until what it prints matches
    lines Status|Type $ workflow describe -w w1         only the lines that match are compared
    sorted $ task-queue describe -t work                what comes in any order
    keep run RunId +(\\S+)                               what the last command printed, for %run% from here on
    file input.json {"a": 1}                            a file in the folder in which the commands run
    worker deployment=shop build=1                      a worker on the task queue `work` from here on
    stop                                                until here
    second                                              until the clock's second is another: names that end in it are new

What a command never printed, or what could not be kept, is a mistake on whichever side.

May depend on the standard library only.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

AREAS = Path(__file__).parent / "areas"
COMMAND = re.compile(r"(?:until (?P<until>.+?) )?(?:lines (?P<lines>.+?) )?(?P<sorted>sorted )?\$ (?P<command>.+)")
VERBS = {"keep": 2, "file": 2, "worker": 1, "stop": 1, "second": 1}


@dataclass
class Step:
    verb: str
    text: str
    until: str | None = None
    lines: str | None = None
    sorted: bool = False


def areas():
    return sorted(path.stem for path in AREAS.glob("*.txt"))


def read(area):
    """The steps of an area."""
    text = (AREAS / f"{area}.txt").read_text().replace("\\\n", " ")
    return [step(line.strip()) for line in text.splitlines() if line.strip() and line[0] != "#"]


def step(line):
    found = COMMAND.fullmatch(line)
    if found:
        return Step("run", found["command"], found["until"], found["lines"], bool(found["sorted"]))
    verb, _, rest = line.partition(" ")
    if verb not in VERBS:
        raise ValueError(f"not a step of a script: {line}")
    return Step(verb, rest.strip())


def words(command):
    return shlex.split(command)
