//! Time in: which function takes which due moment.

use std::sync::Arc;

use vouch_storage::{BoxError, Txn, timers::Batch};

use crate::app::{App, ERASE_AGAIN, EXPIRE_INVITATION, REMIND_OF_INVITATION};

/// Carries out the timers of one kind inside the transaction that takes them.
///
/// # Errors
/// The use case's own; an unknown kind, which only a newer version can have set.
pub async fn fire(app: App, txn: Arc<Txn>, due: Batch) -> Result<(), BoxError> {
    match due.kind.as_str() {
        EXPIRE_INVITATION => app.expire_invitations(&txn, &due).await?,
        REMIND_OF_INVITATION => app.remind_of_invitations(&txn, &due).await?,
        ERASE_AGAIN => app.erase_again(&txn, &due).await?,
        unknown => return Err(format!("no timer is called {unknown:?}").into()),
    }
    Ok(())
}
