//! Settings by the names of the reference's dynamic configuration, as far as they mean something
//! here.

use std::time::Duration;

use engine::cron::duration;
use engine::deployment::DrainagePace;
use engine::limits::Limits;
use serde_json::Value;

/// What settings change.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The limits of requests and runs.
    pub limits: Limits,
    /// How long a history read waits for news.
    pub history_wait: Duration,
    /// How often versions that drain are looked at.
    pub drainage: DrainagePace,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            history_wait: Duration::from_secs(20),
            drainage: DrainagePace::default(),
        }
    }
}

/// Why a setting was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// It means nothing here. Not fatal: scripts set much that is about the reference's inside.
    #[error("the setting {0} is not known here, and is ignored")]
    Unknown(String),
    /// Its value makes no sense.
    #[error("the setting {name} needs {expected}, not {value}")]
    Value {
        /// The setting.
        name: String,
        /// What its value should be.
        expected: &'static str,
        /// What it is.
        value: String,
    },
}

impl Settings {
    /// Changes one setting. Names are taken in any case, as the reference does.
    ///
    /// # Errors
    /// See [`SettingError`]; nothing is changed then.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<(), SettingError> {
        let wrong = |expected| SettingError::Value {
            name: name.to_owned(),
            expected,
            value: value.to_string(),
        };
        let count = || {
            value
                .as_i64()
                .filter(|number| *number >= 0)
                .ok_or_else(|| wrong("a number"))
        };
        let size = || count().and_then(|n| usize::try_from(n).map_err(|_| wrong("a number")));
        let span = || time(value).ok_or_else(|| wrong("a time such as \"10s\""));
        let limits = &mut self.limits;
        match name.to_ascii_lowercase().as_str() {
            "limit.maxidlength" => limits.id_length_max = size()?,
            "limit.blobsize.error" => limits.blob_size_error = size()?,
            "limit.memosize.error" => limits.memo_size_error = size()?,
            "limit.historysize.error" => limits.history_size_error = count()?,
            "limit.historycount.error" => limits.history_count_error = count()?,
            "limit.historysize.suggestcontinueasnew" => limits.history_size_suggest = count()?,
            "limit.historycount.suggestcontinueasnew" => limits.history_count_suggest = count()?,
            "limit.numpendingactivities.error" => limits.pending_activities_max = size()?,
            "limit.numpendingchildexecutions.error" => limits.pending_children_max = size()?,
            "limit.numpendingsignals.error" => limits.pending_signals_max = size()?,
            "limit.numpendingcancelrequests.error" => limits.pending_cancel_requests_max = size()?,
            "limit.mutablestateactivityfailuresize.error" => {
                limits.activity_failure_size_max = size()?;
            }
            "limit.searchattributesnumberofkeyslimit"
            | "frontend.searchattributesnumberofkeyslimit" => {
                limits.search_attributes_keys_max = size()?;
            }
            "limit.searchattributessizeofvaluelimit"
            | "frontend.searchattributessizeofvaluelimit" => {
                limits.search_attribute_value_max = size()?;
            }
            "limit.searchattributestotalsizelimit" | "frontend.searchattributestotalsizelimit" => {
                limits.search_attributes_total_max = size()?;
            }
            "history.maximumsignalsperexecution" => limits.signals_per_execution_max = count()?,
            "history.maximumbufferedeventsbatch" => limits.buffered_events_max = size()?,
            "history.maximumbufferedeventssizeinbytes" => limits.buffered_size_max = size()?,
            "history.defaultworkflowtasktimeout" => limits.workflow_task_timeout_default = span()?,
            "history.workflowtaskheartbeattimeout" => limits.workflow_task_heartbeat_max = span()?,
            "history.workflowidreuseminimalinterval" => {
                limits.continue_as_new_min_interval = span()?;
            }
            "history.maxinflightupdates" => limits.updates_in_flight_max = size()?,
            "history.maxinflightupdatepayloads" => limits.updates_in_flight_size_max = size()?,
            "history.maxtotalupdates" => limits.updates_total_max = size()?,
            "history.maxtotalupdates.suggestcontinueasnewthreshold" => {
                let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
                limits.updates_suggest_threshold = share.ok_or_else(|| wrong("a share"))?;
            }
            "history.discardspeculativeworkflowtaskmaximumeventscount" => {
                limits.speculative_events_max = count()?;
            }
            "worker.batcherrps" => {
                let rate = u32::try_from(count()?).map_err(|_| wrong("a number"))?;
                limits.batch_rate_max = rate;
            }
            "worker.batcherconcurrency" => limits.batch_concurrency = size()?,
            "frontend.maxconcurrentbatchoperationpernamespace" => {
                limits.batches_running_max = size()?;
            }
            "frontend.maxexecutioncountbatchoperationpernamespace" => {
                limits.batch_executions_max = size()?;
            }
            "matching.wv.versiondrainagestatusvisibilitygraceperiod" => {
                self.drainage.grace = span()?;
            }
            "matching.wv.versiondrainagestatusrefreshinterval" => {
                self.drainage.interval = span()?;
            }
            "history.longpollexpirationinterval" => self.history_wait = span()?,
            _ => return Err(SettingError::Unknown(name.to_owned())),
        }
        Ok(())
    }
}

/// A time: text such as `"1m30s"`, or a number of seconds.
fn time(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => {
            let nanos = duration::parse(text)?;
            u64::try_from(nanos).ok().map(Duration::from_nanos)
        }
        Value::Number(number) => number.as_u64().map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_taken_or_refused() {
        let mut settings = Settings::default();
        settings.set("limit.blobSize.error", &json!(100)).unwrap();
        settings
            .set("HISTORY.LongPollExpirationInterval", &json!("1s"))
            .unwrap();
        settings
            .set("history.workflowIdReuseMinimalInterval", &json!(0))
            .unwrap();
        assert_eq!(settings.limits.blob_size_error, 100);
        assert_eq!(settings.history_wait, Duration::from_secs(1));
        assert_eq!(settings.limits.continue_as_new_min_interval, Duration::ZERO);

        let before = settings.clone();
        let unknown = settings.set("system.something", &json!(true)).unwrap_err();
        assert_eq!(unknown, SettingError::Unknown("system.something".into()));
        assert!(settings.set("limit.maxIDLength", &json!("x")).is_err());
        assert!(settings.set("limit.maxIDLength", &json!(-1)).is_err());
        assert!(
            settings
                .set("history.longPollExpirationInterval", &json!("soon"))
                .is_err()
        );
        assert_eq!(settings, before);
    }
}
