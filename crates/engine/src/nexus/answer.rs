//! What a worker's answer means to the workflow that waits for it (behaviour, section 10.3).

use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::nexus::v1::response::Variant;
use proto::temporal::api::nexus::v1::start_operation_response::Variant as Started;
use proto::temporal::api::nexus::v1::{HandlerError, Response};

use super::failure::{
    ReadJson, from_handler_error, from_nexus, handler_failure, is_retryable, operation_cause,
};
use super::link;
use crate::workflow::input::{NexusAnswer, NexusOutcome};

/// What a worker made of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was carried out.
    Response(Response),
    /// It was refused, with a failure that says so.
    Failed(Failure),
    /// It was refused, as older workers say it.
    HandlerError(HandlerError),
    /// Nobody answered in time.
    TimedOut,
}

/// A refusal, final or not as the failure says.
pub fn refused(failure: Failure) -> NexusAnswer {
    let retryable = match &failure.failure_info {
        Some(FailureInfo::NexusHandlerFailureInfo(info)) => {
            is_retryable(&info.r#type, info.retry_behavior)
        }
        _ => true,
    };
    NexusAnswer::Refused { failure, retryable }
}

/// The answer to a request to start an operation.
pub fn to_start(answer: Answer, read_json: ReadJson<'_>) -> NexusAnswer {
    let response = match answer {
        Answer::Response(response) => response,
        other => return not_carried_out(other, read_json),
    };
    let Some(Variant::StartOperation(started)) = response.variant else {
        return empty();
    };
    match started.variant {
        Some(Started::SyncSuccess(sync)) => NexusAnswer::Ended {
            outcome: NexusOutcome::Succeeded(sync.payload),
            links: link::from_nexus(&sync.links),
        },
        Some(Started::AsyncSuccess(started)) => NexusAnswer::Started {
            token: started.operation_token,
            links: link::from_nexus(&started.links),
        },
        Some(Started::OperationError(error)) => {
            let failure = error.failure.unwrap_or_default();
            let failure = from_nexus(&failure, read_json);
            ended_badly(failure, error.operation_state == "canceled")
        }
        Some(Started::Failure(failure)) => {
            let canceled = matches!(
                failure.failure_info,
                Some(FailureInfo::CanceledFailureInfo(_))
            );
            ended_badly(failure, canceled)
        }
        None => empty(),
    }
}

/// The answer to a request to cancel one.
pub fn to_cancel(answer: Answer, read_json: ReadJson<'_>) -> NexusAnswer {
    match answer {
        Answer::Response(_) => NexusAnswer::Ended {
            outcome: NexusOutcome::Succeeded(None),
            links: Vec::new(),
        },
        other => not_carried_out(other, read_json),
    }
}

/// An operation that ended without a result.
pub fn ended_badly(failure: Failure, canceled: bool) -> NexusAnswer {
    let failure = operation_cause(failure, canceled);
    NexusAnswer::Ended {
        outcome: if canceled {
            NexusOutcome::Canceled(failure)
        } else {
            NexusOutcome::Failed(failure)
        },
        links: Vec::new(),
    }
}

fn not_carried_out(answer: Answer, read_json: ReadJson<'_>) -> NexusAnswer {
    match answer {
        // The protocol has no place for a handler's source.
        Answer::Failed(failure) => refused(Failure {
            source: String::new(),
            ..failure
        }),
        Answer::HandlerError(error) => refused(from_handler_error(&error, read_json)),
        Answer::TimedOut => refused(handler_failure("UPSTREAM_TIMEOUT", "upstream timeout")),
        Answer::Response(_) => empty(),
    }
}

fn empty() -> NexusAnswer {
    refused(handler_failure("INTERNAL", "empty outcome"))
}

#[cfg(test)]
mod tests {
    use proto::temporal::api::nexus::v1::start_operation_response::Async;
    use proto::temporal::api::nexus::v1::{
        CancelOperationResponse, StartOperationResponse, UnsuccessfulOperationError,
    };

    use super::*;

    const NOTHING: ReadJson<'static> = &|_| None;

    fn started(variant: Option<Started>) -> Answer {
        Answer::Response(Response {
            variant: Some(Variant::StartOperation(StartOperationResponse { variant })),
        })
    }

    fn retryable(answer: &NexusAnswer) -> Option<bool> {
        match answer {
            NexusAnswer::Refused { retryable, .. } => Some(*retryable),
            NexusAnswer::Ended { .. } | NexusAnswer::Started { .. } => None,
        }
    }

    #[test]
    fn what_is_no_answer_is_asked_again() {
        let cancel = Response {
            variant: Some(Variant::CancelOperation(CancelOperationResponse {})),
        };
        for answer in [
            Answer::TimedOut,
            Answer::Response(Response::default()),
            Answer::Response(cancel.clone()),
            started(None),
            Answer::Failed(handler_failure("INTERNAL", "x")),
        ] {
            assert_eq!(retryable(&to_start(answer, NOTHING)), Some(true));
        }
        let refused = Answer::Failed(handler_failure("BAD_REQUEST", "x"));
        assert_eq!(retryable(&to_start(refused, NOTHING)), Some(false));
        let taken = to_cancel(Answer::Response(cancel), NOTHING);
        assert_eq!(retryable(&taken), None);
    }

    #[test]
    fn an_operation_starts_or_ends() {
        let token = Async {
            operation_token: "t".into(),
            ..Async::default()
        };
        let answer = to_start(started(Some(Started::AsyncSuccess(token))), NOTHING);
        assert!(matches!(answer, NexusAnswer::Started { token, .. } if token == "t"));
        let error = UnsuccessfulOperationError {
            operation_state: "canceled".into(),
            failure: None,
        };
        let answer = to_start(started(Some(Started::OperationError(error))), NOTHING);
        let NexusAnswer::Ended {
            outcome: NexusOutcome::Canceled(failure),
            ..
        } = answer
        else {
            unreachable!("{answer:?}")
        };
        assert!(matches!(
            failure.failure_info,
            Some(FailureInfo::CanceledFailureInfo(_))
        ));
    }
}
