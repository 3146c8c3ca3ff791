//! Reading a state in two halves: look at it now, tell the reader once what was seen is durable.

use tokio::sync::oneshot;

use super::CallError;
use super::cell::Cell;

/// A reader of one run's state.
pub(super) trait Look: Send {
    /// Looks. Called once at most.
    fn look(&mut self, cell: &Cell);
    /// Tells the reader: what was seen, or why nothing was.
    fn answer(self: Box<Self>, outcome: Result<(), CallError>);
    /// Nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
}

/// A [`Look`] made of a function.
pub(super) struct Looker<T, F> {
    look: Option<F>,
    seen: Option<T>,
    answer: oneshot::Sender<Result<T, CallError>>,
}

/// A reader and where its answer arrives.
pub(super) fn looker<T, F>(look: F) -> (Box<dyn Look>, oneshot::Receiver<Result<T, CallError>>)
where
    T: Send + 'static,
    F: FnOnce(&Cell) -> T + Send + 'static,
{
    let (answer, receiver) = oneshot::channel();
    (
        Box::new(Looker {
            look: Some(look),
            seen: None,
            answer,
        }),
        receiver,
    )
}

impl<T: Send, F: FnOnce(&Cell) -> T + Send> Look for Looker<T, F> {
    fn look(&mut self, cell: &Cell) {
        if let Some(look) = self.look.take() {
            self.seen = Some(look(cell));
        }
    }

    fn answer(self: Box<Self>, outcome: Result<(), CallError>) {
        let seen = self.seen;
        let answer = outcome.and_then(|()| {
            seen.ok_or_else(|| CallError::Unavailable("the execution was not read".to_owned()))
        });
        // A reader that went away needs no answer.
        let _ = self.answer.send(answer);
    }

    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }
}
