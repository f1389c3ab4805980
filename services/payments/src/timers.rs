//! Time in: which function takes which due moment.

use std::sync::Arc;

use vouch_primitives::Timestamp;
use vouch_storage::{
    BoxError, Txn,
    timers::{Batch, DueTimer},
};

use crate::app::{
    App,
    charges::{CHARGE, RETRY},
    client_refunds::REFUND,
    earnings::SETTLE,
    invoices::CLOSE_WEEK,
    milestones::AUTO_APPROVE,
    outcomes::CHARGE_BACK,
    payout_dispatch::SEND,
    payout_runs::RUN,
    periods::CLOSE_PERIOD,
};

/// The kinds that ask a payment provider, and so are carried out outside a transaction.
pub const TASKS: &[&str] = &[SEND];

/// Those that turn to a payment provider as well, many at a time.
pub const BATCHES: &[&str] = &[CHARGE, REFUND];

/// Carries out the timers of one kind inside the transaction that takes them.
///
/// # Errors
/// The use case's own; an unknown kind, which only a newer version can have set.
pub async fn fire(app: App, txn: Arc<Txn>, due: Batch) -> Result<(), BoxError> {
    match due.kind.as_str() {
        AUTO_APPROVE => app.auto_approve(&txn, due.now, &due.timers).await?,
        CHARGE_BACK => app.charge_back_charges(&txn, due.now, &due.timers).await?,
        CLOSE_WEEK => app.close_weeks(&txn, due.now, &due.timers).await?,
        RETRY => app.retry_charges(&txn, due.now, &due.timers).await?,
        RUN => app.run_payouts(&txn, due.now, &due.timers).await?,
        CLOSE_PERIOD => app.close_periods(&txn, due.now, &due.timers).await?,
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

/// Carries out timers of one kind outside a transaction. Those whose work is done are taken back by it.
///
/// # Errors
/// The use case's own; an unknown kind, which only a mistake in [`BATCHES`] can bring here.
pub async fn run_batch(app: App, due: Batch) -> Result<(), BoxError> {
    match due.kind.as_str() {
        CHARGE => app.send_charges(&due.timers).await?,
        REFUND => app.send_client_refunds(&due.timers).await?,
        unknown => return Err(format!("no task is called {unknown:?}").into()),
    }
    Ok(())
}
