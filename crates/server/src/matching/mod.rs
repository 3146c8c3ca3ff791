//! Matching: ready tasks meet waiting pollers, in memory, per namespace, task queue and kind.
//!
//! The rules are [`engine::matching`]'s; here is only the waiting. Matching calls nobody: a poll takes a
//! reference from here and claims it at its execution. It keeps nothing durable: after a restart every
//! execution offers again what it has ready.
//!
//! - [`queue`]: one task queue, its waiting pollers, and what is under way to them.

mod queue;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::matching::{
    PollerInfo, QUERY_POLLER_WITHIN, RateLimitSource, STICKY_POLLER_WITHIN, Stats, TaskMeta,
};
use engine::workflow::transition::{ActivityTaskOffer, Priority, WorkflowTaskOffer};
use hashbrown::{Equivalent, HashMap};
use proto::temporal::api::deployment::v1::WorkerDeploymentOptions;
use store::ExecutionKey;
use tokio::time::Instant;
use uuid::Uuid;

pub use self::queue::Delivery;
use self::queue::Queue;
use crate::nexus::NexusTask;
use crate::shard::Clock;
use crate::sync::{Mutex, lock};
use crate::waiters::QueryTask;

/// Locks that the map of queues is spread over.
const STRIPES: usize = 16;
/// The map is looked through for idle queues this often at most, and only while queues are used.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

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
    /// The rate limit that it asks for the whole queue, in tasks a second.
    pub max_tasks_per_second: Option<f64>,
    /// Its deployment, if it is versioned.
    pub deployment_options: Option<WorkerDeploymentOptions>,
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
}

/// A [`QueueKey`] that borrows its name.
#[derive(Hash)]
struct QueueRef<'a> {
    namespace: Uuid,
    kind: QueueKind,
    name: &'a str,
}

impl Equivalent<QueueKey> for QueueRef<'_> {
    fn equivalent(&self, key: &QueueKey) -> bool {
        self.namespace == key.namespace && self.kind == key.kind && *self.name == *key.name
    }
}

/// All task queues of this node. Cheap to clone.
#[derive(Clone)]
pub struct Matching {
    shared: Arc<Shared>,
}

struct Shared {
    stripes: [Mutex<HashMap<QueueKey, Arc<Queue>>>; STRIPES],
    hasher: RandomState,
    clock: Arc<dyn Clock>,
    closed: AtomicBool,
    swept_at_ns: AtomicI64,
}

impl Matching {
    /// Without any queue.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            stripes: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            clock,
            closed: AtomicBool::new(false),
            swept_at_ns: AtomicI64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A workflow task is ready: on its sticky queue if somebody polls that, else on the normal one
    /// (behaviour, section 4.6).
    pub fn offer_workflow_task(&self, key: &ExecutionKey, offer: WorkflowTaskOffer) {
        let now_ns = self.now_ns();
        let task = |normal_queue| {
            Task::Execution(TaskRef {
                key: key.clone(),
                scheduled_event_id: offer.scheduled_event_id,
                attempt: offer.attempt,
                stamp: 0,
                normal_queue,
            })
        };
        let meta = meta(&offer.priority, offer.scheduled_time.0);
        if let Some(sticky) = &offer.sticky_queue
            && let Some(queue) = self.find(key.namespace, sticky, QueueKind::Workflow)
            && queue.recent_poller(STICKY_POLLER_WITHIN, now_ns)
        {
            queue.offer(task(Some(Arc::clone(&offer.task_queue))), meta, now_ns);
            return;
        }
        let queue = self.queue(
            key.namespace,
            &offer.task_queue,
            QueueKind::Workflow,
            false,
            now_ns,
        );
        queue.offer(task(None), meta, now_ns);
    }

    /// An activity task is ready.
    pub fn offer_activity_task(&self, key: &ExecutionKey, offer: ActivityTaskOffer) {
        let now_ns = self.now_ns();
        let task = Task::Execution(TaskRef {
            key: key.clone(),
            scheduled_event_id: offer.scheduled_event_id,
            attempt: offer.attempt,
            stamp: offer.stamp,
            normal_queue: None,
        });
        let queue = self.queue(
            key.namespace,
            &offer.task_queue,
            QueueKind::Activity,
            false,
            now_ns,
        );
        queue.offer(task, meta(&offer.priority, offer.scheduled_time.0), now_ns);
    }

    /// Somebody waits for a query's answer: it goes before all other tasks.
    pub fn offer_query(&self, task: &Arc<QueryTask>, task_queue: &Arc<str>) {
        let now_ns = self.now_ns();
        let queue = self.queue(
            task.key.namespace,
            task_queue,
            QueueKind::Workflow,
            false,
            now_ns,
        );
        let meta = TaskMeta {
            created_at_ns: now_ns,
            front: true,
            ..TaskMeta::default()
        };
        queue.offer(Task::Query(Arc::downgrade(task)), meta, now_ns);
    }

    /// Somebody waits for a Nexus handler's answer.
    pub fn offer_nexus_task(&self, task: &Arc<NexusTask>) {
        let now_ns = self.now_ns();
        let (namespace, name) = (task.namespace, &task.task_queue);
        let queue = self.queue(namespace, name, QueueKind::Nexus, false, now_ns);
        let meta = TaskMeta {
            created_at_ns: now_ns,
            ..TaskMeta::default()
        };
        queue.offer(Task::Nexus(Arc::downgrade(task)), meta, now_ns);
    }

    /// Waits for a task until the poll's time is up or the node stops. What is delivered to a poll that is
    /// dropped goes back to the front of its queue.
    pub async fn poll(&self, namespace: Uuid, kind: QueueKind, poll: &Poll) -> Option<Delivery> {
        if self.shared.closed.load(Ordering::Acquire) {
            return None;
        }
        let now_ns = self.now_ns();
        let queue = self.queue(namespace, &poll.task_queue, kind, poll.sticky, now_ns);
        self.sweep(now_ns);
        queue.poll(poll, now_ns).await
    }

    /// What is known of a queue; all zero for one that nobody has used lately.
    pub fn describe(&self, namespace: Uuid, queue: &str, kind: QueueKind) -> QueueDescription {
        let now_ns = self.now_ns();
        self.find(namespace, queue, kind)
            .map(|queue| queue.describe(now_ns))
            .unwrap_or_default()
    }

    /// Whether a worker that could answer a query polled this queue within the last 20 s.
    pub fn has_recent_poller(&self, namespace: Uuid, queue: &str) -> bool {
        let now_ns = self.now_ns();
        self.find(namespace, queue, QueueKind::Workflow)
            .is_some_and(|queue| queue.recent_poller(QUERY_POLLER_WITHIN, now_ns))
    }

    /// Whether a sticky queue's worker is alive.
    pub fn is_sticky_alive(&self, namespace: Uuid, queue: &str) -> bool {
        let now_ns = self.now_ns();
        self.find(namespace, queue, QueueKind::Workflow)
            .is_some_and(|queue| queue.recent_poller(STICKY_POLLER_WITHIN, now_ns))
    }

    /// Forgets a sticky queue whose worker shuts down: what waits on it goes to the normal queues, and its
    /// polls come back empty.
    pub fn unload_sticky(&self, namespace: Uuid, queue: &str) {
        let now_ns = self.now_ns();
        let key = QueueRef {
            namespace,
            kind: QueueKind::Workflow,
            name: queue,
        };
        let removed = lock(self.stripe(&key)).remove(&key);
        let Some(removed) = removed else { return };
        for task in removed.unload() {
            if let Task::Execution(task) = task
                && let Some(normal) = task.normal_queue.clone()
            {
                let normal = self.queue(namespace, &normal, QueueKind::Workflow, false, now_ns);
                let task = Task::Execution(TaskRef {
                    normal_queue: None,
                    ..task
                });
                normal.offer(
                    task,
                    TaskMeta {
                        created_at_ns: now_ns,
                        ..TaskMeta::default()
                    },
                    now_ns,
                );
            }
        }
    }

    /// Sets the rate limits of UpdateTaskQueueConfig, in tasks a second: of the whole queue, and of each
    /// fairness key.
    pub fn set_rate_limits(
        &self,
        namespace: Uuid,
        queue: &Arc<str>,
        kind: QueueKind,
        rate: Option<f64>,
        fairness_key_rate: Option<f64>,
    ) {
        let now_ns = self.now_ns();
        self.queue(namespace, queue, kind, false, now_ns)
            .set_rate_limits(rate, fairness_key_rate, now_ns);
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

    fn find(&self, namespace: Uuid, name: &str, kind: QueueKind) -> Option<Arc<Queue>> {
        let key = QueueRef {
            namespace,
            kind,
            name,
        };
        lock(self.stripe(&key)).get(&key).cloned()
    }

    fn queue(
        &self,
        namespace: Uuid,
        name: &Arc<str>,
        kind: QueueKind,
        sticky: bool,
        now_ns: i64,
    ) -> Arc<Queue> {
        let key = QueueRef {
            namespace,
            kind,
            name,
        };
        let mut queues = lock(self.stripe(&key));
        if let Some(queue) = queues.get(&key) {
            return Arc::clone(queue);
        }
        let queue = Queue::new(Arc::clone(&self.shared.clock), sticky, now_ns);
        let key = QueueKey {
            namespace,
            kind,
            name: Arc::clone(name),
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
            lock(stripe).retain(|_, queue| Arc::strong_count(queue) > 1 || !queue.is_idle(now_ns));
        }
    }
}

fn meta(priority: &Priority, created_at_ns: i64) -> TaskMeta<'_> {
    TaskMeta {
        priority_key: priority.key,
        fairness_key: &priority.fairness_key,
        fairness_weight: priority.fairness_weight,
        created_at_ns,
        front: false,
    }
}
