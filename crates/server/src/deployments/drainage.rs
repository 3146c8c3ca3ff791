//! Looks from time to time whether a version that takes no new workflows has any left (behaviour, section
//! 6.9). While nothing drains it sleeps until something does.

use std::sync::Arc;
use std::time::Duration;

use engine::deployment::{DrainagePace, Version};
use engine::time::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::{ChangeError, Deployments};
use crate::node::Node;
use crate::visibility;

/// After a look that failed because the store is away.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Runs until the server stops.
pub async fn watch(node: Arc<Node>, pace: DrainagePace, mut stopping: watch::Receiver<bool>) {
    loop {
        let deployments = &node.deployments;
        let changed = deployments.changed();
        let now = node.clock.now();
        let mut next: Option<Timestamp> = None;
        for (namespace, version, due) in deployments.draining(pace) {
            let due = if due > now {
                due
            } else {
                match look(deployments, &node, namespace, &version).await {
                    Ok(()) => continue,
                    Err(error) => {
                        tracing::warn!(%version, %error, "drainage cannot be looked at");
                        now.after(TRY_AGAIN_AFTER)
                    }
                }
            };
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        let wait = next.map(|at| at.since(node.clock.now()));
        tokio::select! {
            () = changed => {}
            () = sleep(wait) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

async fn look(
    deployments: &Deployments,
    node: &Node,
    namespace: Uuid,
    version: &Version,
) -> Result<(), ChangeError> {
    let pinned = visibility::count_pinned(&*node.store, namespace, version).await?;
    let now = node.clock.now();
    let change = |deployment: &mut engine::deployment::Deployment,
                  _: engine::deployment::Surroundings<'_>| {
        deployment.drainage_checked(&version.build_id, pinned, now);
        Ok(())
    };
    let name = &version.deployment_name;
    deployments
        .change(&node.matching, namespace, name, now, change)
        .await
}
