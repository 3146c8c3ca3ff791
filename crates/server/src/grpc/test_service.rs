//! The API's TestService: tests of users' workflows lock and unlock a clock that skips time. Served only by a
//! server that has such a clock.

use std::sync::Arc;

use bytes::Bytes;
use engine::time::{Timestamp, duration};
use http::{Request, Response};
use hyper::body::Incoming;
use proto::temporal::api::testservice::v1::{
    GetCurrentTimeResponse, LockTimeSkippingResponse, SleepRequest, SleepResponse,
    SleepUntilRequest, UnlockTimeSkippingResponse,
};

use super::service::{ReplyBody, failure, success};
use crate::error::WireError;
use crate::shard::Clock;
use crate::time_skipping::{NotLocked, TimeSkipping};
use crate::wire;

pub(super) const TEST_SERVICE: &str = "temporal.api.testservice.v1.TestService";

/// Answers one request.
pub(super) async fn serve(
    clock: Arc<TimeSkipping>,
    method: String,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    let answered = match wire::read(body, wire::encoding(&head.headers)).await {
        Ok(message) => answer(&clock, &method, message).await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(framed) => success(framed),
        Err(error) => failure(&error),
    }
}

async fn answer(clock: &TimeSkipping, method: &str, message: Bytes) -> Result<Bytes, WireError> {
    let after = |message| -> Result<Timestamp, WireError> {
        let request: SleepRequest = wire::decode(message)?;
        Ok(clock.now().after(duration(request.duration.as_ref())))
    };
    match method {
        "LockTimeSkipping" => {
            clock.lock();
            Ok(wire::frame(&LockTimeSkippingResponse {}))
        }
        "UnlockTimeSkipping" => {
            clock.unlock().map_err(unbalanced)?;
            Ok(wire::frame(&UnlockTimeSkippingResponse {}))
        }
        "Sleep" => {
            clock.sleep_until(after(message)?).await;
            Ok(wire::frame(&SleepResponse {}))
        }
        "SleepUntil" => {
            let request: SleepUntilRequest = wire::decode(message)?;
            if let Some(time) = &request.timestamp {
                clock.sleep_until(Timestamp::from_proto(time)).await;
            }
            Ok(wire::frame(&SleepResponse {}))
        }
        "UnlockTimeSkippingWithSleep" => {
            let slept = clock.unlock_until(after(message)?).await;
            slept.map_err(unbalanced)?;
            Ok(wire::frame(&SleepResponse {}))
        }
        "GetCurrentTime" => Ok(wire::frame(&GetCurrentTimeResponse {
            time: Some(clock.now().to_proto()),
        })),
        _ => Err(WireError::unimplemented(format!(
            "unknown method {method} for service {TEST_SERVICE}"
        ))),
    }
}

fn unbalanced(_: NotLocked) -> WireError {
    WireError::failed_precondition("Unbalanced lock and unlock calls: time skipping is not locked")
}
