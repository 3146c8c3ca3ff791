"""How the demo writes to the terminal: one line for each thing that happens, with the seconds since it began."""

import os
import sys
import time

COLOURS = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}


def paint(colour: str | None, text: str) -> str:
    """The text in a colour, if the terminal shows colours."""
    if colour is None or not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"


class Printer:
    """Writes lines, unless it is quiet."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._began = time.monotonic()

    @property
    def seconds(self) -> str:
        """Seconds since this printer was made."""
        return f"{time.monotonic() - self._began:.1f}"

    def line(self, who: str, text: str, colour: str | None = None) -> None:
        """A line: when, who, what."""
        if not self._quiet:
            when = paint("dim", f"{self.seconds:>6}s")
            print(f"{when}  {paint(colour, f'{who:9} {text}')}", flush=True)


def table(rows: list[list[str]]) -> str:
    """Rows of text as columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
