//! The registry of namespaces: whole in memory, read without a lock, every change durable before it
//! is visible.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use engine::Namespace;
use engine::search_attributes::SearchAttributeType;
use prost::Message;
use proto::temporal::api::enums::v1::NamespaceState;
use proto::temporal::api::namespace::v1::BadBinaryInfo;
use store::{Store, StoreError};
use uuid::Uuid;

use crate::shard::NamespaceById;

/// The namespace of the server's own.
pub const SYSTEM_NAMESPACE: &str = "temporal-system";
const SYSTEM_ID: Uuid = Uuid::from_u128(0x32049b68_7872_4094_8e63_d0dd59896a83);
/// The namespace that clients use when they name none.
pub const DEFAULT_NAMESPACE: &str = "default";
/// How long closed runs stay in the namespaces that a start creates.
const DEFAULT_RETENTION: Duration = Duration::from_secs(24 * 3600);

const PREFIX: &str = "namespace/";
const CLUSTER_ID: &str = "cluster/id";

/// A namespace as it is stored.
#[derive(Clone, PartialEq, Message)]
pub struct Record {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// Unique among those that are not deleted.
    #[prost(string, tag = "2")]
    pub name: String,
    /// As on the wire.
    #[prost(enumeration = "NamespaceState", tag = "3")]
    pub state: i32,
    /// Free text.
    #[prost(string, tag = "4")]
    pub description: String,
    /// Free text.
    #[prost(string, tag = "5")]
    pub owner_email: String,
    /// The users' own.
    #[prost(btree_map = "string, string", tag = "6")]
    pub data: BTreeMap<String, String>,
    /// Seconds that closed runs stay.
    #[prost(uint64, tag = "7")]
    pub retention_s: u64,
    /// Custom search attributes: name to `IndexedValueType`.
    #[prost(btree_map = "string, int32", tag = "8")]
    pub search_attributes: BTreeMap<String, i32>,
    /// Worker binaries whose workflow tasks fail.
    #[prost(btree_map = "string, message", tag = "9")]
    pub bad_binaries: BTreeMap<String, BadBinaryInfo>,
}

/// A namespace: what the engine needs of it, and what the API shows.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The engine's part.
    pub namespace: Arc<Namespace>,
    /// As stored.
    pub record: Record,
}

impl Entry {
    fn new(record: Record) -> Self {
        let search_attributes = record
            .search_attributes
            .iter()
            .filter_map(|(name, number)| {
                Some((name.clone(), SearchAttributeType::from_wire(*number)?))
            });
        let namespace = Namespace {
            id: Uuid::from_slice(&record.id).unwrap_or_default(),
            name: record.name.as_str().into(),
            retention: Duration::from_secs(record.retention_s),
            search_attributes: search_attributes.collect(),
        };
        Self {
            namespace: Arc::new(namespace),
            record,
        }
    }

    /// Whether new runs may start.
    pub fn is_registered(&self) -> bool {
        self.record.state() == NamespaceState::Registered
    }

    /// Whether it is on its way out.
    pub fn is_deleted(&self) -> bool {
        self.record.state() == NamespaceState::Deleted
    }
}

#[derive(Debug, Default)]
struct Snapshot {
    /// Without the deleted ones.
    by_name: BTreeMap<Arc<str>, Arc<Entry>>,
    by_id: HashMap<Uuid, Arc<Entry>>,
}

impl Snapshot {
    fn with(&self, entry: Entry) -> Self {
        let mut next = Self {
            by_name: self.by_name.clone(),
            by_id: self.by_id.clone(),
        };
        let entry = Arc::new(entry);
        if let Some(before) = next.by_id.insert(entry.namespace.id, entry.clone()) {
            next.by_name.remove(&before.namespace.name);
        }
        if !entry.is_deleted() {
            next.by_name.insert(entry.namespace.name.clone(), entry);
        }
        next
    }
}

/// A change of the registry that was refused.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The name is taken.
    #[error("Namespace \"{0}\" already exists")]
    AlreadyExists(String),
    /// There is no such namespace.
    #[error("Namespace {0} is not found.")]
    NotFound(String),
    /// The store could not keep the change.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All namespaces.
pub struct Namespaces {
    current: ArcSwap<Snapshot>,
    store: Arc<dyn Store>,
    /// Changes take turns: each builds on the one before.
    changing: tokio::sync::Mutex<()>,
    cluster_id: String,
}

impl Namespaces {
    /// Reads the registry, and creates what a server cannot be without: the system's namespace,
    /// `default`, and `wanted`. These also get `search_attributes`.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn open(
        store: Arc<dyn Store>,
        wanted: &[String],
        search_attributes: &BTreeMap<String, i32>,
    ) -> Result<Self, StoreError> {
        let mut snapshot = Snapshot::default();
        for (key, bytes) in store.meta_scan(PREFIX).await? {
            match Record::decode(bytes) {
                Ok(record) => snapshot = snapshot.with(Entry::new(record)),
                // One broken entry must not keep the others from being served.
                Err(error) => tracing::error!(key, %error, "a namespace cannot be read"),
            }
        }
        let mut writes = Vec::new();
        if !snapshot.by_id.contains_key(&SYSTEM_ID) {
            let system = Record {
                id: SYSTEM_ID.as_bytes().to_vec(),
                description: "Temporal internal system namespace".into(),
                owner_email: "temporal-core@temporal.io".into(),
                ..registered(SYSTEM_NAMESPACE, 7 * DEFAULT_RETENTION)
            };
            writes.push(system);
        }
        let names = std::iter::once(DEFAULT_NAMESPACE).chain(wanted.iter().map(String::as_str));
        for name in names {
            let is_new = writes.iter().all(|record| record.name != name);
            let known = snapshot.by_name.get(name).map(|entry| entry.record.clone());
            let mut record = match &known {
                Some(record) => record.clone(),
                None if is_new => registered(name, DEFAULT_RETENTION),
                None => continue,
            };
            for (attribute, number) in search_attributes {
                record
                    .search_attributes
                    .entry(attribute.clone())
                    .or_insert(*number);
            }
            if known.as_ref() != Some(&record) {
                writes.push(record);
            }
        }
        let stored_id = store.meta_get(CLUSTER_ID).await?;
        let stored_id = stored_id.and_then(|id| String::from_utf8(id.to_vec()).ok());
        let cluster_id = stored_id
            .clone()
            .unwrap_or_else(|| Uuid::new_v4().to_string());
        let mut puts: Vec<_> = writes.iter().map(put).collect();
        if stored_id.is_none() {
            puts.push((
                CLUSTER_ID.to_owned(),
                Some(cluster_id.clone().into_bytes().into()),
            ));
        }
        if !puts.is_empty() {
            store.meta_put(puts).await?;
        }
        for record in writes {
            snapshot = snapshot.with(Entry::new(record));
        }
        Ok(Self {
            current: ArcSwap::from_pointee(snapshot),
            store,
            changing: tokio::sync::Mutex::new(()),
            cluster_id,
        })
    }

    /// This cluster's id, chosen when the store was first used.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The namespace of this name, unless it is deleted.
    pub fn by_name(&self, name: &str) -> Option<Arc<Entry>> {
        self.current.load().by_name.get(name).cloned()
    }

    /// The namespace of this id, deleted or not.
    pub fn by_id(&self, id: Uuid) -> Option<Arc<Entry>> {
        self.current.load().by_id.get(&id).cloned()
    }

    /// All that are not deleted, by name.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.current.load().by_name.values().cloned().collect()
    }

    /// Those that are on their way out.
    pub fn deleted(&self) -> Vec<Arc<Entry>> {
        self.current
            .load()
            .by_id
            .values()
            .filter(|entry| entry.is_deleted())
            .cloned()
            .collect()
    }

    /// Adds a namespace; its id is drawn here.
    ///
    /// # Errors
    /// [`ChangeError::AlreadyExists`], [`ChangeError::Store`].
    pub async fn register(&self, record: Record) -> Result<Arc<Entry>, ChangeError> {
        let _turn = self.changing.lock().await;
        if self.by_name(&record.name).is_some() {
            return Err(ChangeError::AlreadyExists(record.name));
        }
        let record = Record {
            id: Uuid::now_v7().as_bytes().to_vec(),
            state: NamespaceState::Registered.into(),
            ..record
        };
        self.write(record).await
    }

    /// Changes a namespace.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`], [`ChangeError::Store`].
    pub async fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut Record),
    ) -> Result<Arc<Entry>, ChangeError> {
        let _turn = self.changing.lock().await;
        let Some(entry) = self.by_name(name) else {
            return Err(ChangeError::NotFound(name.to_owned()));
        };
        let mut record = entry.record.clone();
        change(&mut record);
        if record == entry.record {
            return Ok(entry);
        }
        self.write(record).await
    }

    async fn write(&self, record: Record) -> Result<Arc<Entry>, ChangeError> {
        self.store.meta_put(vec![put(&record)]).await?;
        let entry = Entry::new(record);
        let id = entry.namespace.id;
        self.current
            .store(Arc::new(self.current.load().with(entry)));
        self.by_id(id)
            .ok_or_else(|| ChangeError::NotFound(id.to_string()))
    }
}

impl NamespaceById for Namespaces {
    fn namespace_by_id(&self, id: Uuid) -> Option<Arc<Namespace>> {
        self.by_id(id)
            .filter(|entry| !entry.is_deleted())
            .map(|entry| entry.namespace.clone())
    }
}

fn registered(name: &str, retention: Duration) -> Record {
    Record {
        id: Uuid::now_v7().as_bytes().to_vec(),
        name: name.to_owned(),
        state: NamespaceState::Registered.into(),
        retention_s: retention.as_secs(),
        ..Default::default()
    }
}

fn put(record: &Record) -> (String, Option<bytes::Bytes>) {
    let id = Uuid::from_slice(&record.id).unwrap_or_default();
    (format!("{PREFIX}{id}"), Some(record.encode_to_vec().into()))
}
