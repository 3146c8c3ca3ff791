"""Standalone activities: what a plan draws of them, and how a player carries it out.

May depend on the builders of commands and on the suite's client.
"""

import grpc

from client import application_failure, payload, payloads, seconds

NEVER = 600
JOBS = ("j", "k")


class JobPlan:
    """Draws operations on two jobs. A part of `Plan`."""

    def job_operation(self):
        verb = self.draw.choices(
            ["job_start", "job_work", "job_ask", "job_describe", "job_list", "wait"], [5, 8, 9, 2, 1, 1]
        )[0]
        return getattr(self, "make_" + verb)()

    def job(self):
        return self.draw.choices(JOBS, [4, 1])[0]

    def make_job_start(self, job=None):
        draw = self.draw
        fields = {
            "job": job or self.job(),
            "request_id": self.request_id(),
            "start_to_close_timeout": seconds(NEVER),
            "retry_policy": {"initial_interval": seconds(NEVER), "maximum_attempts": draw.randint(0, 2)},
        }
        if draw.random() < 0.4:
            fields["input"] = payloads(draw.randint(0, 9))
        if draw.random() < 0.3:
            fields["id_reuse_policy"] = draw.randint(0, 3)
        if draw.random() < 0.3:
            fields["id_conflict_policy"] = draw.randint(0, 2)
        if draw.random() < 0.2:
            fields["schedule_to_close_timeout"] = seconds(2 * NEVER)
        if draw.random() < 0.2:
            fields["heartbeat_timeout"] = seconds(NEVER)
        if draw.random() < 0.15:
            fields["start_delay"] = seconds(NEVER)
        if draw.random() < 0.15:
            fields["priority"] = {"priority_key": draw.randint(1, 5)}
        if draw.random() < 0.15:
            fields["user_metadata"] = {"summary": payload("summary")}
        if draw.random() < 0.1:
            fields.pop("start_to_close_timeout")
        return [("job_start", fields)]

    def make_job_work(self):
        how = self.draw.choices(["complete", "fail", "fail_for_good", "heartbeat", "cancel", "keep"], [5, 3, 2, 2, 2, 3])
        return [("job_work", {"job": self.job(), "how": how[0]})]

    def make_job_ask(self):
        draw = self.draw
        what = draw.choices(["cancel", "terminate", "pause", "unpause", "reset", "options", "delete"], [4, 2, 4, 4, 3, 3, 1])[0]
        fields = {"job": self.job(), "what": what}
        if what in ("cancel", "terminate", "pause"):
            fields["reason"] = "why"
        if what == "reset":
            fields["keep_paused"] = draw.random() < 0.3
            fields["reset_heartbeat"] = draw.random() < 0.3
            fields["restore_original_options"] = draw.random() < 0.3
        if what == "options":
            option = draw.choice(
                [
                    ("heartbeat_timeout", seconds(NEVER // 2)),
                    ("start_to_close_timeout", seconds(NEVER // 2)),
                    ("schedule_to_close_timeout", seconds(3 * NEVER)),
                    ("priority", {"priority_key": 2}),
                    ("nonsense", None),
                ]
            )
            fields["update_mask"] = {"paths": [option[0]]}
            fields["activity_options"] = dict([option]) if option[1] is not None else {}
        if what not in ("delete",) and draw.random() < 0.5:
            fields["request_id"] = self.request_id()
        return [("job_ask", fields)]

    def make_job_describe(self):
        include = {name: self.draw.random() < 0.5 for name in ("include_input", "include_outcome", "include_last_failure")}
        return [("job_describe", {"job": self.job(), **include})]

    def make_job_list(self):
        status = self.draw.choice(["Running", "Completed", "Failed", "Terminated", "Canceled"])
        return [("job_list", {"status": status})]


CALLS = {
    "cancel": "RequestCancelActivityExecution",
    "terminate": "TerminateActivityExecution",
    "pause": "PauseActivityExecution",
    "unpause": "UnpauseActivityExecution",
    "reset": "ResetActivityExecution",
    "options": "UpdateActivityExecutionOptions",
    "delete": "DeleteActivityExecution",
}


class JobPlayer:
    """A part of `Player`."""

    def job_start(self, job, **fields):
        return self.call(
            "StartActivityExecution",
            activity_id=self.named(job),
            activity_type={"name": "A"},
            task_queue=self.queue(job),
            identity="client",
            **self.own_request(fields),
        )

    def job_shape(self, job):
        try:
            info = self.call("DescribeActivityExecution", activity_id=self.named(job)).info
        except grpc.RpcError:
            return None
        return (info.run_id, info.status, info.run_state, info.attempt, info.HasField("next_attempt_schedule_time"))

    def job_work(self, job, how):
        task = self.activities.pop(job, None)
        if task is None:
            shape = self.job_shape(job)
            # Scheduled, and not only later.
            if shape is None or shape[1] != 1 or shape[2] != 1 or shape[4]:
                return "none"
            task = self.call("PollActivityTaskQueue", timeout=5, task_queue=self.queue(job), identity="worker")
            if not task.task_token:
                return "none came"
        common = {"task_token": task.task_token, "identity": "worker"}
        if how == "keep":
            self.activities[job] = task
            return self.names.message(task)
        if how == "heartbeat":
            self.activities[job] = task
            return self.call("RecordActivityTaskHeartbeat", details=payloads("beat"), **common)
        if how == "complete":
            return self.call("RespondActivityTaskCompleted", result=payloads("r"), **common)
        if how == "cancel":
            return self.call("RespondActivityTaskCanceled", details=payloads("c"), **common)
        failure = application_failure("broken", type_="Broken", non_retryable=how != "fail")
        return self.call("RespondActivityTaskFailed", failure=failure, **common)

    def job_ask(self, job, what, **fields):
        if what != "delete":
            fields["identity"] = "client"
        answer = self.call(CALLS[what], activity_id=self.named(job), **self.own_request(fields))
        if what == "delete":
            self.gone(job)
        return answer

    def job_describe(self, job, **include):
        return self.call("DescribeActivityExecution", activity_id=self.named(job), **include)

    def job_list(self, status):
        ids = ", ".join(f"'{self.named(job)}'" for job in JOBS)
        listed = self.call("ListActivityExecutions", query=f"ActivityId IN ({ids}) AND ExecutionStatus = '{status}'")
        return sorted(self.names.text(info.activity_id) for info in listed.executions)

    def finish_jobs(self):
        for job in JOBS:
            described = self.answer(
                self.job_describe, job=job, include_input=True, include_outcome=True, include_last_failure=True
            )
            self.seen.append((f"job {job}: described", described))
            try:
                self.call("TerminateActivityExecution", activity_id=self.named(job))
            except grpc.RpcError:
                pass  # closed, or never started
