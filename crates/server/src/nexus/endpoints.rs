//! The registry of Nexus endpoints: whole in memory, read without a lock, every change durable before it is
//! visible. The rules of what an endpoint may be are in [`engine::nexus::endpoint`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use engine::rejection::Rejection;
use engine::time::Timestamp;
use prost::{Message, Oneof};
use proto::temporal::api::common::v1::Payload;
use store::{Store, StoreError};
use uuid::Uuid;

use crate::shard::CallError;

const PREFIX: &str = "nexus-endpoint/";

/// An endpoint as it is stored.
#[derive(Clone, PartialEq, Message)]
pub struct Endpoint {
    /// A UUID, as text.
    #[prost(string, tag = "1")]
    pub id: String,
    /// From 1; every change adds one.
    #[prost(int64, tag = "2")]
    pub version: i64,
    /// Unique.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The users' own.
    #[prost(message, optional, tag = "4")]
    pub description: Option<Payload>,
    /// Nanoseconds since the epoch.
    #[prost(sfixed64, tag = "5")]
    pub created_time: i64,
    /// Nanoseconds since the epoch; 0 until it is changed.
    #[prost(sfixed64, tag = "6")]
    pub modified_time: i64,
    /// Who takes its requests.
    #[prost(oneof = "Target", tags = "7, 8")]
    pub target: Option<Target>,
}

/// Who takes an endpoint's requests.
#[derive(Clone, PartialEq, Eq, Hash, Oneof)]
pub enum Target {
    /// Workers of this server.
    #[prost(message, tag = "7")]
    Worker(Worker),
    /// A server elsewhere, by its address.
    #[prost(string, tag = "8")]
    External(String),
}

/// The queue that an endpoint's workers poll.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Worker {
    /// 16 bytes: a namespace's id outlives its name.
    #[prost(bytes = "vec", tag = "1")]
    pub namespace_id: Vec<u8>,
    /// The queue.
    #[prost(string, tag = "2")]
    pub task_queue: String,
}

impl Worker {
    /// The namespace's id.
    pub fn namespace(&self) -> Uuid {
        Uuid::from_slice(&self.namespace_id).unwrap_or_default()
    }
}

/// What an endpoint is to be.
#[derive(Debug, Clone)]
pub struct Spec {
    /// See [`Endpoint::name`].
    pub name: String,
    /// See [`Endpoint::description`].
    pub description: Option<Payload>,
    /// See [`Endpoint::target`].
    pub target: Option<Target>,
}

#[derive(Debug, Default)]
struct Snapshot {
    by_id: BTreeMap<String, Arc<Endpoint>>,
    by_name: HashMap<String, Arc<Endpoint>>,
}

impl Snapshot {
    fn of(endpoints: impl Iterator<Item = Arc<Endpoint>>) -> Self {
        let mut snapshot = Self::default();
        for endpoint in endpoints {
            let name = endpoint.name.clone();
            snapshot.by_name.insert(name, Arc::clone(&endpoint));
            snapshot.by_id.insert(endpoint.id.clone(), endpoint);
        }
        snapshot
    }
}

/// All endpoints.
pub struct Endpoints {
    current: ArcSwap<Snapshot>,
    store: Arc<dyn Store>,
    /// Changes take turns: each builds on the one before.
    changing: tokio::sync::Mutex<()>,
}

impl Endpoints {
    /// Reads the registry.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut endpoints = Vec::new();
        for (key, bytes) in store.meta_scan(PREFIX).await? {
            match Endpoint::decode(bytes) {
                Ok(endpoint) => endpoints.push(Arc::new(endpoint)),
                // One broken entry must not keep the others from being served.
                Err(error) => tracing::error!(key, %error, "a Nexus endpoint cannot be read"),
            }
        }
        Ok(Self {
            current: ArcSwap::from_pointee(Snapshot::of(endpoints.into_iter())),
            store,
            changing: tokio::sync::Mutex::new(()),
        })
    }

    /// The endpoint of this id.
    pub fn by_id(&self, id: &str) -> Option<Arc<Endpoint>> {
        self.current.load().by_id.get(id).cloned()
    }

    /// The endpoint of this name.
    pub fn by_name(&self, name: &str) -> Option<Arc<Endpoint>> {
        self.current.load().by_name.get(name).cloned()
    }

    /// Up to `limit` endpoints in the order of their ids, from this id on.
    pub fn page(&self, from: &str, limit: usize) -> Vec<Arc<Endpoint>> {
        let current = self.current.load();
        let range = current.by_id.range(from.to_owned()..);
        range
            .take(limit)
            .map(|(_, endpoint)| Arc::clone(endpoint))
            .collect()
    }

    /// An endpoint whose workers are in this namespace, if there is one.
    pub fn targeting(&self, namespace: Uuid) -> Option<Arc<Endpoint>> {
        let current = self.current.load();
        let targets = |endpoint: &&Arc<Endpoint>| match &endpoint.target {
            Some(Target::Worker(worker)) => worker.namespace() == namespace,
            Some(Target::External(_)) | None => false,
        };
        current.by_id.values().find(targets).cloned()
    }

    /// Adds an endpoint; its id is drawn here.
    ///
    /// # Errors
    /// [`Rejection::AlreadyExists`]; [`CallError::Unavailable`] when it cannot be kept.
    pub async fn create(&self, spec: Spec, now: Timestamp) -> Result<Arc<Endpoint>, CallError> {
        let _turn = self.changing.lock().await;
        if self.by_name(&spec.name).is_some() {
            let text = "error creating Nexus endpoint. Endpoint with name";
            return Err(taken(text, &spec.name));
        }
        let endpoint = Endpoint {
            id: Uuid::now_v7().to_string(),
            version: 1,
            name: spec.name,
            description: spec.description,
            created_time: now.0,
            modified_time: 0,
            target: spec.target,
        };
        self.write(endpoint).await
    }

    /// Replaces an endpoint's specification.
    ///
    /// # Errors
    /// [`Rejection::NotFound`]; [`Rejection::FailedPrecondition`] for another version;
    /// [`Rejection::AlreadyExists`]; [`CallError::Unavailable`].
    pub async fn update(
        &self,
        id: &str,
        version: i64,
        spec: Spec,
        now: Timestamp,
    ) -> Result<Arc<Endpoint>, CallError> {
        let _turn = self.changing.lock().await;
        let Some(before) = self.by_id(id) else {
            let text = format!("error updating Nexus endpoint. endpoint ID {id} not found");
            return Err(Rejection::NotFound(text).into());
        };
        if before.version != version {
            return Err(Rejection::FailedPrecondition(format!(
                "nexus endpoint version mismatch. received: {version} expected {}",
                before.version
            ))
            .into());
        }
        if self.by_name(&spec.name).is_some_and(|other| other.id != id) {
            let text = "error updating Nexus endpoint. Endpoint with name";
            return Err(taken(text, &spec.name));
        }
        let endpoint = Endpoint {
            id: before.id.clone(),
            version: before.version + 1,
            name: spec.name,
            description: spec.description,
            created_time: before.created_time,
            modified_time: now.0,
            target: spec.target,
        };
        self.write(endpoint).await
    }

    /// Takes an endpoint away.
    ///
    /// # Errors
    /// [`Rejection::NotFound`]; [`CallError::Unavailable`].
    pub async fn delete(&self, id: &str) -> Result<(), CallError> {
        let _turn = self.changing.lock().await;
        if self.by_id(id).is_none() {
            let text = format!("error deleting nexus endpoint with ID: {id}");
            return Err(Rejection::NotFound(text).into());
        }
        self.put(id, None).await?;
        let current = self.current.load();
        let left = current.by_id.values().filter(|endpoint| endpoint.id != id);
        self.current.store(Arc::new(Snapshot::of(left.cloned())));
        Ok(())
    }

    async fn write(&self, endpoint: Endpoint) -> Result<Arc<Endpoint>, CallError> {
        let bytes = endpoint.encode_to_vec();
        self.put(&endpoint.id, Some(bytes.into())).await?;
        let endpoint = Arc::new(endpoint);
        let current = self.current.load();
        let others = current.by_id.values().filter(|e| e.id != endpoint.id);
        let all = others.cloned().chain([Arc::clone(&endpoint)]);
        self.current.store(Arc::new(Snapshot::of(all)));
        Ok(endpoint)
    }

    async fn put(&self, id: &str, bytes: Option<bytes::Bytes>) -> Result<(), CallError> {
        let put = self.store.meta_put(vec![(format!("{PREFIX}{id}"), bytes)]);
        put.await.map_err(|error| {
            tracing::warn!(%error, "a Nexus endpoint could not be kept");
            CallError::Unavailable(error.to_string())
        })
    }
}

fn taken(text: &str, name: &str) -> CallError {
    Rejection::AlreadyExists(format!("{text} {name} already registered")).into()
}

#[cfg(test)]
mod tests {
    use store::MemoryStore;

    use super::*;

    fn spec(name: &str) -> Spec {
        Spec {
            name: name.into(),
            description: None,
            target: Some(Target::Worker(Worker {
                namespace_id: Uuid::from_u128(7).as_bytes().to_vec(),
                task_queue: "q".into(),
            })),
        }
    }

    fn text<T: std::fmt::Debug>(result: Result<T, CallError>) -> String {
        result.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn the_registry_is_kept_and_names_are_unique() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let endpoints = Endpoints::open(Arc::clone(&store)).await.unwrap();
        let now = Timestamp(5);
        let one = endpoints.create(spec("one"), now).await.unwrap();
        let two = endpoints.create(spec("two"), now).await.unwrap();
        assert_eq!(
            text(endpoints.create(spec("one"), now).await),
            "error creating Nexus endpoint. Endpoint with name one already registered"
        );
        assert_eq!(
            text(endpoints.update(&one.id, 2, spec("x"), now).await),
            "nexus endpoint version mismatch. received: 2 expected 1"
        );
        assert_eq!(
            text(endpoints.update(&one.id, 1, spec("two"), now).await),
            "error updating Nexus endpoint. Endpoint with name two already registered"
        );
        let renamed = endpoints.update(&one.id, 1, spec("uno"), Timestamp(9));
        let renamed = renamed.await.unwrap();
        assert_eq!((renamed.version, renamed.created_time), (2, 5));
        assert!(endpoints.by_name("one").is_none());
        assert!(endpoints.targeting(Uuid::from_u128(7)).is_some());
        assert!(endpoints.targeting(Uuid::from_u128(8)).is_none());
        endpoints.delete(&two.id).await.unwrap();
        assert_eq!(
            text(endpoints.delete(&two.id).await),
            format!("error deleting nexus endpoint with ID: {}", two.id)
        );

        let again = Endpoints::open(store).await.unwrap();
        assert_eq!(again.page("", 10), [renamed]);
    }
}
