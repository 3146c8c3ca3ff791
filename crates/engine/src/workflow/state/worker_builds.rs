//! The builds that workers of a run said of themselves, as the list of its search attribute `BuildIds` shows
//! them, and the checksums of `BinaryChecksums` (behaviour, section 1.6).

use std::sync::Arc;

use proto::temporal::api::common::v1::WorkerVersionStamp;

use super::{Core, State};

/// Bytes of the list; the oldest builds make room.
const BYTES_MAX: usize = 2048;

impl Core {
    /// A worker of this build completed a workflow task. Only from the second build on is a list kept.
    pub(super) fn worked_on_by(&mut self, stamp: Option<&WorkerVersionStamp>) {
        let before = self.worker_version.as_deref().and_then(entry);
        let now = stamp.and_then(entry);
        if self.builds.is_some() || before.is_some() && before != now {
            let builds = with(all(self).collect(), now);
            self.builds = (!builds.is_empty()).then(|| Arc::new(builds));
        }
        self.worker_version = stamp.cloned().map(Arc::new);
    }
}

/// A list with one more build, if it is new.
fn with(mut builds: Vec<String>, now: Option<String>) -> Vec<String> {
    builds.extend(now.filter(|now| !builds.contains(now)));
    while bytes(&builds) > BYTES_MAX {
        builds.remove(0);
    }
    builds
}

/// The builds, the first one first.
pub(crate) fn all(core: &Core) -> impl Iterator<Item = String> + '_ {
    let only = core.worker_version.as_deref().and_then(entry);
    let only = only.filter(|_| core.builds.is_none());
    let several = core.builds.iter().flat_map(|builds| builds.iter().cloned());
    several.chain(only)
}

/// The checksums of all that a run can be reset to, once a worker of this run said one.
pub(crate) fn checksums(state: &State) -> Vec<String> {
    let points = || {
        let points = state.core.reset_points.iter();
        points.filter(|point| !point.binary_checksum.is_empty())
    };
    if !points().any(|point| point.run_id == state.run_id.to_string()) {
        return Vec::new();
    }
    points()
        .map(|point| point.binary_checksum.clone())
        .collect()
}

fn entry(stamp: &WorkerVersionStamp) -> Option<String> {
    let kind = if stamp.use_versioning {
        "versioned"
    } else {
        "unversioned"
    };
    (!stamp.build_id.is_empty()).then(|| format!("{kind}:{}", stamp.build_id))
}

/// The list as JSON, with the word that comes before it.
fn bytes(builds: &[String]) -> usize {
    let quoted = builds.iter().map(|build| build.len() + 3);
    r#"["unversioned"]"#.len() + quoted.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_builds_make_room() {
        let mut builds = Vec::new();
        for number in 100..400 {
            let build = format!("unversioned:{number}");
            builds = with(builds, Some(build.clone()));
            builds = with(builds, Some(build.clone()));
            assert_eq!(builds.last(), Some(&build));
            assert!(bytes(&builds) <= BYTES_MAX);
        }
        // 15 bytes, two quotes and a comma each.
        assert_eq!(builds.len(), (BYTES_MAX - 15) / 18);
        assert_eq!(with(builds.clone(), None), builds);
    }
}
