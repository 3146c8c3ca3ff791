"""Schedules whose next action is far away, or asked for: what a plan draws of them, and how a player carries it out.

May depend on the suite's client.
"""

import time

import grpc

from client import payload, seconds

DAY = 86_400


class SchedulePlan:
    """Draws operations on one schedule. A part of `Plan`."""

    def schedule_operation(self):
        verb = self.draw.choices(
            ["schedule_create", "schedule_patch", "schedule_update", "schedule_describe", "schedule_times", "schedule_delete"],
            [3, 6, 4, 4, 3, 1],
        )[0]
        return getattr(self, "make_" + verb)()

    def spec(self):
        """What does not come before the year 2090."""
        draw = self.draw
        year = [{"start": 2090}]
        spec = draw.choice(
            [
                {"structured_calendar": [{"year": year, "month": [{"start": 2}], "day_of_month": [{"start": 29}]}]},
                {"structured_calendar": [{"year": [{"start": 2090, "end": 2098, "step": 3}], "hour": [{"start": 5, "end": 9}]}]},
                {"calendar": [{"year": "2091", "month": "JAN-MAR", "day_of_week": "FRI", "hour": "12"}]},
                {"calendar": [{"year": "2091", "day_of_month": "31", "minute": "*/20", "comment": "c"}]},
                {"cron_string": ["30 12 * * 1-5 2092"]},
                {"cron_string": ["CRON_TZ=Europe/Berlin 0 2 * 3,10 * 2093"]},
                {"interval": [{"interval": seconds(DAY), "phase": seconds(3600)}], "start_time": {"seconds": 3_786_912_000}},
                {"calendar": [{"year": "nonsense"}]},
                {"cron_string": ["nonsense"]},
                {"interval": [{"interval": seconds(-1)}]},
            ]
        )
        spec = dict(spec)
        if draw.random() < 0.2:
            spec["timezone_name"] = draw.choice(["Asia/Tokyo", "America/New_York", "No/Where"])
        if draw.random() < 0.2:
            spec["exclude_structured_calendar"] = [{"day_of_week": [{"start": 6}]}]
        if draw.random() < 0.2:
            spec["end_time"] = {"seconds": 3_900_000_000}
        return spec

    def schedule(self):
        draw = self.draw
        made = {"spec": self.spec(), "action": True, "policies": {}, "state": {}}
        if draw.random() < 0.5:
            made["policies"]["overlap_policy"] = draw.randint(0, 6)
        if draw.random() < 0.3:
            made["policies"]["catchup_window"] = seconds(draw.choice([1, 60, 3600]))
        if draw.random() < 0.2:
            made["policies"]["pause_on_failure"] = True
        if draw.random() < 0.3:
            made["state"]["notes"] = "note"
        if draw.random() < 0.3:
            made["state"]["paused"] = True
        if draw.random() < 0.2:
            made["state"].update(limited_actions=True, remaining_actions=draw.randint(0, 3))
        return made

    def make_schedule_create(self):
        fields = {"schedule": self.schedule(), "request_id": self.request_id()}
        if self.draw.random() < 0.3:
            fields["memo"] = {"fields": {"note": payload("n")}}
        if self.draw.random() < 0.2:
            fields["initial_patch"] = {"pause": "at first"}
        return [("schedule_create", fields)]

    def make_schedule_patch(self):
        draw = self.draw
        patch = draw.choice(
            [
                {"pause": "p"},
                {"unpause": "u"},
                {"pause": "p", "unpause": "u"},
                {"trigger_immediately": {"overlap_policy": draw.randint(0, 6)}},
                {"backfill_request": [{"start_time": {"seconds": 1}, "end_time": {"seconds": 2}}]},
            ]
        )
        return [("schedule_patch", {"patch": patch, "request_id": self.request_id()})]

    def make_schedule_update(self):
        return [("schedule_update", {"schedule": self.schedule(), "request_id": self.request_id()})]

    def make_schedule_describe(self):
        return [("schedule_describe", {})]

    def make_schedule_times(self):
        start = self.draw.choice([3_786_912_000, 3_800_000_000])
        return [("schedule_times", {"start_time": {"seconds": start}, "end_time": {"seconds": start + 90 * DAY}})]

    def make_schedule_delete(self):
        return [("schedule_delete", {})]


class SchedulePlayer:
    """A part of `Player`."""

    def scheduled(self, schedule):
        action = {
            "workflow_id": "b" + self.unique,
            "workflow_type": {"name": "T"},
            "task_queue": {"name": "queue-b" + self.unique},
        }
        return {**schedule, "action": {"start_workflow": action}}

    def to_schedule(self, call, **fields):
        return self.call(call, schedule_id=self.named("s"), **self.own_request(fields))

    def schedule_create(self, schedule, **fields):
        return self.to_schedule("CreateSchedule", schedule=self.scheduled(schedule), identity="client", **fields)

    def schedule_update(self, schedule, **fields):
        return self.to_schedule("UpdateSchedule", schedule=self.scheduled(schedule), identity="client", **fields)

    def schedule_patch(self, **fields):
        answer = self.to_schedule("PatchSchedule", identity="client", **fields)
        self.schedule_settles()
        return answer

    def schedule_describe(self):
        return self.to_schedule("DescribeSchedule")

    def schedule_times(self, **fields):
        """The first of them, and how many there are."""
        times = self.to_schedule("ListScheduleMatchingTimes", **fields).start_time
        return [time.ToJsonString() + " " for time in times[:20]] + [len(times)]

    def schedule_delete(self):
        answer = self.to_schedule("DeleteSchedule")
        self.gone("s")
        return answer

    def schedule_shape(self):
        try:
            described = self.to_schedule("DescribeSchedule")
        except grpc.RpcError:
            return None
        return (described.info.action_count, len(described.info.running_workflows), described.conflict_token)

    def schedule_settles(self):
        """Waits until nothing moves: a trigger takes the reference a moment."""
        last, since, began = None, time.monotonic(), time.monotonic()
        while time.monotonic() - began < 6:
            now = self.schedule_shape()
            if now is None:
                return
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 1:
                return
            time.sleep(0.1)

    def finish_schedules(self):
        described = self.answer(self.schedule_describe)
        self.seen.append(("schedule: described", described))
        try:
            self.to_schedule("DeleteSchedule")
        except grpc.RpcError:
            pass  # deleted, or never created
