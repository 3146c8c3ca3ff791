//! What may happen next in a random world, drawn as a line of a story.

use super::script::Script;

/// SplitMix64.
pub(super) struct Dice(pub(super) u64);

const IDS: [&str; 4] = ["w", "x", "y", "z"];
const UPDATES: [&str; 5] = ["u1", "u2", "u3", "u4", "u5"];

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// A word with some chance, else nothing.
    fn maybe(&mut self, percent: usize, words: &[&str]) -> String {
        if self.chance(percent) {
            format!(" {}", self.pick(words))
        } else {
            String::new()
        }
    }

    pub(super) fn limits(&mut self) -> String {
        let mut line = "limits".to_owned();
        line += &self.maybe(40, &["buffered=1", "buffered=3"]);
        line += &self.maybe(30, &["history-count=30", "history-count=60"]);
        line += &self.maybe(30, &["activities=1", "children=1", "external-signals=1"]);
        line += &self.maybe(30, &["blob=150"]);
        line += &self.maybe(20, &["signals=3"]);
        line += &self.maybe(20, &["heartbeat=5s"]);
        line += &self.maybe(30, &["updates=1", "updates-total=2", "updates-size=100"]);
        line += &self.maybe(50, &["pages", "pages completion=150"]);
        line
    }

    pub(super) fn line(&mut self, script: &Script) -> String {
        let runs = &script.world.runs;
        if runs.is_empty() || self.chance(5) {
            return self.start();
        }
        // Mostly the current run of an id, sometimes any run.
        let run = self.below(runs.len());
        let run = if self.chance(85) {
            let id = &runs[run].state.workflow_id;
            script.world.current(id).unwrap_or(run)
        } else {
            run
        };
        let label = match &runs[run].label {
            label if label.contains('/') => label.clone(),
            label => format!("{label}/1"),
        };
        match self.below(100) {
            0..=1 => self.signal_with_start(),
            2..=7 => self.signal(&label),
            8..=10 => self.update(&label),
            11 => format!("cancel wf={label}"),
            12 if self.chance(40) => format!("terminate wf={label}"),
            12 if self.chance(20) => format!("delete wf={label}"),
            12..=13 => format!("reset-sticky wf={label}"),
            14..=22 => self.poll(script, &label),
            23..=47 => self.complete(script, run, &label),
            48..=50 => self.fail_task(script, &label),
            51..=65 => self.activity(script, run, &label),
            66..=70 => self.nexus(script, run, &label),
            71..=82 => self.clock(),
            83 if self.chance(70) => self.operate(&label),
            83 => format!("deadline wf={label}"),
            84..=94 => self.mail(script),
            95 => self.nexus(script, run, &label),
            96 => "resend".to_owned(),
            97..=98 => format!("crash{}", self.maybe(15, &["back=3s"])),
            99 if self.chance(70) => self.deployment(),
            _ => format!("describe wf={label}"),
        }
    }

    fn start(&mut self) -> String {
        if self.chance(10) {
            let number = self.pick(&["number=1", "number=2", "number=3"]);
            let mut line = format!("start-scheduled wf={} {number}", self.pick(&IDS));
            line += &self.maybe(20, &["run-timeout=20s", "retry=(attempts=2)", "delay=5s"]);
            return line;
        }
        let mut line = format!("start wf={}", self.pick(&IDS));
        line += &self.maybe(15, &["run-timeout=20s", "run-timeout=3s"]);
        line += &self.maybe(10, &["execution-timeout=30s"]);
        if self.chance(10) {
            line += " delay=5s";
        } else {
            line += &self.maybe(8, &["cron=\"* * * * *\""]);
        }
        line += &self.maybe(20, &["retry=(attempts=2)", "retry=(initial=2s)"]);
        line += &self.maybe(10, &["skips", "skips max-skips=2", "skips forward=40s"]);
        line += &self.maybe(
            30,
            &[
                "conflict=UseExisting",
                "conflict=UseExisting attach-request",
                "conflict=TerminateExisting",
            ],
        );
        line += &self.maybe(
            20,
            &["reuse=RejectDuplicate", "reuse=AllowDuplicateFailedOnly"],
        );
        line += &self.maybe(15, &["eager"]);
        line += &self.maybe(
            20,
            &["callback-for=w", "callback-for=x", "callback-to=http://h"],
        );
        line += &self.maybe(30, &["request=r1", "request=r2", "request=r3"]);
        line += &self.maybe(4, &["pinned=d:b1", "auto-upgrade"]);
        line
    }

    fn deployment(&mut self) -> String {
        let version = self.pick(&["d:b1", "d:b2", "d:"]);
        match self.below(4) {
            0 => "deployment registers version=d:b1 queue=q".to_owned(),
            1 => "deployment registers version=d:b2 queue=q".to_owned(),
            2 => format!("deployment current version={version}"),
            _ => "deployment ramps version=d:b2 percentage=100".to_owned(),
        }
    }

    /// In few worlds workers have versions.
    fn version(&mut self, script: &Script) -> String {
        if script.world.deployments.is_empty() {
            return String::new();
        }
        self.maybe(70, &["version=d:b1", "version=d:b2"])
    }

    fn signal_with_start(&mut self) -> String {
        let mut line = format!("signal-with-start wf={}", self.pick(&IDS));
        line += &self.maybe(20, &["conflict=TerminateExisting"]);
        line += &self.maybe(20, &["delay=5s"]);
        line += &self.maybe(40, &["request=r1", "request=r2", "request=r4"]);
        line
    }

    fn signal(&mut self, label: &str) -> String {
        let request = self.maybe(50, &["request=r1", "request=r5", "request=r6"]);
        format!("signal wf={label}{request}")
    }

    fn operate(&mut self, label: &str) -> String {
        if self.chance(25) {
            let exclude = self.maybe(30, &["exclude=Signal", "older=None"]);
            return format!("reset wf={label} event={}{exclude}", self.below(24));
        }
        if self.chance(10) {
            let what = ["priority=2", "auto-upgrade", "pinned=dep:b1", ""];
            let mask = self.pick(&[
                "mask=priority",
                "mask=versioning_override+priority.priority_key",
            ]);
            return format!("update-options wf={label} {mask} {}", self.pick(&what));
        }
        if self.chance(10) {
            let what = ["skips", "skips forward=3s", "skips=off", ""];
            let what = self.pick(&what);
            return format!("update-options wf={label} mask=time_skipping_config {what}");
        }
        if self.chance(10) {
            let how = self.maybe(50, &["terminate"]) + &self.maybe(15, &["other"]);
            return format!("stop-action wf={label}{how}");
        }
        if self.chance(30) {
            let verb = self.pick(&["pause", "unpause", "unpause"]);
            return format!("{verb} wf={label}");
        }
        let which = ["id=a0", "id=a1", "id=a2", "type=A", "all"];
        match self.below(4) {
            0 => format!("pause-activity wf={label} {}", self.pick(&which[..4])),
            1 => {
                let mut line = format!("unpause-activity wf={label} {}", self.pick(&which));
                line += &self.maybe(30, &["reset-attempts", "reset-heartbeat", "jitter=3s"]);
                line
            }
            2 => {
                let mut line = format!("reset-activity wf={label} {}", self.pick(&which));
                line += &self.maybe(
                    60,
                    &["keep-paused", "reset-heartbeat", "restore", "jitter=3s"],
                );
                line
            }
            _ if self.chance(25) => {
                format!("update-activity wf={label} {} restore", self.pick(&which))
            }
            _ => {
                let mask = [
                    "mask=task_queue.name",
                    "mask=start_to_close_timeout+heartbeat_timeout",
                    "mask=retry_policy.initial_interval",
                ];
                let options =
                    "options=(queue=other start-to-close=3s heartbeat=2s retry=(initial=4s))";
                format!(
                    "update-activity wf={label} {} {} {options}",
                    self.pick(&which),
                    self.pick(&mask)
                )
            }
        }
    }

    fn update(&mut self, label: &str) -> String {
        let id = self.pick(&UPDATES);
        match self.below(10) {
            0..=1 => {
                let conflict = ["", "conflict=UseExisting", "conflict=TerminateExisting"];
                let (wf, conflict) = (self.pick(&IDS), self.pick(&conflict));
                format!("update-with-start wf={wf} id={id} {conflict}")
            }
            2 => format!("readmit wf={label} id={id}"),
            _ => {
                let callback = self.maybe(
                    30,
                    &[
                        " update-request=x callback-to=http://a",
                        " update-request=y callback-to=http://a",
                    ],
                );
                format!("update wf={label} id={id}{callback}")
            }
        }
    }

    /// What a worker says of the updates that it has, mostly; sometimes of others.
    fn messages(&mut self, script: &Script, run: usize) -> Vec<String> {
        let state = &script.world.runs[run].state;
        let mut messages = Vec::new();
        for update in &state.volatile.admitted {
            match self.below(10) {
                0..=2 => messages.push(format!("Reject id={}", update.id)),
                3..=5 => messages.push(format!("Accept id={}", update.id)),
                6..=8 => {
                    messages.push(format!("Accept id={}", update.id));
                    messages.push(format!("Complete id={} result=1", update.id));
                }
                _ => {}
            }
        }
        for (id, _) in state.updates.iter() {
            if self.chance(50) {
                messages.push(format!("Complete id={id}{}", self.maybe(50, &["result=2"])));
            }
        }
        if self.chance(5) {
            let id = self.pick(&UPDATES);
            let kinds = [
                "Accept",
                "Accept with-request",
                "Reject",
                "Complete",
                "Request",
            ];
            messages.push(format!("{} id={id}", self.pick(&kinds)));
        }
        messages
    }

    fn poll(&mut self, script: &Script, label: &str) -> String {
        let mut line = format!("worker polls wf={label}");
        line += &self.version(script);
        line += &self.maybe(60, &["as=t1", "as=t2", "as=t3", "as=t4"]);
        line += &self.maybe(15, &["normal", "sticky"]);
        line += &self.maybe(15, &["request=c1", "request=c2"]);
        line += &self.maybe(5, &["scheduled=2", "attempt=2"]);
        line
    }

    fn task(&mut self, script: &Script, label: &str) -> String {
        if !script.workflow_tasks.is_empty() && self.chance(15) {
            let at = self.below(script.workflow_tasks.len());
            let name = script
                .workflow_tasks
                .keys()
                .nth(at)
                .expect("it is in range");
            return format!("token={name}");
        }
        format!("wf={label}")
    }

    fn fail_task(&mut self, script: &Script, label: &str) -> String {
        let task = self.task(script, label);
        format!(
            "worker fails {task}{}",
            self.maybe(30, &["cause=NonDeterministicError"])
        )
    }

    fn complete(&mut self, script: &Script, run: usize, label: &str) -> String {
        let mut commands = Vec::new();
        for _ in 0..self.below(5) {
            commands.push(self.command(script, run));
        }
        let messages = self.messages(script, run);
        for message in &messages {
            if self.chance(30) {
                let mut words = message.split(' ');
                let kind = words.next().unwrap_or("").to_lowercase();
                let id = message
                    .split("id=")
                    .nth(1)
                    .and_then(|rest| rest.split(' ').next());
                commands.push(format!("Message id={}/{kind}", id.unwrap_or("")));
            }
        }
        if self.chance(14) {
            commands.push(self.close());
        }
        if self.chance(2) {
            commands.push(self.command(script, run));
        }
        let mut line = format!("worker completes {}", self.task(script, label));
        if !commands.is_empty() {
            line += &format!(" commands=({})", commands.join(", "));
        }
        if !messages.is_empty() {
            line += &format!(" messages=({})", messages.join(", "));
        }
        line += &self.maybe(4, &["page=0 more", "page=0 more", "page=1 more", "page=1"]);
        line += &self.maybe(30, &["takes-again"]);
        line += &self.maybe(30, &["sticky=s1", "sticky=s1 sticky-timeout=2s"]);
        line += &self.maybe(15, &["force-new"]);
        line += &self.maybe(15, &["return-new"]);
        line += &self.maybe(20, &["build=b1", "build=b2", "build=b3"]);
        line += &self.maybe(10, &["checksum=b1", "checksum=b2"]);
        let version = self.version(script);
        if !version.is_empty() {
            line += &version;
            line += &self.maybe(70, &["behavior=Pinned", "behavior=AutoUpgrade"]);
        }
        line
    }

    fn close(&mut self) -> String {
        match self.below(6) {
            0 | 1 => "Complete".to_owned(),
            2 => format!("Fail{}", self.maybe(30, &["final"])),
            3 => "Cancel".to_owned(),
            4 => "Complete result=blob:400".to_owned(),
            _ => format!(
                "ContinueAsNew{}",
                self.maybe(30, &["backoff=3s", "run-timeout=10s"])
            ),
        }
    }

    fn command(&mut self, script: &Script, run: usize) -> String {
        let after = ["after=0s", "after=1s", "after=5s", "after=30s"];
        match self.below(28) {
            0..=4 => format!("StartTimer id=t{} {}", self.below(4), self.pick(&after)),
            5 => self.cancel_timer(script, run),
            6..=11 => self.schedule_activity(),
            12 => self.cancel_activity(script, run),
            13 => "RecordMarker name=m".to_owned(),
            14 => "Upsert attributes=(CustomInt=1)".to_owned(),
            15 => "ModifyMemo memo=(a=b)".to_owned(),
            16..=18 => self.start_child(),
            19..=20 => {
                format!(
                    "SignalExternal id={}{}",
                    self.pick(&IDS),
                    self.maybe(20, &["child-only"])
                )
            }
            21 => format!("CancelExternal id={}", self.pick(&IDS)),
            22 => "StartTimer id=t9 after=-1s".to_owned(),
            23..=25 => self.schedule_nexus(),
            26 => self.cancel_nexus(script, run),
            _ => "Bare type=StartTimer".to_owned(),
        }
    }

    fn cancel_timer(&mut self, script: &Script, run: usize) -> String {
        let timers = &script.world.runs[run].state.timers;
        let at = self.below(timers.len());
        match timers.iter().nth(at) {
            Some((id, _)) if self.chance(90) => format!("CancelTimer id={id}"),
            _ => "CancelTimer id=none".to_owned(),
        }
    }

    fn cancel_activity(&mut self, script: &Script, run: usize) -> String {
        let activities = &script.world.runs[run].state.activities;
        let at = self.below(activities.len());
        match activities.iter().nth(at) {
            Some((id, _)) if self.chance(90) => format!("CancelActivity scheduled={id}"),
            _ => "CancelActivity scheduled=5".to_owned(),
        }
    }

    fn schedule_nexus(&mut self) -> String {
        let mut line = "ScheduleNexus".to_owned();
        line += &self.maybe(30, &["schedule-to-close=8s", "schedule-to-close=1s"]);
        line += &self.maybe(20, &["schedule-to-start=3s"]);
        line += &self.maybe(20, &["start-to-close=2s"]);
        line += &self.maybe(3, &["endpoint=none", "input=blob:400"]);
        line
    }

    fn cancel_nexus(&mut self, script: &Script, run: usize) -> String {
        let operations = &script.world.runs[run].state.nexus_operations;
        let at = self.below(operations.len());
        match operations.iter().nth(at) {
            Some((id, _)) if self.chance(90) => format!("CancelNexus scheduled={id}"),
            _ => "CancelNexus scheduled=5".to_owned(),
        }
    }

    fn nexus(&mut self, script: &Script, run: usize, label: &str) -> String {
        let verb = self.pick(&[
            "starts",
            "starts",
            "succeeds",
            "fails",
            "cancels",
            "refuses",
            "refuses type=NOT_FOUND",
            "takes-cancel",
            "refuses-cancel",
            "refuses-cancel type=NOT_FOUND",
            "completes",
            "completes canceled",
        ]);
        let operations = &script.world.runs[run].state.nexus_operations;
        let at = self.below(operations.len());
        let id = operations.iter().nth(at).map_or(5, |(id, _)| *id);
        let (verb, more) = verb.split_once(' ').unwrap_or((verb, ""));
        let attempt = self.maybe(10, &["attempt=0", "attempt=1"]);
        format!("nexus {verb} wf={label} scheduled={id} {more}{attempt}")
    }

    fn schedule_activity(&mut self) -> String {
        let mut line = format!("ScheduleActivity id=a{}", self.below(6));
        line += &self.maybe(30, &["start-to-close=5s", "start-to-close=1s"]);
        line += &self.maybe(25, &["schedule-to-close=8s", "schedule-to-close=2s"]);
        line += &self.maybe(15, &["schedule-to-start=3s"]);
        line += &self.maybe(25, &["heartbeat=2s"]);
        line += &self.maybe(
            40,
            &[
                "retry=(attempts=1)",
                "retry=(attempts=3)",
                "retry=(except=Bad)",
            ],
        );
        line += &self.maybe(15, &["eager"]);
        line += &self.maybe(3, &["input=blob:400", "no-timeouts"]);
        line
    }

    fn start_child(&mut self) -> String {
        let mut line = format!("StartChild id={}", self.pick(&IDS));
        line += &self.maybe(
            60,
            &["on-parent-close=Abandon", "on-parent-close=RequestCancel"],
        );
        line += &self.maybe(15, &["run-timeout=5s"]);
        line += &self.maybe(15, &["retry=(attempts=2)"]);
        line += &self.maybe(8, &["cron=\"* * * * *\""]);
        line += &self.maybe(10, &["reuse=TerminateIfRunning", "reuse=RejectDuplicate"]);
        line += &self.maybe(10, &["auto-upgrade", "pinned=d:b1", "pinned=d:b2"]);
        line
    }

    fn activity(&mut self, script: &Script, run: usize, label: &str) -> String {
        let verb = match self.below(100) {
            0..=29 => "starts",
            30..=59 => "completes",
            60..=79 => "fails",
            80..=92 => "heartbeats",
            _ => "cancels",
        };
        let activities = &script.world.runs[run].state.activities;
        let at = self.below(activities.len());
        let id = match activities.iter().nth(at) {
            Some((_, activity)) => activity.scheduled.activity_id.clone(),
            None => format!("a{}", self.below(6)),
        };
        let mut line = format!("activity {verb}");
        if verb != "starts" && !script.activity_tasks.is_empty() && self.chance(15) {
            let at = self.below(script.activity_tasks.len());
            let name = script
                .activity_tasks
                .keys()
                .nth(at)
                .expect("it is in range");
            line += &format!(" token={name}");
        } else {
            line += &format!(" wf={label} id={id}");
            if verb != "starts" {
                line += &self.maybe(20, &["by-id"]);
            }
        }
        line += &match verb {
            "starts" => {
                self.maybe(50, &["as=k1", "as=k2", "as=k3"])
                    + &self.maybe(15, &["request=c1", "request=c2"])
                    + &self.maybe(6, &["attempt=2", "attempt=1"])
            }
            "fails" => {
                self.maybe(30, &["type=Bad", "final", "bare"])
                    + &self.maybe(10, &["delay=0s", "delay=4s"])
                    + &self.maybe(10, &["details=d", "padding=400"])
            }
            "completes" => self.maybe(6, &["result=blob:400"]),
            "heartbeats" => self.maybe(30, &["details=d", "details=blob:400"]),
            _ => String::new(),
        };
        line
    }

    fn clock(&mut self) -> String {
        let spans = ["+0.5s", "+1s", "+2s", "+5s", "+10s", "+12s", "+30s", "+70s"];
        format!("clock {}{}", self.pick(&spans), self.maybe(25, &["jumps"]))
    }

    fn mail(&mut self, script: &Script) -> String {
        match self.below(20) {
            0 => "deliver again".to_owned(),
            1 => "lose".to_owned(),
            2..=4 => "deliver all".to_owned(),
            5..=7 => format!("deliver keep nth={}", self.below(script.world.mail.len())),
            _ => format!("deliver nth={}", self.below(script.world.mail.len())),
        }
    }
}
