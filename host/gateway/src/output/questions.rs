//! Questions leave only where the manifest lets a plugin ask, and only such as a person may be asked.

use wardkeep_audit::Closing;
use wardkeep_model::{Completion, CorrelationId, Outcome, Pause, Reply};
use wardkeep_policy::{Arguments, Permit};
use wardkeep_sandbox::Ran;

use super::{Rejected, Verdict, guard, pinned, withheld};
use crate::{asking::Asked, call::Step, record, running::Entered};

/// What the plugin asks, if it asks and its manifest lets it; else the run as it was.
#[expect(clippy::result_large_err, reason = "both are the run")]
pub(crate) fn pause(permit: &Permit, mut ran: Ran) -> Result<(Pause, Ran), Ran> {
    match ran.result {
        // one that holds a secret is no pause: the filter of answers withholds it
        Ok(Ok(Reply::InputRequired(pause)))
            if permit.tool().asks()
                && !permit.tool().returns().hides_words()
                && !guard::in_pause(ran.guard.as_ref(), &pause) =>
        {
            ran.result = Ok(Ok(Reply::Complete(Completion::default())));
            Ok((pause, ran))
        }
        result => Err(Ran { result, ..ran }),
    }
}

/// Questions that may be asked; or, where they may not, the answer in their place.
pub(crate) fn filter<'h>(
    permit: &Permit,
    id: &CorrelationId,
    ran: Ran,
    arguments: &Arguments,
    asked: Result<Asked, &'static str>,
    entered: Entered<'h>,
) -> (Step<'h>, Closing) {
    match asked {
        Ok(asked) => {
            let arguments = arguments.value().as_object().cloned().unwrap_or_default();
            (
                Step::Asks(Box::new(asked), arguments, entered),
                record::closing(Outcome::InputRequired, None, ran, Vec::new()),
            )
        }
        Err(class) => {
            let Verdict { outcome, class, answer } = withheld(permit.tool(), id, Rejected::Question(class));
            (Step::Done(pinned(permit.tool(), id, answer)), record::closing(outcome, class, ran, Vec::new()))
        }
    }
}
