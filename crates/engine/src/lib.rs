//! **engine decides**: pure machines, matching, list filters.
//!
//! May depend on `proto` and on pure libraries. Law: no tokio, no async, no I/O, no clock, no randomness,
//! no log lines. Time, chance and ids are arguments. What an input does to an execution is decided here
//! and nowhere else.
//!
//! - [`execution`]: one door to executions of every kind, and how to add a kind.
//! - [`workflow`]: the workflow machine, the largest part. [`activity`]: standalone activities.
//! - [`schedule`]: the schedule machine: when to start which workflow.
//! - [`deployment`]: worker deployments: their versions, and which of them a task goes to.
//! - [`matching`]: pairs ready tasks with waiting pollers.
//! - [`nexus`]: endpoints, callbacks, and the protocol's failures and links.
//! - [`visibility`]: list filters, from text to a tree.
//! - [`batch`]: one operation on many executions.
//! - [`retry`], [`cron`], [`search_attributes`], [`limits`]: rules that several verbs share.
//! - [`time`], [`ids`], [`rejection`], [`field_mask`]: values.

// Deprecated fields of the API are still part of it.
#![allow(deprecated)]

pub mod activity;
pub mod batch;
pub mod cron;
pub mod deployment;
pub mod execution;
pub mod field_mask;
pub mod ids;
pub mod limits;
pub mod matching;
pub mod nexus;
pub mod nexus_operation;
pub mod rejection;
pub mod retry;
pub mod schedule;
pub mod search_attributes;
pub mod time;
pub mod visibility;
pub mod workflow;
mod zone;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

/// What a step must know of its namespace.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: Arc<str>,
    /// How long closed runs are kept.
    pub retention: Duration,
    /// The custom search attributes registered in it.
    pub search_attributes: BTreeMap<String, search_attributes::SearchAttributeType>,
}

/// What surrounds a step and does not change by it.
#[derive(Clone, Copy, Debug)]
pub struct Env<'a> {
    /// The run's namespace.
    pub namespace: &'a Namespace,
    /// The limits in force.
    pub limits: &'a limits::Limits,
    /// Where the namespace's deployments send tasks.
    pub routing: &'a deployment::Routing,
}

impl Env<'_> {
    /// Search attributes that a client or a worker sets, checked and in the form that is stored.
    ///
    /// # Errors
    /// As [`search_attributes::validate`].
    pub fn checked_search_attributes(
        &self,
        given: &proto::temporal::api::common::v1::SearchAttributes,
    ) -> Result<
        proto::temporal::api::common::v1::SearchAttributes,
        search_attributes::SearchAttributeError,
    > {
        let custom = |name: &str| self.namespace.search_attributes.get(name).copied();
        let limits = search_attributes::Limits {
            key_count_max: self.limits.search_attributes_keys_max,
            value_bytes_max: self.limits.search_attribute_value_max,
            total_bytes_max: self.limits.search_attributes_total_max,
        };
        search_attributes::validate(given, &self.namespace.name, &custom, limits)?;
        Ok(search_attributes::with_types(given, &custom))
    }
}
