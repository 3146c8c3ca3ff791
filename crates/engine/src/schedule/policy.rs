//! What a start means while another action runs: the overlap policies (behaviour, section 8).

use proto::temporal::api::enums::v1::ScheduleOverlapPolicy as Overlap;

/// What becomes of the starts that wait.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Decision {
    /// To start now, beside anything.
    pub(super) beside: Vec<u64>,
    /// To start now, with nothing else running.
    pub(super) alone: Option<u64>,
    /// Passed over.
    pub(super) skipped: Vec<u64>,
    /// What runs is to be cancelled, or terminated, so that a start that waits can follow.
    pub(super) cancel: bool,
    pub(super) terminate: bool,
}

/// Decides on waiting starts, given by number and policy in their order. Those that are not named in the
/// decision go on waiting.
pub(super) fn decide(
    waiting: impl IntoIterator<Item = (u64, Overlap)>,
    is_running: bool,
) -> Decision {
    let mut decision = Decision::default();
    let mut kept = 0_usize;
    for (number, policy) in waiting {
        if policy == Overlap::AllowAll {
            decision.beside.push(number);
            continue;
        }
        if !is_running && decision.alone.is_none() {
            decision.alone = Some(number);
            continue;
        }
        match policy {
            Overlap::BufferOne if kept == 0 => kept += 1,
            Overlap::BufferAll => kept += 1,
            Overlap::CancelOther | Overlap::TerminateOther if is_running => {
                decision.terminate |= policy == Overlap::TerminateOther;
                decision.cancel = true;
                kept += 1;
            }
            // The one in the way has not begun: this one takes its place.
            Overlap::CancelOther | Overlap::TerminateOther => {
                decision.skipped.extend(decision.alone.replace(number));
            }
            _ => decision.skipped.push(number),
        }
    }
    decision
}

#[cfg(test)]
mod tests {
    use super::{Decision, Overlap, decide};

    fn of(policies: &[Overlap], is_running: bool) -> Decision {
        decide((1..).zip(policies.iter().copied()), is_running)
    }

    #[test]
    fn policies_while_nothing_runs() {
        use Overlap::*;
        // Policies; what starts alone, what beside; what is skipped.
        type Case<'a> = (&'a [Overlap], Option<u64>, &'a [u64], &'a [u64]);
        let table: [Case<'_>; 7] = [
            (&[Skip, Skip, Skip], Some(1), &[], &[2, 3]),
            (&[BufferOne, BufferOne, BufferOne], Some(1), &[], &[3]),
            (&[BufferAll, BufferAll, BufferAll], Some(1), &[], &[]),
            (&[CancelOther, CancelOther], Some(2), &[], &[1]),
            (&[TerminateOther, TerminateOther], Some(2), &[], &[1]),
            (&[AllowAll, AllowAll], None, &[1, 2], &[]),
            (&[Skip, AllowAll, BufferAll], Some(1), &[2], &[]),
        ];
        for (policies, alone, beside, skipped) in table {
            let decision = of(policies, false);
            assert_eq!(decision.alone, alone, "{policies:?}");
            assert_eq!(decision.beside, beside, "{policies:?}");
            assert_eq!(decision.skipped, skipped, "{policies:?}");
            assert!(!decision.cancel && !decision.terminate, "{policies:?}");
        }
    }

    #[test]
    fn policies_while_another_runs() {
        use Overlap::*;
        // Policies; what starts beside, what is skipped; whether the other is cancelled, terminated.
        type Case<'a> = (&'a [Overlap], &'a [u64], &'a [u64], bool, bool);
        let table: [Case<'_>; 7] = [
            (&[Skip, Skip], &[], &[1, 2], false, false),
            (&[BufferOne, BufferOne], &[], &[2], false, false),
            (&[BufferAll, BufferOne], &[], &[2], false, false),
            (&[CancelOther], &[], &[], true, false),
            (&[TerminateOther], &[], &[], true, true),
            (&[AllowAll, Skip], &[1], &[2], false, false),
            (&[CancelOther, TerminateOther, Skip], &[], &[3], true, true),
        ];
        for (policies, beside, skipped, cancel, terminate) in table {
            let decision = of(policies, true);
            assert_eq!(decision.alone, None, "{policies:?}");
            assert_eq!(decision.beside, beside, "{policies:?}");
            assert_eq!(decision.skipped, skipped, "{policies:?}");
            assert_eq!((decision.cancel, decision.terminate), (cancel, terminate));
        }
    }
}
