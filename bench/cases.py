"""Which loads are run. A case is one call of the load generator against a fresh server."""

from dataclasses import dataclass


# Loads that are no workflows, or wait.
WITHOUT_FLOOR = ("timer", "query", "jobs")


@dataclass(frozen=True)
class Case:
    name: str
    arguments: tuple[str, ...]
    # The scenario whose floor belongs beside it.
    floor_of: str | None = None
    concurrency: int = 10


def _closed(scenario: str, concurrency: int, seconds: float) -> Case:
    """A closed loop for so many seconds."""
    return Case(
        name=f"{scenario} x{concurrency}",
        arguments=("--scenario", scenario, "--warmup", "2", "--seconds", str(seconds)),
        floor_of=None if scenario in WITHOUT_FLOOR else scenario,
        concurrency=concurrency,
    )


def _counted(scenario: str, concurrency: int, workflows: int, *more: str) -> Case:
    """A load of a given size."""
    arguments = ("--scenario", scenario, "--workflows", str(workflows), *more)
    return Case(name=f"{scenario} {workflows}", arguments=arguments, concurrency=concurrency)


def quick() -> list[Case]:
    return [
        # At a concurrency of 100 one workflow may take seconds.
        *(_closed(s, c, 10 if c == 100 else 4) for s in ("zero", "one") for c in (1, 10, 100)),
        *(_closed(s, 10, 4) for s in ("sequential", "parallel", "signals", "updates", "timer")),
        *(_closed(s, 10, 4) for s in ("query", "jobs")),
        _schedules(20, 5),
        _counted("backlog", 10, 500),
        _counted("open", 50, 1_000, "--size", "200"),
        _counted("wide", 1, 100),
        _idle(5),
    ]


def full() -> list[Case]:
    scenarios = ("zero", "one", "sequential", "parallel", "signals", "updates", "timer")
    scenarios += ("query", "jobs")
    return [
        *(_closed(scenario, c, 15) for scenario in scenarios for c in (1, 10, 100)),
        _counted("backlog", 100, 10_000, "--result-timeout", "300"),
        _counted("open", 100, 20_000, "--size", "2000", "--result-timeout", "300"),
        _counted("wide", 1, 1_000),
        _schedules(200, 15),
        _idle(30),
    ]


def _schedules(count: int, seconds: float) -> Case:
    """So many schedules with an action each second."""
    arguments = ("--scenario", "schedules", "--size", str(count), "--seconds", str(seconds))
    return Case(name=f"schedules {count}", arguments=arguments)


def _idle(seconds: float) -> Case:
    """Watching a server that has had time to finish what its start left over."""
    arguments = ("--scenario", "idle", "--warmup", "5", "--seconds", str(seconds))
    return Case(name="idle", arguments=arguments)
