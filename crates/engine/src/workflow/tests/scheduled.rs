//! Runs that are a schedule's actions, in stories: `start-scheduled`, `stop-action`. The schedule itself is not there: what
//! it is told is taken.

use bytes::Bytes;

use super::requests;
use super::script::{Fault, Played, Script};
use super::words::Words;
use crate::workflow::StartInput;
use crate::workflow::input::{Input, Peer, StartScheduled, StopAction, Watcher};

impl Script {
    /// As `start`, for the action `number=`.
    pub(super) fn start_scheduled(&mut self, words: &mut Words) -> Played {
        let number = words.number("number").unwrap_or(1).unsigned_abs();
        let request = requests::start(words);
        let id = request.workflow_id.clone();
        let action = StartScheduled {
            watcher: Watcher {
                workflow_id: "schedule".to_owned(),
                run_id: Bytes::from_static(&[7; 16]),
                number,
            },
            request: Box::new(request),
        };
        let input = StartInput::Scheduled(Box::new(action));
        let reply = self.world.start(&id, input).map_err(Fault::Broken)?;
        Ok(self.started(reply))
    }

    /// The schedule wants the chain to end, or with `other` a chain that is not there any more.
    pub(super) fn stop_action(&mut self, words: &mut Words) -> Played {
        let run = self.target(words)?;
        let chain = self.world.runs[run]
            .state
            .first_execution_run_id()
            .to_owned();
        let other = words.flag("other");
        let wish = StopAction {
            first_execution_run_id: if other { String::new() } else { chain },
            reason: "overlap".to_owned(),
            identity: "schedule".to_owned(),
            request_id: words.text_or("request", "stop"),
            terminate: words.flag("terminate"),
        };
        self.step(run, Input::Peer(Peer::StopAction(Box::new(wish))))
    }
}
