//! What the deployments of each namespace say about its task queues. Read on every step and every offer, so
//! reading takes no lock.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use engine::deployment::Routing;
use uuid::Uuid;

/// The routing of each namespace that has deployments.
#[derive(Default)]
pub struct Routes {
    by_namespace: ArcSwap<HashMap<Uuid, Arc<Routing>>>,
    none: Arc<Routing>,
}

impl Routes {
    /// The routing of a namespace now.
    pub fn of(&self, namespace: Uuid) -> Arc<Routing> {
        let all = self.by_namespace.load();
        Arc::clone(all.get(&namespace).unwrap_or(&self.none))
    }

    /// The only writer is the registry, which takes turns.
    pub(super) fn set(&self, namespace: Uuid, routing: Routing) {
        let mut all = HashMap::clone(&self.by_namespace.load());
        all.insert(namespace, Arc::new(routing));
        self.by_namespace.store(Arc::new(all));
    }
}
