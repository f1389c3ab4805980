//! Facts in: which function takes which event of another service.

use vouch_messaging::{Fact, Router};
use vouch_proto::{Fields, Violations, onboarding::v1::OfferAccepted};

use crate::{app::App, domain::Hire, error::Error};

/// The table.
#[must_use]
pub fn router() -> Router<App, Error> {
    Router::<App, Error>::new("invitation").on::<OfferAccepted>(|app, txn, facts| {
        Box::pin(async move {
            let hires = facts.iter().map(hire).collect::<Result<Vec<_>, _>>()?;
            app.record_hires(txn, &hires).await
        })
    })
}

fn hire(fact: &Fact<OfferAccepted>) -> Result<Hire, Violations> {
    let mut fields = Fields::new();
    let invitation_id = fields.id("invitation_id", &fact.body.invitation_id);
    let hired_at = fields.time("accept_time", fact.body.accept_time.as_ref());
    let (Some(invitation_id), Some(hired_at)) = (invitation_id, hired_at) else {
        return Err(fields.into());
    };
    fields.finish(Hire {
        invitation_id,
        hired_at,
    })
}
