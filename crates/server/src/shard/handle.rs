//! The door to the shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::Namespace;
use engine::execution::{self, Execution, Input, Kind, StartReply};
use engine::limits::Limits;
use engine::nexus_operation;
use engine::rejection::Rejection;
use engine::time::Timestamp;
use engine::workflow::{self, StartInput, State};
use proto::temporal::api::query::v1::WorkflowQuery;
use proto::temporal::api::workflowservice::v1::{
    CreateScheduleRequest, StartActivityExecutionRequest,
};
use store::{Column, Filter, Store};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::cell::Cell;
use super::clock::Clock;
use super::counters::Counters;
use super::history::{TaskHistoryPlan, View};
use super::look::looker;
use super::message::{Body, Message, QueryCall, StartAnswer, Target};
use super::release::{Inboxes, Outside};
use super::slot::{slot_of, slots_of};
use super::writer::{Parts, Shard};
use super::{
    CallError, HistoryPage, HistoryRequest, NamespaceById, QueryAnswer, Started, Stepped,
    TaskHistory, When,
};
use crate::deployments::Routes;
use crate::matching::Matching;
use crate::nexus::CallsTo;
use crate::sync::{Mutex, lock};

/// How to run shards.
pub struct ShardOptions {
    /// How many; at least 1.
    pub count: u32,
    /// Bytes of cached executions over all of them, as estimated.
    pub cache_bytes_max: usize,
    /// The rules' limits.
    pub limits: Limits,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where chance comes from; must differ from start to start.
    pub seed: u64,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The task queues.
    pub matching: Matching,
    /// Where calls to the outside go.
    pub calls: CallsTo,
    /// Namespaces by id.
    pub namespaces: Arc<dyn NamespaceById>,
    /// What worker deployments say.
    pub routes: Arc<Routes>,
}

/// The door to all shards of this node. Cheap to clone.
#[derive(Clone)]
pub struct Shards {
    shared: Arc<Shared>,
}

struct Shared {
    inboxes: Inboxes,
    store: Arc<dyn Store>,
    counters: Arc<Counters>,
    stopping: AtomicBool,
    tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

impl Shards {
    /// Starts shards on the present runtime. They serve at once; what waits in the store is taken up in the
    /// background.
    pub fn start_shards(options: ShardOptions) -> Self {
        let count = options.count.max(1);
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count)
            .map(|_| mpsc::unbounded_channel::<Message>())
            .unzip();
        let inboxes = Inboxes(senders.into());
        let counters = Arc::new(Counters::new(count));
        let limits = Arc::new(options.limits);
        let shard = |(id, inbox): (u32, mpsc::UnboundedReceiver<Message>)| {
            let shard = Shard::new(Parts {
                id,
                slots: slots_of(id, count),
                store: Arc::clone(&options.store),
                outside: Outside {
                    matching: options.matching.clone(),
                    inboxes: inboxes.clone(),
                    calls: options.calls.clone(),
                    namespaces: Arc::clone(&options.namespaces),
                    routes: Arc::clone(&options.routes),
                },
                clock: Arc::clone(&options.clock),
                seed: options
                    .seed
                    .wrapping_add(u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                limits: Arc::clone(&limits),
                cache_bytes_max: options.cache_bytes_max / count as usize,
                counters: Arc::clone(&counters),
            });
            tokio::spawn(shard.run(inbox))
        };
        let tasks: Vec<_> = (0..count).zip(receivers).map(shard).collect();
        let shared = Shared {
            inboxes,
            store: Arc::clone(&options.store),
            counters,
            stopping: AtomicBool::new(false),
            tasks: Mutex::new(tasks),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// StartWorkflowExecution, SignalWithStartWorkflowExecution, or a child's start.
    ///
    /// # Errors
    /// [`CallError::Rejected`] with what the engine refuses; [`CallError::Unavailable`].
    pub async fn start(
        &self,
        namespace: &Arc<Namespace>,
        input: StartInput,
    ) -> Result<Started, CallError> {
        let started = self
            .open(namespace, execution::StartInput::Workflow(input))
            .await?;
        let StartReply::Workflow(reply) = started.reply else {
            return Err(of_another_kind());
        };
        let history = self.complete(started.history).await?;
        let update = match started.update {
            Some(update) => Some(update.complete(self.store()).await?),
            None => None,
        };
        Ok(Started {
            reply,
            history,
            update,
        })
    }

    /// StartActivityExecution.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_activity(
        &self,
        namespace: &Arc<Namespace>,
        request: StartActivityExecutionRequest,
    ) -> Result<engine::activity::StartReply, CallError> {
        let input = execution::StartInput::Activity(Box::new(request));
        match self.open(namespace, input).await?.reply {
            StartReply::Activity(reply) => Ok(reply),
            _ => Err(of_another_kind()),
        }
    }

    /// StartNexusOperationExecution.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_nexus_operation(
        &self,
        namespace: &Arc<Namespace>,
        start: nexus_operation::Start,
    ) -> Result<nexus_operation::StartReply, CallError> {
        let input = execution::StartInput::NexusOperation(Box::new(start));
        match self.open(namespace, input).await?.reply {
            StartReply::NexusOperation(reply) => Ok(reply),
            _ => Err(of_another_kind()),
        }
    }

    /// CreateSchedule.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn create_schedule(
        &self,
        namespace: &Arc<Namespace>,
        request: CreateScheduleRequest,
    ) -> Result<(), CallError> {
        let input = execution::StartInput::Schedule(Box::new(request));
        self.open(namespace, input).await.map(drop)
    }

    /// Starts an execution of any kind.
    async fn open(
        &self,
        namespace: &Arc<Namespace>,
        input: execution::StartInput,
    ) -> Result<StartAnswer, CallError> {
        let target = target(namespace, input.kind(), input.id().into(), None);
        let (answer, receiver) = oneshot::channel();
        self.send(target, Body::Start(Box::new(input), answer));
        receive(receiver).await
    }

    /// One input to an existing run; without `run_id` to the current one. The id is that of the kind which the
    /// input is for: a workflow id for a workflow's.
    ///
    /// A cancel or terminate request that names a `first_execution_run_id` goes to the current run whatever
    /// `run_id` says (behaviour, section 6.2). A completed workflow task's `query_results` are taken out and
    /// given to those who wait for them.
    ///
    /// # Errors
    /// [`Rejection::WorkflowNotFound`] without any run, [`Rejection::RunNotFound`] without this one, what
    /// the engine refuses; [`CallError::Unavailable`].
    pub async fn step(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
        input: impl Into<Input>,
    ) -> Result<Stepped, CallError> {
        let input = input.into();
        let chain = match &input {
            Input::Workflow(workflow::Input::RequestCancel(request)) => {
                request.first_execution_run_id.as_str()
            }
            Input::Workflow(workflow::Input::Terminate(request)) => {
                request.first_execution_run_id.as_str()
            }
            _ => "",
        };
        let kind = input.kind().unwrap_or(Kind::Workflow);
        let run_id = if chain.is_empty() { run_id } else { None };
        let (answer, receiver) = oneshot::channel();
        let target = target(namespace, kind, workflow_id.into(), run_id);
        self.send(target, Body::Step(input, answer));
        let stepped = receive(receiver).await?;
        let history = self.complete(stepped.history).await?;
        Ok(Stepped {
            run_id: stepped.key.run_id,
            reply: stepped.reply,
            history,
            queries: stepped.queries,
        })
    }

    /// Looks at a run's state. What was seen is durable when this returns.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn read<T: Send + 'static>(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let seen = self.read_execution(
            namespace,
            Kind::Workflow,
            workflow_id,
            run_id,
            move |state| state.workflow().map(look),
        );
        seen.await?.ok_or_else(of_another_kind)
    }

    /// As [`Self::read`], for an execution of any kind.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn read_execution<T: Send + 'static>(
        &self,
        namespace: &Arc<Namespace>,
        kind: Kind,
        id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
        look: impl FnOnce(&Execution) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let target = target(namespace, kind, id.into(), run_id);
        self.look(target, move |cell| look(&cell.state)).await
    }

    /// Looks at a run's state once something has come about; `None` when `until` comes first, or the node
    /// stops. With the condition [`When::Closed`] and `|state| state.core.close.clone()` this is a wait for the
    /// close event.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn read_when<T: Send + 'static>(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
        when: When,
        until: Instant,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<Option<T>, CallError> {
        let kind = Kind::Workflow;
        let seen = self.read_execution_when(
            namespace,
            (kind, workflow_id.into(), run_id),
            when,
            until,
            move |state| state.workflow().map(look),
        );
        seen.await?
            .map(|seen| seen.ok_or_else(of_another_kind))
            .transpose()
    }

    /// As [`Self::read_when`], for an execution of any kind: its kind, its id, its run.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn read_execution_when<T: Send + 'static>(
        &self,
        namespace: &Arc<Namespace>,
        (kind, id, run_id): (Kind, Arc<str>, Option<Uuid>),
        when: When,
        until: Instant,
        look: impl FnOnce(&Execution) -> T + Send + 'static,
    ) -> Result<Option<T>, CallError> {
        let target = target(namespace, kind, id, run_id);
        self.look_when(target, when, until, move |cell| look(&cell.state))
            .await
    }

    /// One page of a run's history.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn history(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        request: HistoryRequest,
    ) -> Result<HistoryPage, CallError> {
        let run_id = request
            .from
            .map_or(request.run_id, |cursor| Some(cursor.run_id));
        let target = target(namespace, Kind::Workflow, workflow_id.into(), run_id);
        let wanted = request.clone();
        let view = match (request.wait_until, request.from) {
            (Some(until), Some(cursor)) if !request.reverse => {
                let when = When::EventsAfter(cursor.event_id - 1);
                let look = move |cell: &Cell| View::new(cell, &wanted);
                match self.look_when(target, when, until, look).await? {
                    Some(view) => view,
                    None => return Ok(HistoryPage::nothing_new(cursor)),
                }
            }
            _ => {
                self.look(target, move |cell| View::new(cell, &wanted))
                    .await?
            }
        };
        view.page(&request, self.shared.store.as_ref()).await
    }

    /// Deletes a run whole; an open one is terminated first. Answers once the run is on its way out: it
    /// goes when everybody who must know that it closed has been told.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn delete(
        &self,
        namespace: &Arc<Namespace>,
        kind: Kind,
        id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
    ) -> Result<(), CallError> {
        let (answer, receiver) = oneshot::channel();
        self.send(
            target(namespace, kind, id.into(), run_id),
            Body::Delete(answer),
        );
        receive(receiver).await
    }

    /// Deletes all executions of a namespace, in the background. A restart forgets it: call it again on start
    /// for namespaces that are still marked as deleted.
    pub fn delete_namespace(&self, namespace: &Arc<Namespace>) {
        let (shards, namespace) = (self.clone(), Arc::clone(namespace));
        tokio::spawn(async move {
            if let Err(error) = shards.delete_all(&namespace).await {
                tracing::warn!(namespace = %namespace.name, %error, "a namespace is not wholly deleted yet");
            }
        });
    }

    /// Deletes all executions of a namespace; answers when the last one is gone from lists.
    ///
    /// # Errors
    /// When the store is away, or the node stops.
    pub async fn delete_all(&self, namespace: &Arc<Namespace>) -> Result<(), CallError> {
        /// Runs on a page.
        const PAGE: usize = 256;
        // Rows of every division.
        let all = Filter::Or(vec![
            Filter::IsNull(Column::Division),
            Filter::Not(Box::new(Filter::IsNull(Column::Division))),
        ]);
        loop {
            let page = self
                .shared
                .store
                .list(namespace.id, &all, &[], None, PAGE)
                .await
                .map_err(|error| CallError::Unavailable(error.to_string()))?;
            if page.rows.is_empty() {
                return Ok(());
            }
            for (key, _) in page.rows {
                let (answer, receiver) = oneshot::channel();
                self.send(
                    Target::of(&key, Arc::clone(namespace)),
                    Body::Delete(answer),
                );
                match receive(receiver).await {
                    Ok(()) | Err(CallError::Rejected(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            // Those that still have somebody to tell need a moment.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Whether no more work is taken.
    pub fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    /// What the shards have done.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The clock has jumped: every shard looks what is due.
    pub fn wake(&self) {
        for inbox in self.shared.inboxes.0.iter() {
            // One that has ended has nothing due.
            let _ = inbox.send(Message::Wake);
        }
    }

    /// Refuses new work, finishes what is being committed, and ends the shards.
    pub async fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        let stopped: Vec<_> = self
            .shared
            .inboxes
            .0
            .iter()
            .filter_map(|inbox| {
                let (stopped, receiver) = oneshot::channel();
                inbox.send(Message::Stop(stopped)).ok().map(|()| receiver)
            })
            .collect();
        for receiver in stopped {
            // An error: it had ended before.
            let _ = receiver.await;
        }
        let tasks = std::mem::take(&mut *lock(&self.shared.tasks));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a shard did not end well");
            }
        }
    }

    /// Asks the shard where a question must go; waits when it goes with a workflow task.
    pub(crate) async fn query(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: &Arc<str>,
        run_id: Option<Uuid>,
        query: WorkflowQuery,
        reject_condition: i32,
        deadline: Timestamp,
    ) -> Result<QueryAnswer, CallError> {
        let (answer, receiver) = oneshot::channel();
        let id = Uuid::new_v4().to_string();
        let call = QueryCall {
            id,
            query,
            reject_condition,
            deadline,
            answer,
        };
        self.send(
            target(namespace, Kind::Workflow, Arc::clone(workflow_id), run_id),
            Body::Query(Box::new(call)),
        );
        receive(receiver).await
    }

    /// What goes out with a query task: what the engine says of it, and its history.
    pub(crate) async fn query_task(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: &Arc<str>,
        run_id: Uuid,
        sticky: bool,
    ) -> Result<(workflow::query::QueryTask, TaskHistory), CallError> {
        let target = target(
            namespace,
            Kind::Workflow,
            Arc::clone(workflow_id),
            Some(run_id),
        );
        let (task, plan) = self
            .look(target, move |cell| {
                let task = workflow::query::task(cell.state.workflow()?, sticky);
                let plan = TaskHistoryPlan::of(
                    cell,
                    task.history_from,
                    task.history_to,
                    bytes::Bytes::new(),
                );
                Some((task, plan))
            })
            .await?
            .ok_or_else(of_another_kind)?;
        Ok((task, plan.complete(self.shared.store.as_ref()).await?))
    }

    pub(super) async fn look<T: Send + 'static>(
        &self,
        target: Target,
        look: impl FnOnce(&Cell) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let (look, receiver) = looker(look);
        self.send(target, Body::Look(look));
        receive(receiver).await
    }

    async fn look_when<T: Send + 'static>(
        &self,
        target: Target,
        when: When,
        until: Instant,
        look: impl FnOnce(&Cell) -> T + Send + 'static,
    ) -> Result<Option<T>, CallError> {
        let (look, receiver) = looker(look);
        self.send(target, Body::LookWhen(when, look));
        match timeout_at(until, receiver).await {
            Ok(Ok(seen)) => seen.map(Some),
            // The shard ended while this waited: as if time had run out.
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    /// The store, for readers that need no shard.
    pub(super) fn store(&self) -> &dyn Store {
        self.shared.store.as_ref()
    }

    pub(super) fn send(&self, target: Target, body: Body) {
        if self.shared.stopping.load(Ordering::Acquire) {
            body.refuse(CallError::stopping());
        } else {
            self.shared.inboxes.send(target, body);
        }
    }

    async fn complete(
        &self,
        plan: Option<TaskHistoryPlan>,
    ) -> Result<Option<TaskHistory>, CallError> {
        match plan {
            Some(plan) => plan.complete(self.shared.store.as_ref()).await.map(Some),
            None => Ok(None),
        }
    }
}

pub(super) fn target(
    namespace: &Arc<Namespace>,
    kind: Kind,
    id: Arc<str>,
    run_id: Option<Uuid>,
) -> Target {
    Target {
        namespace: Arc::clone(namespace),
        slot: slot_of(namespace.id, &id),
        kind: kind.number(),
        workflow_id: id,
        run_id,
    }
}

/// An id leads to executions of its kind, so this cannot come about.
fn of_another_kind() -> CallError {
    CallError::Rejected(Rejection::Internal(
        "the execution is of another kind".to_owned(),
    ))
}

pub(super) async fn receive<T>(
    receiver: oneshot::Receiver<Result<T, CallError>>,
) -> Result<T, CallError> {
    // A shard that ends drops what it has not answered.
    receiver
        .await
        .unwrap_or_else(|_| Err(CallError::stopping()))
}
