//! Time in: which function takes which due moment.

use std::sync::Arc;

use vouch_primitives::{RequestId, StoredFileId, TaxFormId};
use vouch_storage::{
    BoxError, Txn,
    timers::{Batch, DueTimer},
};

use crate::app::{App, FINISH_ACCEPTANCE, LAPSE_OFFER, PASS_TAX_FORM_ON, SWEEP_FILE};

/// The kinds that ask another service, or the store of files, and so are carried out outside a transaction.
pub const TASKS: &[&str] = &[FINISH_ACCEPTANCE, PASS_TAX_FORM_ON, SWEEP_FILE];

/// Carries out the timers of one kind inside the transaction that takes them.
///
/// # Errors
/// The use case's own; an unknown kind, which only a newer version can have set.
pub async fn fire(app: App, txn: Arc<Txn>, due: Batch) -> Result<(), BoxError> {
    match due.kind.as_str() {
        LAPSE_OFFER => app.lapse_offers(&txn, &due).await?,
        unknown => return Err(format!("no timer is called {unknown:?}").into()),
    }
    Ok(())
}

/// Carries out one timer outside a transaction. When it has done its work, it is taken back.
///
/// # Errors
/// The use case's own; an unknown kind, which only a mistake in [`TASKS`] can bring here.
pub async fn run(app: App, due: DueTimer) -> Result<(), BoxError> {
    match due.kind.as_str() {
        FINISH_ACCEPTANCE => app.take_up_acceptance(RequestId::from_uuid(due.key)).await?,
        PASS_TAX_FORM_ON => app.pass_tax_form_on(TaxFormId::from_uuid(due.key)).await?,
        SWEEP_FILE => app.sweep_file(StoredFileId::from_uuid(due.key)).await?,
        unknown => return Err(format!("no task is called {unknown:?}").into()),
    }
    Ok(())
}
