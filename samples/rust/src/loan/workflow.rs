//! Waits up to 14 days for a person to decide. While it waits it costs nothing: no worker has to run, and
//! the decision may arrive while none does.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_sdk::workflows::{select, workflow, workflow_methods};
use temporalio_sdk::{
    ActivityOptions, CancellableFuture, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult,
};

use super::activities::LoanActivities;

/// Who wants how much.
#[derive(Debug, Serialize, Deserialize)]
pub struct Application {
    pub applicant: String,
    pub cents: u64,
    /// How many seconds to wait for a decision; 14 days if left out.
    pub patience: Option<u64>,
}

/// What a person decided.
#[derive(Debug, Serialize, Deserialize)]
pub struct Decision {
    pub approved: bool,
    pub by: String,
}

/// Where a loan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    #[default]
    Waiting,
    Approved,
    Rejected,
    Expired,
}

/// Where it stands, and who decided.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    pub state: State,
    pub by: Option<String>,
}

/// One loan, from the application to the decision.
#[workflow]
#[derive(Default)]
pub struct Loan {
    status: Status,
}

#[workflow_methods]
impl Loan {
    #[run(name = "loanApproval")]
    pub async fn run(ctx: &mut WorkflowContext<Self>, loan: Application) -> WorkflowResult<Status> {
        let patience = loan.patience.unwrap_or(14 * 24 * 60 * 60);
        let mut timer = ctx.timer(Duration::from_secs(patience));
        let decided = select! {
            decided = ctx.wait_condition(|loan| loan.status.state != State::Waiting) => {
                decided?;
                true
            }
            _ = timer => false,
        };
        if decided {
            timer.cancel();
        } else {
            ctx.state_mut(|loan| loan.status.state = State::Expired);
        }
        let status = ctx.state(|loan| loan.status.clone());
        ctx.execute_activity(
            LoanActivities::notify_applicant,
            (loan.applicant, status.state),
            ActivityOptions::start_to_close_timeout(Duration::from_secs(10)),
        )
        .await?;
        Ok(status)
    }

    /// Approves or rejects. The first decision counts.
    #[signal]
    pub fn decide(&mut self, _ctx: &mut SyncWorkflowContext<Self>, decision: Decision) {
        if self.status.state == State::Waiting {
            let state = if decision.approved { State::Approved } else { State::Rejected };
            self.status = Status { state, by: Some(decision.by) };
        }
    }

    /// How it stands.
    #[query]
    pub fn status(&self, _ctx: &WorkflowContextView) -> Status {
        self.status.clone()
    }
}
