//! Steps of a script as the commands of the wire.

use proto::temporal::api::command::v1 as wire;
use proto::temporal::api::command::v1::command::Attributes;
use proto::temporal::api::common::v1::ActivityType;
use proto::temporal::api::enums::v1::CommandType;

use crate::api::normal_queue;
use crate::payload;
use crate::script::Step;

/// How long an attempt may run. The worker answers at once, so it only matters if a server hands an
/// attempt to nobody: the next one then shows as a slow result instead of a lost one.
pub(crate) const ACTIVITY_TIMEOUT_SECONDS: i64 = 20;

/// The command for one step of a workflow whose activities are on `queue`.
pub(crate) fn command(step: &Step, queue: &str) -> wire::Command {
    match step {
        Step::Schedule(number) => schedule(*number, queue),
        Step::StartTimer { millis } => {
            let attributes = wire::StartTimerCommandAttributes {
                timer_id: String::from("timer"),
                start_to_fire_timeout: Some(duration(*millis)),
            };
            of(
                CommandType::StartTimer,
                Attributes::StartTimerCommandAttributes(attributes),
            )
        }
        Step::Complete(result) => {
            let attributes = wire::CompleteWorkflowExecutionCommandAttributes {
                result: Some(payload::of_json(result)),
            };
            of(
                CommandType::CompleteWorkflowExecution,
                Attributes::CompleteWorkflowExecutionCommandAttributes(attributes),
            )
        }
    }
}

/// A command that only makes the history longer.
pub(crate) fn marker() -> wire::Command {
    let attributes = wire::RecordMarkerCommandAttributes {
        marker_name: String::from("filler"),
        ..Default::default()
    };
    of(
        CommandType::RecordMarker,
        Attributes::RecordMarkerCommandAttributes(attributes),
    )
}

fn schedule(number: u64, queue: &str) -> wire::Command {
    let attributes = wire::ScheduleActivityTaskCommandAttributes {
        activity_id: number.to_string(),
        activity_type: Some(ActivityType {
            name: String::from("Echo"),
        }),
        task_queue: Some(normal_queue(queue)),
        input: Some(payload::of_json(&number)),
        start_to_close_timeout: Some(proto::Duration {
            seconds: ACTIVITY_TIMEOUT_SECONDS,
            nanos: 0,
        }),
        ..Default::default()
    };
    of(
        CommandType::ScheduleActivityTask,
        Attributes::ScheduleActivityTaskCommandAttributes(attributes),
    )
}

fn of(command_type: CommandType, attributes: Attributes) -> wire::Command {
    wire::Command {
        command_type: command_type.into(),
        attributes: Some(attributes),
        ..Default::default()
    }
}

fn duration(millis: u64) -> proto::Duration {
    proto::Duration {
        // A timer of 292 million years is none of ours.
        seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX),
        nanos: (millis % 1000) as i32 * 1_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_split() {
        assert_eq!(
            duration(1_250),
            proto::Duration {
                seconds: 1,
                nanos: 250_000_000
            }
        );
    }

    #[test]
    fn an_activity_carries_its_number_as_id_and_input() {
        let command = command(&Step::Schedule(7), "q");
        let Some(Attributes::ScheduleActivityTaskCommandAttributes(a)) = command.attributes else {
            panic!("not an activity: {command:?}");
        };
        assert_eq!(a.activity_id, "7");
        assert_eq!(payload::to_json::<u64>(a.input.as_ref()), Some(7));
        assert_eq!(
            command.command_type,
            CommandType::ScheduleActivityTask as i32
        );
    }
}
