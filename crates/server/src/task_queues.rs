//! What UpdateTaskQueueConfig set: whole in memory, every change durable before it counts.

use std::sync::Arc;

use arc_swap::ArcSwap;
use hashbrown::Equivalent;
use prost::Message;
use proto::temporal::api::enums::v1::TaskQueueType;
use proto::temporal::api::taskqueue::v1::{RateLimitConfig, TaskQueueConfig};
use store::{Store, StoreError};
use uuid::Uuid;

const PREFIX: &str = "task-queue/";

/// Which task queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    namespace: Uuid,
    kind: i32,
    name: String,
}

#[derive(Hash)]
struct KeyRef<'a> {
    namespace: Uuid,
    kind: i32,
    name: &'a str,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.namespace == key.namespace && self.kind == key.kind && self.name == key.name
    }
}

impl Key {
    fn in_store(&self) -> String {
        format!("{PREFIX}{}/{}/{}", self.namespace, self.kind, self.name)
    }

    fn from_store(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.splitn(3, '/');
        Some(Self {
            namespace: Uuid::try_parse(parts.next()?).ok()?,
            kind: parts.next()?.parse().ok()?,
            name: parts.next()?.to_owned(),
        })
    }
}

type Configs = hashbrown::HashMap<Key, Arc<TaskQueueConfig>>;

/// The settings of all task queues that have any.
pub struct TaskQueueConfigs {
    current: ArcSwap<Configs>,
    store: Arc<dyn Store>,
    /// Changes take turns: each builds on the one before.
    changing: tokio::sync::Mutex<()>,
}

impl TaskQueueConfigs {
    /// Reads all settings.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut configs = Configs::new();
        for (text, bytes) in store.meta_scan(PREFIX).await? {
            match (Key::from_store(&text), TaskQueueConfig::decode(bytes)) {
                (Some(key), Ok(config)) => drop(configs.insert(key, Arc::new(config))),
                // One broken entry must not keep the others from being served.
                _ => tracing::error!(key = text, "a task queue's settings cannot be read"),
            }
        }
        Ok(Self {
            current: ArcSwap::from_pointee(configs),
            store,
            changing: tokio::sync::Mutex::new(()),
        })
    }

    /// The settings of a queue, if it has any.
    pub fn get(
        &self,
        namespace: Uuid,
        name: &str,
        kind: TaskQueueType,
    ) -> Option<Arc<TaskQueueConfig>> {
        let kind = kind.into();
        let key = KeyRef {
            namespace,
            kind,
            name,
        };
        self.current.load().get(&key).cloned()
    }

    /// Changes the settings of a queue, unless the change refuses.
    ///
    /// # Errors
    /// What the change says; when the store cannot keep it.
    pub async fn change<E: From<StoreError>>(
        &self,
        namespace: Uuid,
        name: &str,
        kind: TaskQueueType,
        change: impl FnOnce(&mut TaskQueueConfig) -> Result<(), E>,
    ) -> Result<Arc<TaskQueueConfig>, E> {
        let _turn = self.changing.lock().await;
        let known = self.get(namespace, name, kind).unwrap_or_default();
        let mut config = TaskQueueConfig::clone(&known);
        change(&mut config)?;
        if config == *known {
            return Ok(known);
        }
        let key = Key {
            namespace,
            kind: kind.into(),
            name: name.to_owned(),
        };
        let is_empty = config == TaskQueueConfig::default();
        let bytes = (!is_empty).then(|| config.encode_to_vec().into());
        self.store.meta_put(vec![(key.in_store(), bytes)]).await?;
        let mut configs = Configs::clone(&self.current.load());
        let config = Arc::new(config);
        if is_empty {
            configs.remove(&key);
        } else {
            configs.insert(key, Arc::clone(&config));
        }
        self.current.store(Arc::new(configs));
        Ok(config)
    }

    /// Forgets the settings of a namespace that is deleted.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn remove_namespace(&self, namespace: Uuid) -> Result<(), StoreError> {
        let _turn = self.changing.lock().await;
        let mut configs = Configs::clone(&self.current.load());
        let gone: Vec<_> = configs
            .extract_if(|key, _| key.namespace == namespace)
            .map(|(key, _)| (key.in_store(), None))
            .collect();
        if !gone.is_empty() {
            self.store.meta_put(gone).await?;
            self.current.store(Arc::new(configs));
        }
        Ok(())
    }
}

/// The rate of a limit, in tasks a second.
pub fn rate_of(limit: Option<&RateLimitConfig>) -> Option<f64> {
    let rate = limit?.rate_limit.as_ref()?;
    Some(f64::from(rate.requests_per_second))
}
