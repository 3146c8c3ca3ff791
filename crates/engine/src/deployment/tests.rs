//! The rules of deployments, verb by verb.

use proto::temporal::api::enums::v1::{
    TaskQueueType, VersionDrainageStatus as Drainage, WorkerDeploymentVersionStatus as Status,
};

use super::*;

/// A deployment at work: time moves on by a second with each verb.
struct Bench {
    deployment: Deployment,
    now: Timestamp,
    polled: Vec<String>,
    busy: Vec<String>,
}

type Refused = Result<String, String>;

impl Bench {
    fn new() -> Self {
        let now = Timestamp(1_000_000_000);
        Self {
            deployment: Deployment::create("d", "", "", now),
            now,
            polled: Vec::new(),
            busy: Vec::new(),
        }
    }

    fn with<T>(
        &mut self,
        verb: impl FnOnce(&mut Deployment, Surroundings<'_>) -> Result<T, Rejection>,
    ) -> Result<T, String> {
        self.now = self.now.after(std::time::Duration::from_secs(1));
        let routing = Routing::new([&self.deployment]);
        let (polled, busy) = (&self.polled, &self.busy);
        let around = Surroundings {
            now: self.now,
            has_pollers: &|version, _| polled.contains(&version.build_id.to_string()),
            has_work: &|_, queue| busy.contains(&queue.name),
            routing: &routing,
        };
        verb(&mut self.deployment, around).map_err(|rejection| rejection.to_string())
    }

    fn register(&mut self, build_id: &str, queue: &str) -> Result<(), String> {
        let queue = workflow_queue(queue);
        self.with(|deployment, around| deployment.register(build_id, queue, around))
    }

    fn current(&mut self, build_id: &str, by: &str) -> Refused {
        let ask = SetCurrentVersion {
            version: version(build_id),
            identity: by.to_owned(),
            ..SetCurrentVersion::default()
        };
        self.with(|deployment, around| deployment.set_current_version(&ask, around))
    }

    fn ramp(&mut self, ramp: Ramp, percentage: f32, by: &str) -> Result<(String, f32), String> {
        let ask = SetRampingVersion {
            ramp,
            percentage,
            identity: by.to_owned(),
            ..SetRampingVersion::default()
        };
        self.with(|deployment, around| deployment.set_ramping_version(&ask, around))
    }

    fn delete(&mut self, build_id: &str, skip_drainage: bool) -> Result<(), String> {
        let ask = DeleteVersion {
            build_id: build_id.to_owned(),
            skip_drainage,
            identity: "me".to_owned(),
        };
        self.with(|deployment, around| deployment.delete_version(&ask, around))
    }

    fn statuses(&self) -> Vec<Status> {
        let versions = self.deployment.versions.iter();
        versions.map(DeploymentVersion::status).collect()
    }
}

fn version(build_id: &str) -> Option<Version> {
    (!build_id.is_empty()).then(|| Version::new("d", build_id))
}

fn to(build_id: &str) -> Ramp {
    Ramp::To(Version::new("d", build_id))
}

fn workflow_queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        kind: TaskQueueType::Workflow.into(),
    }
}

#[test]
fn versions_go_from_inactive_over_current_to_draining() {
    let mut bench = Bench::new();
    bench.register("b1", "q").unwrap();
    bench.register("b2", "q").unwrap();
    assert_eq!(bench.statuses(), [Status::Inactive, Status::Inactive]);
    assert_eq!(bench.current("b1", "me").unwrap(), "__unversioned__");
    assert_eq!(bench.statuses(), [Status::Current, Status::Inactive]);
    assert_eq!(
        bench.ramp(to("b2"), 10.0, "me").unwrap(),
        (String::new(), 0.0)
    );
    assert_eq!(bench.statuses(), [Status::Current, Status::Ramping]);
    assert_eq!(
        bench.ramp(to("b2"), 20.0, "me").unwrap(),
        ("d.b2".to_owned(), 10.0)
    );
    assert_eq!(bench.current("b2", "me").unwrap(), "d.b1");
    assert_eq!(bench.statuses(), [Status::Draining, Status::Current]);
    let routing = bench.deployment.routing.clone().unwrap();
    assert_eq!(routing.ramping_version, "");
    assert_eq!(routing.ramping_version_percentage, 0.0);
    assert_eq!(routing.revision_number, 4);
    // Back again: it does not drain any more.
    bench.current("b1", "me").unwrap();
    assert_eq!(bench.statuses(), [Status::Current, Status::Draining]);
    let first = &bench.deployment.versions[0];
    assert_eq!(first.drainage, None);
    assert_ne!(first.first_activation_time, first.last_current_time);
    bench.current("", "me").unwrap();
    assert_eq!(bench.statuses(), [Status::Draining, Status::Draining]);
}

#[test]
fn what_changes_nothing_keeps_the_token() {
    let mut bench = Bench::new();
    bench.register("b1", "q").unwrap();
    bench.current("b1", "me").unwrap();
    let before = bench.deployment.clone();
    assert_eq!(bench.current("b1", "me").unwrap(), "d.b1");
    assert_eq!(
        bench.ramp(Ramp::Unset, 0.0, "me").unwrap(),
        (String::new(), 0.0)
    );
    bench.register("b1", "q").unwrap();
    assert_eq!(bench.deployment, before);
    // Somebody else wants the same: only that is remembered.
    bench.current("b1", "you").unwrap();
    assert_ne!(bench.deployment.conflict_token, before.conflict_token);
    assert_eq!(bench.deployment.routing, before.routing);
}

#[test]
fn refusals_change_nothing() {
    let mut bench = Bench::new();
    bench.register("b1", "q").unwrap();
    bench.register("b2", "q").unwrap();
    bench.current("b1", "me").unwrap();
    let before = bench.deployment.clone();
    let token = SetCurrentVersion {
        version: version("b2"),
        conflict_token: b"x".to_vec(),
        ..SetCurrentVersion::default()
    };
    let refusals = [
        (
            bench.current("zz", "me").unwrap_err(),
            "build ID 'zz' not found in Worker Deployment 'd'",
        ),
        (
            bench
                .with(|deployment, around| deployment.set_current_version(&token, around))
                .unwrap_err(),
            "conflict token mismatch",
        ),
        (
            bench.ramp(to("b1"), 5.0, "me").unwrap_err(),
            "requested ramping version d.b1 is already current",
        ),
        (
            bench.ramp(to("zz"), 5.0, "me").unwrap_err(),
            "build ID 'zz' not found in Worker Deployment 'd'",
        ),
        (
            bench.delete("b1", true).unwrap_err(),
            "version 'd:b1' cannot be deleted since it is current or ramping",
        ),
        (
            bench.deployment.check_deletable().unwrap_err().to_string(),
            "deployment has versions, can't be deleted",
        ),
    ];
    for (said, expected) in refusals {
        assert_eq!(said, expected);
    }
    assert_eq!(bench.deployment, before);
}

#[test]
fn only_the_manager_may_change_the_routing() {
    let mut bench = Bench::new();
    bench.register("b1", "q").unwrap();
    let now = bench.now;
    assert_eq!(
        bench.deployment.set_manager("me", "me", b"", now).unwrap(),
        ""
    );
    assert_eq!(
        bench.deployment.set_manager("me", "me", b"", now).unwrap(),
        "me"
    );
    let refusal = "ManagerIdentity 'me' is set and does not match user identity 'you'; to proceed, \
                   set your own identity as the ManagerIdentity, remove the ManagerIdentity, or wait \
                   for the other client to do so";
    assert_eq!(bench.current("b1", "you").unwrap_err(), refusal);
    assert_eq!(bench.ramp(to("b1"), 1.0, "you").unwrap_err(), refusal);
    bench.current("b1", "me").unwrap();
    assert_eq!(
        bench.deployment.set_manager("", "you", b"", now).unwrap(),
        "me"
    );
    bench.current("", "you").unwrap();
}

#[test]
fn a_version_must_have_the_queues_that_have_work() {
    let mut bench = Bench::new();
    bench.register("b1", "q").unwrap();
    bench.register("b1", "other").unwrap();
    bench.register("b2", "q").unwrap();
    bench.current("b1", "me").unwrap();
    bench.busy.push("other".to_owned());
    assert_eq!(
        bench.current("b2", "me").unwrap_err(),
        "proposed current version 'd:b2' is missing active task queues from the current version; \
         these would become unversioned if it is set as the current version"
    );
    assert_eq!(
        bench.ramp(to("b2"), 5.0, "me").unwrap_err(),
        "proposed ramping version 'd:b2' is missing active task queues from the current version; \
         these would become unversioned if it is set as the ramping version"
    );
    bench.busy.clear();
    bench.current("b2", "me").unwrap();
}

#[test]
fn a_version_drains_until_nothing_is_pinned_to_it() {
    let mut bench = Bench::new();
    let pace = DrainagePace {
        grace: std::time::Duration::from_secs(10),
        interval: std::time::Duration::from_secs(60),
    };
    bench.register("b1", "q").unwrap();
    bench.register("b2", "q").unwrap();
    bench.current("b1", "me").unwrap();
    assert_eq!(bench.deployment.draining(pace), []);
    bench.current("b2", "me").unwrap();
    let began = bench.now;
    let b1 = Version::new("d", "b1");
    let due = began.after(pace.grace);
    assert_eq!(bench.deployment.draining(pace), [(b1.clone(), due)]);
    assert_eq!(
        bench.delete("b1", false).unwrap_err(),
        "version 'd:b1' cannot be deleted since it is draining"
    );
    bench.deployment.drainage_checked("b1", 3, due);
    let due = due.after(pace.interval);
    assert_eq!(bench.deployment.draining(pace), [(b1, due)]);
    bench.deployment.drainage_checked("b1", 0, due);
    assert_eq!(bench.deployment.draining(pace), []);
    assert_eq!(bench.statuses(), [Status::Drained, Status::Current]);
    let info = bench.deployment.versions[0].drainage.unwrap();
    assert_eq!(info.status(), Drainage::Drained);
    // Something is pinned to it again.
    assert!(bench.deployment.reactivate("b1", due));
    assert!(!bench.deployment.reactivate("b2", due));
    assert_eq!(bench.statuses(), [Status::Draining, Status::Current]);
    bench.polled.push("b1".to_owned());
    assert_eq!(
        bench.delete("b1", true).unwrap_err(),
        "version 'd:b1' cannot be deleted since it has active pollers"
    );
    bench.polled.clear();
    bench.delete("b1", true).unwrap();
    bench.delete("b1", true).unwrap();
    assert_eq!(bench.statuses(), [Status::Current]);
}

#[test]
fn the_oldest_version_that_may_go_makes_room() {
    let mut bench = Bench::new();
    for index in 0..VERSIONS_MAX {
        bench.register(&format!("b{index}"), "q").unwrap();
    }
    bench.current("b0", "me").unwrap();
    bench.polled.push("b1".to_owned());
    bench.register("new", "q").unwrap();
    let builds: Vec<_> = bench
        .deployment
        .versions
        .iter()
        .map(|v| &*v.build_id)
        .collect();
    assert_eq!(builds[..3], ["b0", "b1", "b3"]);
    bench.polled = builds.into_iter().map(str::to_owned).collect();
    assert_eq!(
        bench.register("more", "q").unwrap_err(),
        "cannot add version d.more since maximum number of versions (100) have been registered \
         in the deployment"
    );
    for index in 1..TASK_QUEUES_MAX {
        bench.register("b0", &format!("q{index}")).unwrap();
    }
    assert_eq!(
        bench.register("b0", "more").unwrap_err(),
        "cannot add task queue more since maximum number of task queues (100) have been registered \
         in deployment"
    );
    assert!(check_room(DEPLOYMENTS_MAX - 1).is_ok());
    assert_eq!(
        check_room(DEPLOYMENTS_MAX).unwrap_err().to_string(),
        "reached maximum deployments in namespace (100)"
    );
}

#[test]
fn names_of_versions() {
    let parsed = |text: &str| Version::parse(text).map(|v| v.map(|v| v.to_string()));
    for (text, expected) in [
        ("__unversioned__", Ok(None)),
        ("d.b1", Ok(Some("d:b1"))),
        ("d:b1", Ok(Some("d:b1"))),
        ("d.b:1", Ok(Some("d:b:1"))),
        ("d:b.1", Ok(Some("d:b.1"))),
        (
            "d",
            Err("expected delimiter ':' or '.' not found in version string d"),
        ),
        (".b", Err("deployment name is empty in version string .b")),
        ("d.", Err("build id is empty in version string d.")),
    ] {
        let expected = match expected {
            Ok(version) => Ok(version.map(str::to_owned)),
            Err(text) => Err(text.to_owned()),
        };
        assert_eq!(parsed(text), expected, "{text}");
    }
    for (name, expected) in [
        ("", "WorkerDeploymentName cannot be empty"),
        ("a.b", "worker deployment name cannot contain '.'"),
        ("a:b", "worker deployment name cannot contain ':'"),
        ("__a", "WorkerDeploymentName cannot start with '__'"),
        (
            &"x".repeat(500),
            "size of WorkerDeploymentName larger than the maximum allowed",
        ),
    ] {
        assert_eq!(check_name(name, 1000).unwrap_err().to_string(), expected);
    }
    assert!(check_name("a", 1000).is_ok() && check_build_id("1.0:x", 1000).is_ok());
}

#[test]
fn a_ramp_takes_its_share_and_keeps_it() {
    let mut bench = Bench::new();
    bench.register("b1", "q").unwrap();
    bench.register("b2", "q").unwrap();
    bench.current("b1", "me").unwrap();
    let ids: Vec<String> = (0..10_000)
        .map(|number| format!("order-{number}"))
        .collect();
    let ramping = |bench: &Bench| {
        let routing = Routing::new([&bench.deployment]);
        let goes = |id: &&String| {
            let kind = TaskQueueType::Workflow;
            let target = routing.target(kind, "q", id, false).version.unwrap();
            &*target.build_id == "b2"
        };
        ids.iter().filter(goes).cloned().collect::<Vec<_>>()
    };
    let mut before = Vec::new();
    for percentage in [0.0, 10.0, 50.0, 100.0] {
        bench.ramp(to("b2"), percentage, "me").unwrap();
        let now = ramping(&bench);
        let share = now.len() as f32 / 100.0;
        assert!((share - percentage).abs() < 3.0, "{share} of {percentage}");
        assert!(before.iter().all(|id| now.contains(id)), "some came back");
        before = now;
    }
}

#[test]
fn a_queue_follows_the_newest_deployment_that_serves_it() {
    let (mut one, mut two) = (Bench::new(), Bench::new());
    two.deployment = Deployment::create("e", "", "", two.now);
    one.register("b1", "q").unwrap();
    two.register("b1", "q").unwrap();
    two.register("b2", "other").unwrap();
    let target = |one: &Bench, two: &Bench, queue: &str| {
        let routing = Routing::new([&one.deployment, &two.deployment]);
        let kind = TaskQueueType::Workflow;
        let version = routing.target(kind, queue, "w", false).version;
        version.map_or_else(String::new, |version| version.to_string())
    };
    assert_eq!(target(&one, &two, "q"), "");
    one.current("b1", "me").unwrap();
    assert_eq!(target(&one, &two, "q"), "d:b1");
    two.now = one.now;
    let ask = SetCurrentVersion {
        version: Some(Version::new("e", "b1")),
        ..SetCurrentVersion::default()
    };
    two.with(|d, around| d.set_current_version(&ask, around))
        .unwrap();
    assert_eq!(target(&one, &two, "q"), "e:b1");
    // The newer one moves on to a version without this queue: the older one holds again.
    let ask = SetCurrentVersion {
        version: Some(Version::new("e", "b2")),
        ..SetCurrentVersion::default()
    };
    two.with(|d, around| d.set_current_version(&ask, around))
        .unwrap();
    assert_eq!(target(&one, &two, "q"), "d:b1");
    assert_eq!(target(&one, &two, "other"), "e:b2");
}
