//! Time in: which function takes which due moment.

use std::sync::Arc;

use vouch_primitives::Timestamp;
use vouch_storage::{
    BoxError, Txn,
    timers::{Batch, DueTimer},
};

use crate::app::{
    App, earnings::SETTLE, invoices::CLOSE_WEEK, milestones::AUTO_APPROVE, payout_dispatch::SEND, payout_runs::RUN,
};

/// The kinds that ask a payment provider, and so are carried out outside a transaction.
pub const TASKS: &[&str] = &[SEND];

/// Carries out the timers of one kind inside the transaction that takes them.
///
/// # Errors
/// The use case's own; an unknown kind, which only a newer version can have set.
pub async fn fire(app: App, txn: Arc<Txn>, due: Batch) -> Result<(), BoxError> {
    match due.kind.as_str() {
        AUTO_APPROVE => app.auto_approve(&txn, due.now, &due.timers).await?,
        CLOSE_WEEK => app.close_weeks(&txn, due.now, &due.timers).await?,
        RUN => app.run_payouts(&txn, due.now, &due.timers).await?,
        SETTLE => app.settle_earnings(&txn, due.now, &due.timers).await?,
        unknown => return Err(format!("no timer is called {unknown:?}").into()),
    }
    Ok(())
}

/// Carries out one timer outside a transaction. When it has done its work, it is set for later or taken back.
///
/// # Errors
/// The use case's own; an unknown kind, which only a mistake in [`TASKS`] can bring here.
pub async fn run(app: App, due: DueTimer, now: Timestamp) -> Result<(), BoxError> {
    match due.kind.as_str() {
        SEND => app.send_payouts(due.key, now).await?,
        unknown => return Err(format!("no task is called {unknown:?}").into()),
    }
    Ok(())
}
