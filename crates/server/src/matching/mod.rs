//! Matching: ready tasks meet waiting pollers, in memory, per namespace, task queue and kind.
//!
//! The rules are [`engine::matching`]'s; here is only the waiting. Matching calls nobody: a poll takes a
//! reference from here and claims it at its execution. It keeps nothing durable: after a restart every
//! execution offers again what it has ready.
//!
//! - [`parts`]: which part of a queue a task is in, by the version of worker that it needs.
//! - [`queue`]: one task queue, its waiting pollers, and what is under way to them.
//! - [`waiting`]: where each task waits, to take away what nobody wants any more.

mod parts;
mod queue;
mod waiting;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::deployment::{Directive, Version};
use engine::matching::{
    POLLER_TTL, PRIORITY_DEFAULT, PollerInfo, QUERY_POLLER_WITHIN, RateLimit, RateLimitSource,
    STICKY_POLLER_WITHIN, Stats,
};
use engine::workflow::transition::{ActivityTaskOffer, Priority, WorkflowTaskOffer};
use hashbrown::{Equivalent, HashMap};
use proto::temporal::api::common::v1::{WorkerVersionCapabilities, WorkerVersionStamp};
use proto::temporal::api::deployment::v1::WorkerDeploymentOptions;
use proto::temporal::api::enums::v1::{TaskQueueType, VersioningBehavior};
use proto::temporal::api::taskqueue::v1::TaskQueueConfig;
use store::ExecutionKey;
use tokio::time::Instant;
use uuid::Uuid;

use self::parts::{routed, stored};
pub use self::queue::Delivery;
use self::queue::{Offer, Queue};
use self::waiting::WaitingTasks;
use crate::deployments::Routes;
use crate::nexus::NexusTask;
use crate::shard::Clock;
use crate::sync::{Mutex, lock};
use crate::task_queues::{TaskQueueConfigs, rate_of};
use crate::waiters::QueryTask;

/// Locks that the map of queues is spread over.
const STRIPES: usize = 16;
/// The map is looked through for idle queues this often at most, and only while queues are used.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Polls that a worker sent before it shut down may arrive for so long after.
const SHUT_DOWN_FOR: Duration = Duration::from_secs(30);

/// What kind of tasks a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueKind {
    /// Workflow tasks and queries.
    Workflow,
    /// Activity tasks.
    Activity,
    /// Requests to Nexus handlers.
    Nexus,
}

impl QueueKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Workflow, Self::Activity, Self::Nexus];

    /// As on the wire.
    pub fn task_queue_type(self) -> TaskQueueType {
        match self {
            Self::Workflow => TaskQueueType::Workflow,
            Self::Activity => TaskQueueType::Activity,
            Self::Nexus => TaskQueueType::Nexus,
        }
    }
}

/// A reference to something for a worker to do.
#[derive(Debug, Clone)]
pub enum Task {
    /// A workflow task or an activity task, by the kind of its queue.
    Execution(TaskRef),
    /// A query, as long as somebody waits for its answer.
    Query(Weak<QueryTask>),
    /// A request to a Nexus handler, as long as somebody waits for its answer.
    Nexus(Weak<NexusTask>),
}

/// A reference to a ready task of an execution.
#[derive(Debug, Clone)]
pub struct TaskRef {
    /// The execution.
    pub key: ExecutionKey,
    /// The task.
    pub scheduled_event_id: i64,
    /// Its attempt.
    pub attempt: i32,
    /// Of an activity task: which offer of this attempt.
    pub stamp: i32,
    /// On a sticky queue: the normal one.
    pub normal_queue: Option<Arc<str>>,
    /// The version that it needs; none for workers without one, unless its queue has a version.
    pub directive: Option<Arc<Directive>>,
}

/// A worker that asks for tasks.
#[derive(Debug, Clone)]
pub struct Poll {
    /// The queue polled.
    pub task_queue: Arc<str>,
    /// It is a sticky queue.
    pub sticky: bool,
    /// The worker.
    pub identity: String,
    /// The process of the worker, unique from start to start; empty if it does not say.
    pub worker_instance_key: String,
    /// The rate limit that it asks for the whole queue, in tasks a second.
    pub max_tasks_per_second: Option<f64>,
    /// Its deployment, if it says one.
    pub deployment_options: Option<WorkerDeploymentOptions>,
    /// What it says of its build in the older way.
    pub version_capabilities: Option<WorkerVersionCapabilities>,
    /// Its version, if it is versioned.
    pub version: Option<Version>,
    /// Its build, if it has no version.
    pub build: Option<WorkerVersionStamp>,
    /// Name and version of its SDK, as it says.
    pub sdk: (String, String),
    /// Answer before then.
    pub until: Instant,
}

/// What DescribeTaskQueue tells.
#[derive(Debug, Clone, Default)]
pub struct QueueDescription {
    /// Those who polled in the last five minutes.
    pub pollers: Vec<PollerInfo>,
    /// Backlog and rates of the whole queue.
    pub stats: Stats,
    /// The same by priority key.
    pub stats_by_priority: BTreeMap<i32, Stats>,
    /// The rate limit in force, in tasks a second, and who set it.
    pub rate_limit: Option<(f64, RateLimitSource)>,
}

/// Which queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct QueueKey {
    namespace: Uuid,
    kind: QueueKind,
    name: Arc<str>,
    /// Tasks for workers of this version.
    version: Option<Version>,
}

/// A [`QueueKey`] that borrows its name.
#[derive(Hash)]
struct QueueRef<'a> {
    namespace: Uuid,
    kind: QueueKind,
    name: &'a str,
    version: Option<&'a Version>,
}

impl Equivalent<QueueKey> for QueueRef<'_> {
    fn equivalent(&self, key: &QueueKey) -> bool {
        self.namespace == key.namespace
            && self.kind == key.kind
            && *self.name == *key.name
            && self.version == key.version.as_ref()
    }
}

/// A queue with all of its parts.
type LimitKey = (Uuid, QueueKind, Arc<str>);

/// All task queues of this node. Cheap to clone.
#[derive(Clone)]
pub struct Matching {
    shared: Arc<Shared>,
}

struct Shared {
    stripes: [Mutex<HashMap<QueueKey, Arc<Queue>>>; STRIPES],
    hasher: RandomState,
    clock: Arc<dyn Clock>,
    tasks: Arc<WaitingTasks>,
    configs: Arc<TaskQueueConfigs>,
    /// The rate limits of queues, which the parts of each share.
    limits: Mutex<HashMap<LimitKey, RateLimit>>,
    /// Workers that shut down of late, and when.
    shut_down: Mutex<HashMap<String, i64>>,
    routes: Arc<Routes>,
    closed: AtomicBool,
    swept_at_ns: AtomicI64,
}

impl Matching {
    /// Without any queue.
    pub fn new(clock: Arc<dyn Clock>, configs: Arc<TaskQueueConfigs>, routes: Arc<Routes>) -> Self {
        let shared = Shared {
            stripes: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            clock,
            tasks: Arc::new(WaitingTasks::new()),
            configs,
            limits: Mutex::default(),
            shut_down: Mutex::default(),
            routes,
            closed: AtomicBool::new(false),
            swept_at_ns: AtomicI64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A workflow task is ready: on its sticky queue if somebody polls that and the run stays with that
    /// worker's version, else on the normal one (behaviour, sections 4.6 and 6.9).
    pub fn offer_workflow_task(&self, key: &ExecutionKey, offer: WorkflowTaskOffer) {
        let now_ns = self.now_ns();
        let sticky = offer.sticky_queue.as_ref().and_then(|sticky| {
            if !self.stays(key, &offer.task_queue, &offer.directive) {
                return None;
            }
            let queue = self.find(key.namespace, sticky, QueueKind::Workflow, None)?;
            queue
                .recent_poller(STICKY_POLLER_WITHIN, now_ns)
                .then_some(queue)
        });
        let normal_queue = sticky.is_some().then(|| Arc::clone(&offer.task_queue));
        let task = Task::Execution(TaskRef {
            key: key.clone(),
            scheduled_event_id: offer.scheduled_event_id,
            attempt: offer.attempt,
            stamp: 0,
            normal_queue,
            directive: stored(offer.directive),
        });
        let task_queue = offer.task_queue;
        let offer = Offer {
            task,
            priority: offer.priority,
            created_at_ns: offer.scheduled_time.0,
        };
        match sticky {
            Some(sticky) => self.offer(&sticky, offer, now_ns),
            None => self.route_task(key.namespace, &task_queue, QueueKind::Workflow, offer),
        }
    }

    /// An activity task is ready.
    pub fn offer_activity_task(&self, key: &ExecutionKey, offer: ActivityTaskOffer) {
        let task = Task::Execution(TaskRef {
            key: key.clone(),
            scheduled_event_id: offer.scheduled_event_id,
            attempt: offer.attempt,
            stamp: offer.stamp,
            normal_queue: None,
            directive: stored(offer.directive),
        });
        let task_queue = offer.task_queue;
        let offer = Offer {
            task,
            priority: offer.priority,
            created_at_ns: offer.scheduled_time.0,
        };
        self.route_task(key.namespace, &task_queue, QueueKind::Activity, offer);
    }

    /// Somebody waits for a query's answer: it goes before all other tasks.
    pub fn offer_query(&self, task: &Arc<QueryTask>, task_queue: &Arc<str>) {
        let offer = Offer {
            task: Task::Query(Arc::downgrade(task)),
            priority: Priority::default(),
            created_at_ns: self.now_ns(),
        };
        self.route_task(task.key.namespace, task_queue, QueueKind::Workflow, offer);
    }

    /// The same for the worker that has the run cached.
    pub fn offer_sticky_query(&self, task: &Arc<QueryTask>, sticky_queue: &Arc<str>) {
        let now_ns = self.now_ns();
        let namespace = task.key.namespace;
        let queue = self.queue(
            namespace,
            sticky_queue,
            QueueKind::Workflow,
            None,
            false,
            now_ns,
        );
        let offer = Offer {
            task: Task::Query(Arc::downgrade(task)),
            priority: Priority::default(),
            created_at_ns: now_ns,
        };
        self.offer(&queue, offer, now_ns);
    }

    /// Offers a task, once: a run that is loaded again offers again what still waits here.
    fn offer(&self, queue: &Arc<Queue>, offer: Offer, now_ns: i64) {
        if let Some((id, generation)) = offer.id()
            && let Some(place) = self.shared.tasks.get(id)
        {
            if place.generation == generation && place.is_in(queue) {
                return;
            }
            self.withdraw(id.0, id.1);
        }
        queue.offer(offer, now_ns);
    }

    /// A task of a run, or with 0 a query by its number: nobody wants it any more.
    pub fn withdraw(&self, id: Uuid, scheduled_event_id: i64) {
        self.take_away(self.shared.tasks.take((id, scheduled_event_id)));
    }

    /// Nobody wants the tasks of this run any more.
    pub fn withdraw_all(&self, run_id: Uuid) {
        self.take_away(self.shared.tasks.take_all(run_id));
    }

    fn take_away(&self, places: impl IntoIterator<Item = waiting::Place>) {
        for place in places {
            if let Some(queue) = place.queue.upgrade() {
                queue.withdraw(&place);
            }
        }
    }

    /// Somebody waits for a Nexus handler's answer.
    pub fn offer_nexus_task(&self, task: &Arc<NexusTask>) {
        let offer = Offer {
            task: Task::Nexus(Arc::downgrade(task)),
            priority: Priority::default(),
            created_at_ns: self.now_ns(),
        };
        self.route_task(task.namespace, &task.task_queue, QueueKind::Nexus, offer);
    }

    /// Waits for a task until the poll's time is up or the node stops. What is delivered to a poll that is
    /// dropped goes back to the front of its queue.
    pub async fn poll(&self, namespace: Uuid, kind: QueueKind, poll: &Poll) -> Option<Delivery> {
        if self.shared.closed.load(Ordering::Acquire) {
            return None;
        }
        let now_ns = self.now_ns();
        // A sticky queue is one worker's own.
        let version = poll.version.as_ref().filter(|_| !poll.sticky);
        let name = &poll.task_queue;
        let queue = self.queue(namespace, name, kind, version, poll.sticky, now_ns);
        self.sweep(now_ns);
        if queue.raises_limit(poll.max_tasks_per_second, now_ns) {
            for part in self.all_of(namespace, name, &[kind]) {
                part.release(now_ns);
            }
        }
        let has_left = || self.has_shut_down(&poll.worker_instance_key);
        queue.poll(poll, &has_left, now_ns).await
    }

    /// What is known of a queue over all versions; all zero for one that nobody has used lately.
    pub fn describe(&self, namespace: Uuid, queue: &str, kind: QueueKind) -> QueueDescription {
        let mut all = self.describe_version(namespace, queue, kind, None);
        let routing = self.shared.routes.of(namespace);
        for version in routing.versions(kind.task_queue_type(), queue) {
            all.add(self.describe_version(namespace, queue, kind, Some(version)));
        }
        all
    }

    /// What is known of the part of a queue that is for workers of one version, or of none.
    pub fn describe_version(
        &self,
        namespace: Uuid,
        queue: &str,
        kind: QueueKind,
        version: Option<&Version>,
    ) -> QueueDescription {
        let now_ns = self.now_ns();
        if let Some(queue) = self.find(namespace, queue, kind, version) {
            return queue.describe(now_ns);
        }
        let config = self.config(namespace, queue, kind);
        let rate = rate_of(
            config
                .and_then(|config| config.queue_rate_limit.clone())
                .as_ref(),
        );
        QueueDescription {
            rate_limit: rate.map(|rate| (rate, RateLimitSource::Api)),
            stats_by_priority: BTreeMap::from([(PRIORITY_DEFAULT, Stats::default())]),
            ..QueueDescription::default()
        }
    }

    /// Whether a worker of this version polled this queue lately.
    pub fn has_version_poller(
        &self,
        namespace: Uuid,
        queue: &str,
        kind: QueueKind,
        version: &Version,
    ) -> bool {
        let now_ns = self.now_ns();
        self.find(namespace, queue, kind, Some(version))
            .is_some_and(|queue| queue.recent_poller(POLLER_TTL, now_ns))
    }

    /// Whether a worker that could answer a query polled this queue within the last 20 s.
    pub fn has_recent_poller(
        &self,
        namespace: Uuid,
        queue: &str,
        workflow_id: &str,
        directive: &Directive,
    ) -> bool {
        let now_ns = self.now_ns();
        let routing = self.shared.routes.of(namespace);
        let version = routing.route(TaskQueueType::Workflow, queue, workflow_id, directive);
        self.find(namespace, queue, QueueKind::Workflow, version.as_ref())
            .is_some_and(|queue| queue.recent_poller(QUERY_POLLER_WITHIN, now_ns))
    }

    /// Whether a sticky queue's worker is alive.
    pub fn is_sticky_alive(&self, namespace: Uuid, queue: &str) -> bool {
        let now_ns = self.now_ns();
        self.find(namespace, queue, QueueKind::Workflow, None)
            .is_some_and(|queue| queue.recent_poller(STICKY_POLLER_WITHIN, now_ns))
    }

    /// Forgets a sticky queue whose worker shuts down: what waits on it goes to the normal queues, and its
    /// polls come back empty.
    pub fn unload_sticky(&self, namespace: Uuid, queue: &str) {
        let key = QueueRef {
            namespace,
            kind: QueueKind::Workflow,
            name: queue,
            version: None,
        };
        let removed = lock(self.stripe(&key)).remove(&key);
        let Some(removed) = removed else { return };
        for offer in removed.unload() {
            // A query goes its own way when the sticky queue stays silent.
            if let Task::Execution(task) = offer.task
                && let Some(normal) = task.normal_queue.clone()
            {
                let task = Task::Execution(TaskRef {
                    normal_queue: None,
                    ..task
                });
                self.route_task(
                    namespace,
                    &normal,
                    QueueKind::Workflow,
                    Offer { task, ..offer },
                );
            }
        }
    }

    /// The routing of a queue has changed: what waits in it for workers of these versions, or of none, goes
    /// where it belongs now.
    pub fn reroute(
        &self,
        namespace: Uuid,
        name: &Arc<str>,
        kind: QueueKind,
        versions: impl IntoIterator<Item = Version>,
    ) {
        let parts = versions.into_iter().map(Some).chain([None]);
        for version in parts {
            let Some(queue) = self.find(namespace, name, kind, version.as_ref()) else {
                continue;
            };
            let routing = self.shared.routes.of(namespace);
            let moved = queue.take_if_any(&|task| {
                routed(&routing, kind, name, task).as_ref() != version.as_ref()
            });
            for offer in moved {
                self.route_task(namespace, name, kind, offer);
            }
        }
    }

    /// Puts a task into the part of a queue that is for workers of its version.
    fn route_task(&self, namespace: Uuid, name: &Arc<str>, kind: QueueKind, offer: Offer) {
        let now_ns = self.now_ns();
        let routing = self.shared.routes.of(namespace);
        let version = routed(&routing, kind, name, &offer.task);
        let queue = self.queue(namespace, name, kind, version.as_ref(), false, now_ns);
        self.offer(&queue, offer, now_ns);
        // The routing may have changed while the task was on its way: whoever changed it may have looked
        // before the task was there.
        if !Arc::ptr_eq(&routing, &self.shared.routes.of(namespace)) {
            self.reroute(namespace, name, kind, version);
        }
    }

    /// Whether a run's next workflow task may go to the worker that has the run cached.
    fn stays(&self, key: &ExecutionKey, task_queue: &str, directive: &Directive) -> bool {
        if directive.behavior == VersioningBehavior::Pinned {
            return true;
        }
        let routing = self.shared.routes.of(key.namespace);
        let kind = TaskQueueType::Workflow;
        let version = routing.route(kind, task_queue, &key.workflow_id, directive);
        version == directive.version
    }

    /// Ends the polls of a worker that shuts down, those that are still on their way included: a task
    /// delivered to it would be lost until it times out.
    pub fn dismiss_worker(
        &self,
        namespace: Uuid,
        queue: &str,
        kinds: &[QueueKind],
        worker_instance_key: &str,
    ) {
        let now_ns = self.now_ns();
        {
            let kept_ns = i64::try_from(SHUT_DOWN_FOR.as_nanos()).unwrap_or(i64::MAX);
            let mut shut_down = lock(&self.shared.shut_down);
            shut_down.retain(|_, at| now_ns.saturating_sub(*at) < kept_ns);
            shut_down.insert(worker_instance_key.to_owned(), now_ns);
        }
        for queue in self.all_of(namespace, queue, kinds) {
            queue.dismiss_worker(worker_instance_key);
        }
    }

    fn has_shut_down(&self, worker_instance_key: &str) -> bool {
        !worker_instance_key.is_empty()
            && lock(&self.shared.shut_down).contains_key(worker_instance_key)
    }

    /// Takes over what UpdateTaskQueueConfig has just set.
    pub fn configure(&self, namespace: Uuid, queue: &str, kind: QueueKind) {
        let now_ns = self.now_ns();
        let config = self.config(namespace, queue, kind).unwrap_or_default();
        for queue in self.all_of(namespace, queue, &[kind]) {
            queue.configure(&config, now_ns);
        }
    }

    fn config(
        &self,
        namespace: Uuid,
        queue: &str,
        kind: QueueKind,
    ) -> Option<Arc<TaskQueueConfig>> {
        let kind = kind.task_queue_type();
        self.shared.configs.get(namespace, queue, kind)
    }

    /// The queues of a name. For what is rare: it looks at all.
    fn all_of(&self, namespace: Uuid, name: &str, kinds: &[QueueKind]) -> Vec<Arc<Queue>> {
        let mut found = Vec::new();
        for stripe in &self.shared.stripes {
            let queues = lock(stripe);
            let of_name = queues.iter().filter(|(key, _)| {
                key.namespace == namespace && *key.name == *name && kinds.contains(&key.kind)
            });
            found.extend(of_name.map(|(_, queue)| Arc::clone(queue)));
        }
        found
    }

    /// Tasks and queries that wait, over all queues.
    #[cfg(test)]
    pub(crate) fn waiting_task_count(&self) -> usize {
        self.shared.tasks.len()
    }

    /// Ends all polls with nothing, and takes no more.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        for stripe in &self.shared.stripes {
            for queue in lock(stripe).values() {
                queue.dismiss_pollers();
            }
        }
    }

    fn now_ns(&self) -> i64 {
        self.shared.clock.now().0
    }

    fn stripe(&self, key: &QueueRef<'_>) -> &Mutex<HashMap<QueueKey, Arc<Queue>>> {
        // The remainder is below the number of stripes.
        let index = (self.shared.hasher.hash_one(key) % STRIPES as u64) as usize;
        &self.shared.stripes[index]
    }

    fn find(
        &self,
        namespace: Uuid,
        name: &str,
        kind: QueueKind,
        version: Option<&Version>,
    ) -> Option<Arc<Queue>> {
        let key = QueueRef {
            namespace,
            kind,
            name,
            version,
        };
        lock(self.stripe(&key)).get(&key).cloned()
    }

    fn queue(
        &self,
        namespace: Uuid,
        name: &Arc<str>,
        kind: QueueKind,
        version: Option<&Version>,
        sticky: bool,
        now_ns: i64,
    ) -> Arc<Queue> {
        let key = QueueRef {
            namespace,
            kind,
            name,
            version,
        };
        let mut queues = lock(self.stripe(&key));
        if let Some(queue) = queues.get(&key) {
            return Arc::clone(queue);
        }
        let clock = Arc::clone(&self.shared.clock);
        let limit = match sticky {
            true => RateLimit::default(),
            false => {
                let key = (namespace, kind, Arc::clone(name));
                lock(&self.shared.limits).entry(key).or_default().clone()
            }
        };
        let tasks = Arc::clone(&self.shared.tasks);
        let queue = Queue::new(clock, tasks, sticky, limit, now_ns);
        if let Some(config) = self.config(namespace, name, kind) {
            queue.configure(&config, now_ns);
        }
        let key = QueueKey {
            namespace,
            kind,
            name: Arc::clone(name),
            version: version.cloned(),
        };
        queues.insert(key, Arc::clone(&queue));
        queue
    }

    /// Unloads queues that nobody uses. Called by those who use some, so that an idle node does nothing.
    fn sweep(&self, now_ns: i64) {
        let every = i64::try_from(SWEEP_EVERY.as_nanos()).unwrap_or(i64::MAX);
        let last = self.shared.swept_at_ns.load(Ordering::Relaxed);
        let swept_at = &self.shared.swept_at_ns;
        if now_ns.saturating_sub(last) < every
            || swept_at
                .compare_exchange(last, now_ns, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
        {
            return;
        }
        for stripe in &self.shared.stripes {
            // A queue that somebody is just about to use is not idle, or is used after it left the map and
            // then lost; so only those that the map alone holds may go.
            let mut idle = Vec::new();
            lock(stripe).retain(|_, queue| {
                let stays = Arc::strong_count(queue) > 1 || !queue.is_idle(now_ns);
                if !stays {
                    idle.push(Arc::clone(queue));
                }
                stays
            });
            for queue in idle {
                queue.unload();
            }
        }
        lock(&self.shared.limits).retain(|_, limit| limit.is_shared());
    }
}
