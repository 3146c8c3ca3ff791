//! Settings by the names of the reference's dynamic configuration, as far as they mean something
//! here.

use std::time::Duration;

use engine::cron::duration;
use engine::deployment::DrainagePace;
use engine::limits::Limits;
use engine::nexus::callback::AllowedAddress;
use serde_json::Value;

use crate::node::POLL_HOLD_MAX;

/// Set by SDKs' suites and test environments each time, to what is always so here.
const ALWAYS_ON: [&str; 25] = [
    "activity.enablestandalone",
    "activity.startdelayenabled",
    "frontend.activityapisenabled",
    "frontend.enablecancelworkerpollsonshutdown",
    "frontend.enableexecutemultioperation",
    "frontend.enableserverversioncheck",
    "frontend.enableupdateworkflowexecution",
    "frontend.enableupdateworkflowexecutionasyncaccepted",
    "frontend.listworkersenabled",
    "frontend.workerheartbeatsenabled",
    "frontend.workerversioningworkflowapis",
    "frontend.workflowpauseenabled",
    "history.enablechasm",
    "history.enablechasmcallbacks",
    "history.enablerequestidreflinks",
    "history.enablestandaloneactivityoperatorcommands",
    "history.enableupdatecallbacks",
    "matching.usenewmatcher",
    "component.nexusoperations.recordcancelrequestcompletionevents",
    "nexusoperation.enablestandalone",
    "system.enableactivityeagerexecution",
    "system.enabledeployments",
    "system.enabledeploymentversions",
    "system.enableeagerworkflowstart",
    "system.forcesearchattributescacherefreshonread",
];

/// What settings change.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The limits of requests and runs.
    pub limits: Limits,
    /// How long a history read waits for news.
    pub history_wait: Duration,
    /// How long a task poll is held at most.
    pub poll_hold_max: Duration,
    /// How often versions that drain are looked at.
    pub drainage: DrainagePace,
    /// The `Host` headers with which the API is served over HTTP, `*` for anything; `None` is all.
    pub http_allowed_hosts: Option<Vec<String>>,
    /// Where completion callbacks to this server come in over HTTP; `{namespace}` stands for a namespace.
    pub callback_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            history_wait: Duration::from_secs(20),
            poll_hold_max: POLL_HOLD_MAX,
            drainage: DrainagePace::default(),
            http_allowed_hosts: None,
            callback_url: None,
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
            "frontend.workflowtimeskippingenabled" => {
                let enabled = value.as_bool().ok_or_else(|| wrong("true or false"))?;
                limits.time_skipping_enabled = enabled;
            }
            "frontend.workflowtimeskippingmaxskippersession" => {
                let max = i32::try_from(count()?).map_err(|_| wrong("a number"))?;
                limits.time_skips_per_session_max = max;
            }
            "matching.wv.versiondrainagestatusvisibilitygraceperiod" => {
                self.drainage.grace = span()?;
            }
            "matching.wv.versiondrainagestatusrefreshinterval" => {
                self.drainage.interval = span()?;
            }
            "component.nexusoperations.limit.operation.concurrency"
            | "nexusoperation.limit.operation.concurrencyperworkflow.max" => {
                limits.pending_nexus_operations_max = size()?;
            }
            "system.maxcallbacksperworkflow" | "callback.maxperexecution" => {
                limits.callbacks_max = size()?;
            }
            "activity.enablecallbacks" => {
                let enabled = value.as_bool().ok_or_else(|| wrong("true or false"))?;
                limits.activity_callbacks_enabled = enabled;
            }
            "history.enableworkflowtaskcompletionpagination" => {
                let enabled = value.as_bool().ok_or_else(|| wrong("true or false"))?;
                limits.completion_pages_enabled = enabled;
            }
            "history.workflowtaskcompletionbuffersizelimit" => {
                limits.completion_size_max = size()?;
            }
            "component.callbacks.allowedaddresses" | "callback.allowedaddresses" => {
                limits.callback_addresses =
                    addresses(value).ok_or_else(|| wrong("a list of {Pattern, AllowInsecure}"))?;
            }
            "component.nexusoperations.callback.endpoint.template"
            | "nexusoperation.callback.endpoint.template" => {
                let template = value.as_str().ok_or_else(|| wrong("an address"))?;
                self.callback_url = Some(template.replace("{{.NamespaceName}}", "{namespace}"));
            }
            "frontend.httpallowedhosts" => {
                let hosts = texts(value).ok_or_else(|| wrong("a list of hosts"))?;
                self.http_allowed_hosts = Some(hosts);
            }
            "history.longpollexpirationinterval" => self.history_wait = span()?,
            "matching.longpollexpirationinterval" => self.poll_hold_max = span()?,
            known if ALWAYS_ON.contains(&known) && value == &Value::Bool(true) => {}
            _ => return Err(SettingError::Unknown(name.to_owned())),
        }
        Ok(())
    }
}

/// Addresses: `[{"Pattern": "*.example.com:443", "AllowInsecure": false}]`.
fn addresses(value: &Value) -> Option<Vec<AllowedAddress>> {
    let address = |entry: &Value| {
        // Names are taken in any case, as the reference does.
        let field = |name: &str| {
            let fields = entry.as_object()?.iter();
            let mut named = fields.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            named.next().map(|(_, value)| value)
        };
        Some(AllowedAddress {
            pattern: field("Pattern")?.as_str()?.to_owned(),
            allow_insecure: field("AllowInsecure").is_some_and(|v| v == &Value::Bool(true)),
        })
    };
    value.as_array()?.iter().map(address).collect()
}

/// A list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    let text = |entry: &Value| entry.as_str().map(str::to_owned);
    value.as_array()?.iter().map(text).collect()
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

        let addresses = json!([{"Pattern": "*.h:1", "AllowInsecure": true}, {"pattern": "i"}]);
        let name = "callback.allowedAddresses";
        settings.set(name, &addresses).unwrap();
        let of_older_name = &mut Settings::default();
        of_older_name
            .set("component.callbacks.allowedAddresses", &addresses)
            .unwrap();
        assert_eq!(
            of_older_name.limits.callback_addresses,
            settings.limits.callback_addresses
        );
        assert!(!settings.limits.activity_callbacks_enabled);
        settings
            .set("activity.enableCallbacks", &json!(true))
            .unwrap();
        assert!(settings.limits.activity_callbacks_enabled);
        let allowed = |pattern: &str, allow_insecure| AllowedAddress {
            pattern: pattern.into(),
            allow_insecure,
        };
        assert_eq!(
            settings.limits.callback_addresses,
            [allowed("*.h:1", true), allowed("i", false)]
        );
        assert!(settings.set(name, &json!([{"x": 1}])).is_err());
        let template = json!("http://h/{{.NamespaceName}}/c");
        let name = "component.nexusoperations.callback.endpoint.template";
        settings.set(name, &template).unwrap();
        assert_eq!(
            settings.callback_url.as_deref(),
            Some("http://h/{namespace}/c")
        );

        let name = "matching.longPollExpirationInterval";
        settings.set(name, &json!("2s")).unwrap();
        assert_eq!(settings.poll_hold_max, Duration::from_secs(2));

        let before = settings.clone();
        // What is always on cannot be switched off.
        let on = "system.enableEagerWorkflowStart";
        assert_eq!(settings.set(on, &json!(true)), Ok(()));
        let off = settings.set(on, &json!(false)).unwrap_err();
        assert_eq!(off, SettingError::Unknown(on.into()));
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
