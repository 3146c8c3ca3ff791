"""Medians of several runs, and tables of them in Markdown."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Metric:
    title: str
    path: tuple[str, ...]
    digits: int
    # Whether more is better: the ratio is always how many times better ours is.
    more_is_better: bool = False
    scale: float = 1.0


METRICS = [
    Metric("Throughput, per second", ("per_second",), 1, more_is_better=True),
    Metric("Latency p50, ms", ("latency", "p50_ms"), 1),
    Metric("Latency p99, ms", ("latency", "p99_ms"), 1),
    Metric("Server CPU, ms for each", ("server", "cpu_ms_each"), 2),
    Metric("Memory (peak of the process), MiB", ("server", "peak_mib"), 0),
    Metric("Written to disk, KiB for each", ("server", "disk_bytes_each"), 1, scale=1 / 1024),
]

SIDES = ["reference", "ours", "floor"]

# (side, row) -> the phases of all runs, as the load generator reports them.
Results = dict[tuple[str, str], list[dict]]


def value(phase: dict, path: tuple[str, ...]) -> float | None:
    """The number at a path, or None if the phase has none."""
    here = phase
    for key in path:
        here = here.get(key) if isinstance(here, dict) else None
    return here


def middle(phases: list[dict], metric: Metric) -> float | None:
    """The median over all runs that have the number."""
    # A rate or a latency of idling means nothing.
    numbers = [
        value(phase, metric.path)
        for phase in phases
        if not (phase["unit"] == "second" and metric.path == ("per_second",))
    ]
    numbers = [number for number in numbers if number is not None]
    return median(numbers) * metric.scale if numbers else None


def ratio(ours: float | None, reference: float | None, more_is_better: bool) -> str:
    """How many times better ours is."""
    better, worse = (ours, reference) if more_is_better else (reference, ours)
    if better is None or worse is None:
        return ""
    if worse == 0:
        return "" if better == 0 else "∞"
    return f"{better / worse:.1f}×"


def table(results: Results, rows: list[str], metric: Metric) -> str:
    """One metric of all rows; empty if nobody has it."""
    lines = []
    for row in rows:
        middles = {side: middle(results.get((side, row), []), metric) for side in SIDES}
        if all(number is None for number in middles.values()):
            continue
        cells = ["–" if n is None else f"{n:,.{metric.digits}f}" for n in middles.values()]
        better = ratio(middles["ours"], middles["reference"], metric.more_is_better)
        lines.append(f"| {row} | {cells[0]} | {cells[1]} | {better} | {cells[2]} |")
    if not lines:
        return ""
    head = ["| load | reference | ours | ours is better by | floor |", "|---|--:|--:|--:|--:|"]
    return "\n".join([f"### {metric.title}", "", *head, *lines, ""])


def report(results: Results, rows: list[str]) -> str:
    """All tables."""
    return "\n".join(filter(None, (table(results, rows, metric) for metric in METRICS)))
