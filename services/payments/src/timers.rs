//! Time in: which function takes which due moment.

use std::sync::Arc;

use vouch_storage::{BoxError, Txn, timers::Batch};

use crate::app::{App, earnings::SETTLE, invoices::CLOSE_WEEK, milestones::AUTO_APPROVE};

/// Carries out the timers of one kind inside the transaction that takes them.
///
/// # Errors
/// The use case's own; an unknown kind, which only a newer version can have set.
pub async fn fire(app: App, txn: Arc<Txn>, due: Batch) -> Result<(), BoxError> {
    match due.kind.as_str() {
        AUTO_APPROVE => app.auto_approve(&txn, due.now, &due.timers).await?,
        CLOSE_WEEK => app.close_weeks(&txn, due.now, &due.timers).await?,
        SETTLE => app.settle_earnings(&txn, due.now, &due.timers).await?,
        unknown => return Err(format!("no timer is called {unknown:?}").into()),
    }
    Ok(())
}
