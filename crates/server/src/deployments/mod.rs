//! The registry of worker deployments: whole in memory, read without a lock, every change durable before it
//! is visible. The rules are [`engine::deployment`]'s.
//!
//! - [`routes`]: what the deployments of each namespace say, for workflows and for matching.
//! - [`drainage`]: looks from time to time whether versions that drain are done.

pub mod drainage;
mod routes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use engine::deployment::{self, Deployment, Routing, Surroundings, TaskQueue, Version};
use engine::rejection::Rejection;
use engine::time::Timestamp;
use prost::Message;
use proto::temporal::api::enums::v1::TaskQueueType;
use store::{Store, StoreError};
use tokio::sync::Notify;
use uuid::Uuid;

pub use self::routes::Routes;
use crate::matching::{Matching, QueueKind};

const PREFIX: &str = "deployment/";

/// A change of a deployment that was refused.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// A rule said no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The store could not keep the change.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The deployments of one namespace, by name.
pub type ByName = BTreeMap<String, Arc<Deployment>>;

/// All worker deployments.
pub struct Deployments {
    current: ArcSwap<HashMap<Uuid, Arc<ByName>>>,
    routes: Arc<Routes>,
    store: Arc<dyn Store>,
    /// Changes take turns: each builds on the one before.
    changing: tokio::sync::Mutex<()>,
    /// Something has changed: what drains must be looked up again.
    changed: Notify,
}

impl Deployments {
    /// Reads the registry.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut all: HashMap<Uuid, ByName> = HashMap::new();
        for (key, bytes) in store.meta_scan(PREFIX).await? {
            let namespace = key.get(PREFIX.len()..PREFIX.len() + 36);
            let namespace = namespace.and_then(|id| Uuid::parse_str(id).ok());
            match (namespace, Deployment::decode(bytes)) {
                (Some(namespace), Ok(deployment)) => {
                    let by_name = all.entry(namespace).or_default();
                    by_name.insert(deployment.name.clone(), Arc::new(deployment));
                }
                // One broken entry must not keep the others from being served.
                _ => tracing::error!(key, "a worker deployment cannot be read"),
            }
        }
        let routes = Arc::new(Routes::default());
        for (namespace, by_name) in &all {
            routes.set(*namespace, Routing::new(by_name.values().map(|d| &**d)));
        }
        let all = all.into_iter().map(|(id, by_name)| (id, Arc::new(by_name)));
        Ok(Self {
            current: ArcSwap::from_pointee(all.collect()),
            routes,
            store,
            changing: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
        })
    }

    /// What the deployments of each namespace say, for workflows and for matching.
    pub fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes)
    }

    /// The deployments of a namespace.
    pub fn all(&self, namespace: Uuid) -> Arc<ByName> {
        self.current
            .load()
            .get(&namespace)
            .cloned()
            .unwrap_or_default()
    }

    /// One deployment.
    pub fn get(&self, namespace: Uuid, name: &str) -> Option<Arc<Deployment>> {
        self.current.load().get(&namespace)?.get(name).cloned()
    }

    /// A worker polls a queue for a version. Nothing happens when it has done so before.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn register(
        &self,
        matching: &Matching,
        namespace: Uuid,
        version: &Version,
        queue: &str,
        kind: TaskQueueType,
        now: Timestamp,
    ) -> Result<(), ChangeError> {
        let queue = TaskQueue {
            name: queue.to_owned(),
            kind: kind.into(),
        };
        let known = self.get(namespace, &version.deployment_name);
        if known.is_some_and(|known| known.is_registered(&version.build_id, &queue)) {
            return Ok(());
        }
        let change = |deployment: &mut Deployment, around: Surroundings<'_>| {
            deployment.register(&version.build_id, queue, around)
        };
        let name = &version.deployment_name;
        self.change_or_create(matching, namespace, name, now, change)
            .await
    }

    /// Changes a deployment.
    ///
    /// # Errors
    /// [`ChangeError`]; NOT_FOUND when there is none of this name.
    pub async fn change<T>(
        &self,
        matching: &Matching,
        namespace: Uuid,
        name: &str,
        now: Timestamp,
        change: impl FnOnce(&mut Deployment, Surroundings<'_>) -> Result<T, Rejection>,
    ) -> Result<T, ChangeError> {
        let _turn = self.changing.lock().await;
        let Some(before) = self.get(namespace, name) else {
            return Err(deployment::not_found(name).into());
        };
        self.change_to(matching, namespace, Deployment::clone(&before), now, change)
            .await
    }

    /// Changes a deployment, which is created if it is not there.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn change_or_create<T>(
        &self,
        matching: &Matching,
        namespace: Uuid,
        name: &str,
        now: Timestamp,
        change: impl FnOnce(&mut Deployment, Surroundings<'_>) -> Result<T, Rejection>,
    ) -> Result<T, ChangeError> {
        let _turn = self.changing.lock().await;
        let before = match self.get(namespace, name) {
            Some(before) => Deployment::clone(&before),
            None => {
                deployment::check_room(self.all(namespace).len())?;
                Deployment::create(name, "", "", now)
            }
        };
        self.change_to(matching, namespace, before, now, change)
            .await
    }

    /// Adds a deployment without versions. The same request may come again.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn create(
        &self,
        namespace: Uuid,
        name: &str,
        request_id: &str,
        identity: &str,
        now: Timestamp,
    ) -> Result<Arc<Deployment>, ChangeError> {
        let _turn = self.changing.lock().await;
        if let Some(existing) = self.get(namespace, name) {
            if existing.create_request_id == request_id {
                return Ok(existing);
            }
            return Err(deployment::already_exists(&existing).into());
        }
        deployment::check_room(self.all(namespace).len())?;
        let created = Arc::new(Deployment::create(name, request_id, identity, now));
        self.write(namespace, name, Some(Arc::clone(&created)))
            .await?;
        Ok(created)
    }

    /// Deletes a deployment that has no versions. One that is not there is as good as deleted.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn delete(&self, namespace: Uuid, name: &str) -> Result<(), ChangeError> {
        let _turn = self.changing.lock().await;
        let Some(existing) = self.get(namespace, name) else {
            return Ok(());
        };
        existing.check_deletable()?;
        self.write(namespace, name, None).await?;
        Ok(())
    }

    /// Deletes all deployments of a namespace that goes.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn forget_namespace(&self, namespace: Uuid) -> Result<(), StoreError> {
        let _turn = self.changing.lock().await;
        let names = self.all(namespace);
        if names.is_empty() {
            return Ok(());
        }
        let keys = names.keys().map(|name| (key(namespace, name), None));
        self.store.meta_put(keys.collect()).await?;
        self.show(namespace, ByName::new());
        Ok(())
    }

    /// All versions that drain, with their namespaces.
    pub(crate) fn draining(
        &self,
        pace: deployment::DrainagePace,
    ) -> Vec<(Uuid, Version, Timestamp)> {
        let all = self.current.load();
        let of_namespace = |(id, by_name): (&Uuid, &Arc<ByName>)| {
            let versions = by_name.values().flat_map(|d| d.draining(pace));
            let id = *id;
            versions
                .map(|(version, at)| (id, version, at))
                .collect::<Vec<_>>()
        };
        all.iter().flat_map(of_namespace).collect()
    }

    /// Until something changes.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    async fn change_to<T>(
        &self,
        matching: &Matching,
        namespace: Uuid,
        mut deployment: Deployment,
        now: Timestamp,
        change: impl FnOnce(&mut Deployment, Surroundings<'_>) -> Result<T, Rejection>,
    ) -> Result<T, ChangeError> {
        let before = self.get(namespace, &deployment.name);
        let routing = self.routes.of(namespace);
        let has_pollers = |version: &Version, queue: &TaskQueue| {
            kind_of(queue.kind()).is_some_and(|kind| {
                matching.has_version_poller(namespace, &queue.name, kind, version)
            })
        };
        let has_work = |version: &Version, queue: &TaskQueue| {
            kind_of(queue.kind()).is_some_and(|kind| {
                let described =
                    matching.describe_version(namespace, &queue.name, kind, Some(version));
                described.stats.backlog_count > 0 || described.stats.add_rate > 0.0
            })
        };
        let outcome = {
            let around = Surroundings {
                now,
                has_pollers: &has_pollers,
                has_work: &has_work,
                routing: &routing,
            };
            change(&mut deployment, around)?
        };
        if before.as_deref() == Some(&deployment) {
            return Ok(outcome);
        }
        let queues = queues_of(before.as_deref(), &deployment);
        let name = deployment.name.clone();
        self.write(namespace, &name, Some(Arc::new(deployment)))
            .await?;
        // Tasks that wait follow the routing.
        for (kind, name) in queues {
            let versions = versions_of(&routing, &self.routes.of(namespace), kind, &name);
            if let Some(kind) = kind_of(kind) {
                matching.reroute(namespace, &name.as_str().into(), kind, versions);
            }
        }
        Ok(outcome)
    }

    async fn write(
        &self,
        namespace: Uuid,
        name: &str,
        deployment: Option<Arc<Deployment>>,
    ) -> Result<(), StoreError> {
        let bytes = deployment.as_ref().map(|d| Bytes::from(d.encode_to_vec()));
        self.store
            .meta_put(vec![(key(namespace, name), bytes)])
            .await?;
        let mut by_name = ByName::clone(&self.all(namespace));
        match deployment {
            Some(deployment) => by_name.insert(name.to_owned(), deployment),
            None => by_name.remove(name),
        };
        self.show(namespace, by_name);
        Ok(())
    }

    fn show(&self, namespace: Uuid, by_name: ByName) {
        let routing = Routing::new(by_name.values().map(|d| &**d));
        let mut all = HashMap::clone(&self.current.load());
        if by_name.is_empty() {
            all.remove(&namespace);
        } else {
            all.insert(namespace, Arc::new(by_name));
        }
        self.current.store(Arc::new(all));
        self.routes.set(namespace, routing);
        self.changed.notify_waiters();
        self.changed.notify_one();
    }
}

/// A kind of queue that matching keeps.
pub fn kind_of(kind: TaskQueueType) -> Option<QueueKind> {
    match kind {
        TaskQueueType::Workflow => Some(QueueKind::Workflow),
        TaskQueueType::Activity => Some(QueueKind::Activity),
        TaskQueueType::Nexus => Some(QueueKind::Nexus),
        TaskQueueType::Unspecified => None,
    }
}

/// The queues that a change of a deployment may have an effect on.
fn queues_of(before: Option<&Deployment>, after: &Deployment) -> BTreeSet<(TaskQueueType, String)> {
    let unrouted = |d: Option<&Deployment>| d.is_none_or(|d| !d.is_routed());
    if unrouted(before) && unrouted(Some(after)) {
        // A deployment without a current or ramping version sends no task anywhere.
        return BTreeSet::new();
    }
    before
        .into_iter()
        .chain([after])
        .flat_map(|deployment| &deployment.versions)
        .flat_map(|version| &version.task_queues)
        .map(|queue| (queue.kind(), queue.name.clone()))
        .collect()
}

fn versions_of(
    before: &Routing,
    after: &Routing,
    kind: TaskQueueType,
    name: &str,
) -> BTreeSet<Version> {
    let before = before.versions(kind, name);
    before.chain(after.versions(kind, name)).cloned().collect()
}

fn key(namespace: Uuid, name: &str) -> String {
    format!("{PREFIX}{namespace}/{name}")
}
