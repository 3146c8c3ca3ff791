//! What the stories are told on: a node over a store, a clock that can be moved, and a worker's words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use engine::Namespace;
use engine::time::Timestamp;
use engine::workflow::StartInput;
use engine::workflow::input::{
    ActivityCompleted, ActivityFailed, ActivityTarget, Input, WorkflowTaskCompleted,
};
use engine::workflow::token;
use engine::workflow::transition::{Reply, WorkflowTaskCompletedReply};
use prost::Message as _;
use proto::temporal::api::command::v1::command::Attributes;
use proto::temporal::api::command::v1::{
    Command, CompleteWorkflowExecutionCommandAttributes, ScheduleActivityTaskCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes, StartTimerCommandAttributes,
};
use proto::temporal::api::common::v1::{ActivityType, WorkflowType};
use proto::temporal::api::enums::v1::{CommandType, EventType, ParentClosePolicy};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::history::v1::{History, HistoryEvent};
use proto::temporal::api::sdk::v1::WorkflowTaskCompletedMetadata;
use proto::temporal::api::taskqueue::v1::{StickyExecutionAttributes, TaskQueue};
use proto::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueResponse, RespondWorkflowTaskCompletedRequest,
    SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
};
use store::{MemoryStore, Store};
use tokio::time::Instant;
use uuid::Uuid;

use crate::node::{Clock, Node, NodeOptions, Poll, PolledWorkflowTask};
use crate::shard::{CallError, HistoryRequest, NamespaceById, Started, Stepped};

/// A clock that goes on only when told to.
pub(super) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(super) fn advance(&self, by: Duration) {
        self.0
            .fetch_add(i64::try_from(by.as_nanos()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// The one namespace of a test.
pub(super) struct OneNamespace {
    pub(super) namespace: Arc<Namespace>,
    pub(super) deleted: AtomicBool,
}

impl NamespaceById for OneNamespace {
    fn namespace_by_id(&self, id: Uuid) -> Option<Arc<Namespace>> {
        let known = id == self.namespace.id && !self.deleted.load(Ordering::SeqCst);
        known.then(|| Arc::clone(&self.namespace))
    }
}

/// A node and what is around it.
pub(super) struct Bed {
    pub(super) node: Arc<Node>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) namespaces: Arc<OneNamespace>,
    pub(super) namespace: Arc<Namespace>,
}

/// Long enough for everything that is to come at all.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// The retention of the namespace.
pub(super) const RETENTION: Duration = Duration::from_secs(24 * 3600);

impl Bed {
    pub(super) async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new())).await
    }

    pub(super) async fn over(store: Arc<dyn Store>) -> Self {
        Self::with(store, 64 << 20, Timestamp(1_700_000_000_000_000_000)).await
    }

    /// A node that keeps nothing in memory that it can do without.
    pub(super) async fn forgetful() -> Self {
        Self::with(
            Arc::new(MemoryStore::new()),
            0,
            Timestamp(1_700_000_000_000_000_000),
        )
        .await
    }

    async fn with(store: Arc<dyn Store>, cache_bytes_max: usize, now: Timestamp) -> Self {
        let namespace = Arc::new(Namespace {
            id: Uuid::from_u128(0xbed),
            name: "default".into(),
            retention: RETENTION,
            search_attributes: Default::default(),
        });
        let clock = Arc::new(ManualClock(AtomicI64::new(now.0)));
        let namespaces = Arc::new(OneNamespace {
            namespace: Arc::clone(&namespace),
            deleted: AtomicBool::new(false),
        });
        let options = NodeOptions {
            shard_count: 2,
            cache_bytes_max,
            clock: clock.clone(),
            seed: 7,
            ..NodeOptions::default()
        };
        let node = Node::start(options, Arc::clone(&store), namespaces.clone())
            .await
            .unwrap();
        Self {
            node,
            store,
            clock,
            namespaces,
            namespace,
        }
    }

    /// Another node over the same store, later; the one before must be stopped or dropped.
    pub(super) async fn again(&self, store: Arc<dyn Store>) -> Self {
        Self::with(store, 64 << 20, self.clock.now()).await
    }

    pub(super) async fn start(&self, workflow_id: &str) -> Uuid {
        self.try_start(workflow_id).await.unwrap().reply.run_id
    }

    pub(super) async fn try_start(&self, workflow_id: &str) -> Result<Started, CallError> {
        let request = StartWorkflowExecutionRequest {
            namespace: "default".to_owned(),
            workflow_id: workflow_id.to_owned(),
            workflow_type: Some(WorkflowType {
                name: "order".to_owned(),
            }),
            task_queue: Some(queue("q")),
            request_id: format!("start-{workflow_id}"),
            ..Default::default()
        };
        self.node
            .shards
            .start(&self.namespace, StartInput::Start(Box::new(request)))
            .await
    }

    pub(super) async fn signal(&self, workflow_id: &str, name: &str) -> Result<Stepped, CallError> {
        let request = SignalWorkflowExecutionRequest {
            signal_name: name.to_owned(),
            request_id: format!("signal-{workflow_id}-{name}"),
            ..Default::default()
        };
        let input = Input::Signal(Box::new(request));
        self.node
            .shards
            .step(&self.namespace, workflow_id, None, input)
            .await
    }

    pub(super) fn poll(&self, queue: &str) -> Poll {
        Poll {
            task_queue: queue.into(),
            sticky: queue.starts_with("sticky"),
            identity: "worker".to_owned(),
            until: Instant::now() + PATIENCE,
        }
    }

    pub(super) async fn workflow_task(&self) -> PolledWorkflowTask {
        self.workflow_task_of("q").await
    }

    pub(super) async fn workflow_task_of(&self, queue: &str) -> PolledWorkflowTask {
        let polled = self
            .node
            .poll_workflow_task(&self.namespace, self.poll(queue))
            .await;
        polled.unwrap().expect("a workflow task")
    }

    pub(super) async fn activity_task(&self) -> PollActivityTaskQueueResponse {
        let polled = self
            .node
            .poll_activity_task(&self.namespace, self.poll("q"))
            .await;
        *polled.unwrap().expect("an activity task")
    }

    pub(super) async fn complete(
        &self,
        task: &PolledWorkflowTask,
        commands: Vec<Command>,
    ) -> WorkflowTaskCompletedReply {
        self.complete_with(task, request(commands)).await
    }

    pub(super) async fn complete_with(
        &self,
        task: &PolledWorkflowTask,
        request: RespondWorkflowTaskCompletedRequest,
    ) -> WorkflowTaskCompletedReply {
        let token = token::workflow_task(&task.task_token).unwrap();
        let completed = WorkflowTaskCompleted {
            token,
            request,
            nexus_endpoints: Default::default(),
        };
        let input = Input::WorkflowTaskCompleted(Box::new(completed));
        let workflow_id = Arc::clone(&task.workflow_id);
        let stepped = self
            .node
            .shards
            .step(&self.namespace, workflow_id, Some(task.run_id), input)
            .await
            .unwrap();
        match stepped.reply {
            Reply::WorkflowTaskCompleted(reply) => *reply,
            other => panic!("unexpected {other:?}"),
        }
    }

    pub(super) async fn complete_activity(&self, task: &PollActivityTaskQueueResponse) {
        let token = token::activity_task(&task.task_token).unwrap();
        let execution = task.workflow_execution.clone().unwrap();
        let run_id = Uuid::try_parse(&execution.run_id).unwrap();
        let target = ActivityTarget::Token(token);
        let input = Input::ActivityTaskCompleted(
            target,
            Box::new(ActivityCompleted {
                result: None,
                identity: "worker".to_owned(),
                worker_version: None,
            }),
        );
        self.node
            .shards
            .step(&self.namespace, execution.workflow_id, Some(run_id), input)
            .await
            .unwrap();
    }

    /// Fails an activity in a way that is tried again.
    pub(super) async fn fail_activity(&self, task: &PollActivityTaskQueueResponse) {
        let token = token::activity_task(&task.task_token).unwrap();
        let execution = task.workflow_execution.clone().unwrap();
        let run_id = Uuid::try_parse(&execution.run_id).unwrap();
        let failed = ActivityFailed {
            failure: Some(Failure {
                message: "no".to_owned(),
                failure_info: Some(FailureInfo::ApplicationFailureInfo(Default::default())),
                ..Default::default()
            }),
            last_heartbeat_details: None,
            identity: "worker".to_owned(),
            worker_version: None,
        };
        let input = Input::ActivityTaskFailed(ActivityTarget::Token(token), Box::new(failed));
        self.node
            .shards
            .step(&self.namespace, execution.workflow_id, Some(run_id), input)
            .await
            .unwrap();
    }

    /// The types of all events, and the ids, which must be dense.
    pub(super) async fn events(&self, workflow_id: &str, run_id: Option<Uuid>) -> Vec<EventType> {
        let request = HistoryRequest {
            run_id,
            from: None,
            page_size: 0,
            reverse: false,
            transient: true,
            wait_until: None,
        };
        let page = self
            .node
            .shards
            .history(&self.namespace, workflow_id, request)
            .await
            .unwrap();
        let events = decode(&page.fragments);
        for (event, id) in events.iter().zip(1..) {
            assert_eq!(event.event_id, id, "event ids are dense from 1");
        }
        events.iter().map(HistoryEvent::event_type).collect()
    }

    /// Waits until a run is closed, or is gone.
    pub(super) async fn closed(&self, workflow_id: &str, run_id: Uuid) -> Option<EventType> {
        let until = Instant::now() + PATIENCE;
        let when = crate::shard::When::Closed;
        let close = self
            .node
            .shards
            .read_when(
                &self.namespace,
                workflow_id,
                Some(run_id),
                when,
                until,
                |state| state.core.close.as_ref().map(|event| event.event_type()),
            )
            .await;
        close.unwrap().flatten()
    }

    /// Waits until a question is answered with yes.
    pub(super) async fn until<F: Future<Output = bool>>(&self, mut question: impl FnMut() -> F) {
        let patience = Instant::now() + PATIENCE;
        while !question().await {
            assert!(Instant::now() < patience, "it never came about");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a run is unknown.
    pub(super) async fn gone(&self, workflow_id: &str, run_id: Uuid) {
        self.until(|| async {
            let read = self
                .node
                .shards
                .read(&self.namespace, workflow_id, Some(run_id), |_| ())
                .await;
            matches!(read, Err(CallError::Rejected(_)))
        })
        .await;
    }
}

pub(super) fn decode(fragments: &[Bytes]) -> Vec<HistoryEvent> {
    let whole: Vec<u8> = fragments
        .iter()
        .flat_map(|fragment| fragment.to_vec())
        .collect();
    History::decode(whole.as_slice()).unwrap().events
}

pub(super) fn queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        ..Default::default()
    }
}

pub(super) fn request(commands: Vec<Command>) -> RespondWorkflowTaskCompletedRequest {
    RespondWorkflowTaskCompletedRequest {
        identity: "worker".to_owned(),
        commands,
        sdk_metadata: Some(WorkflowTaskCompletedMetadata::default()),
        ..Default::default()
    }
}

pub(super) fn sticky(
    commands: Vec<Command>,
    queue_name: &str,
    timeout: Duration,
) -> RespondWorkflowTaskCompletedRequest {
    RespondWorkflowTaskCompletedRequest {
        sticky_attributes: Some(StickyExecutionAttributes {
            worker_task_queue: Some(queue(queue_name)),
            schedule_to_start_timeout: Some(engine::time::wire(timeout)),
        }),
        ..request(commands)
    }
}

fn command(kind: CommandType, attributes: Attributes) -> Command {
    Command {
        command_type: kind.into(),
        attributes: Some(attributes),
        ..Default::default()
    }
}

pub(super) fn complete_workflow() -> Command {
    command(
        CommandType::CompleteWorkflowExecution,
        Attributes::CompleteWorkflowExecutionCommandAttributes(
            CompleteWorkflowExecutionCommandAttributes::default(),
        ),
    )
}

pub(super) fn schedule_activity(id: &str) -> Command {
    command(
        CommandType::ScheduleActivityTask,
        Attributes::ScheduleActivityTaskCommandAttributes(ScheduleActivityTaskCommandAttributes {
            activity_id: id.to_owned(),
            activity_type: Some(ActivityType {
                name: "charge".to_owned(),
            }),
            task_queue: Some(queue("q")),
            start_to_close_timeout: Some(engine::time::wire(Duration::from_secs(60))),
            ..Default::default()
        }),
    )
}

pub(super) fn start_timer(id: &str, after: Duration) -> Command {
    command(
        CommandType::StartTimer,
        Attributes::StartTimerCommandAttributes(StartTimerCommandAttributes {
            timer_id: id.to_owned(),
            start_to_fire_timeout: Some(engine::time::wire(after)),
        }),
    )
}

pub(super) fn start_child(workflow_id: &str, policy: ParentClosePolicy) -> Command {
    command(
        CommandType::StartChildWorkflowExecution,
        Attributes::StartChildWorkflowExecutionCommandAttributes(
            StartChildWorkflowExecutionCommandAttributes {
                workflow_id: workflow_id.to_owned(),
                workflow_type: Some(WorkflowType {
                    name: "child".to_owned(),
                }),
                task_queue: Some(queue("q")),
                parent_close_policy: policy.into(),
                ..Default::default()
            },
        ),
    )
}
