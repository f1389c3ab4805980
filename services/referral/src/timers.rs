//! Time in: from timer kind to use case.

use std::sync::Arc;

use vouch_storage::{
    BoxError, Txn,
    timers::{Batch, Handler},
};

use crate::app::{
    App,
    attribution::WINDOW_END,
    books::RELEASE,
    inviting::{EXPIRE, REMIND},
};

/// What the timers' worker calls.
#[must_use]
pub fn handler(app: App) -> Handler {
    Arc::new(move |txn, batch| {
        let app = app.clone();
        Box::pin(async move { fire(&app, &txn, &batch).await })
    })
}

async fn fire(app: &App, txn: &Txn, batch: &Batch) -> Result<(), BoxError> {
    match batch.kind.as_str() {
        WINDOW_END => Ok(app.on_window_ended(txn, &batch.keys(), batch.now).await?),
        RELEASE => Ok(app.on_releases_due(txn, &batch.keys(), batch.now).await?),
        EXPIRE => Ok(app.expire_invitations(txn, batch).await?),
        REMIND => Ok(app.remind_of_invitations(txn, batch).await?),
        unknown => Err(format!("unknown kind of timer: {unknown}").into()),
    }
}
