//! Facts in: which function takes which event of another service.

use vouch_messaging::{Fact, Router};
use vouch_proto::{Fields, Violations, payments::v1::ContractStarted};

use crate::{app::App, domain::ContractStart, error::Error};

/// The table.
#[must_use]
pub fn router() -> Router<App, Error> {
    Router::<App, Error>::new("onboarding").on::<ContractStarted>(|app, txn, facts| {
        Box::pin(async move {
            let starts = facts.iter().map(start).collect::<Result<Vec<_>, _>>()?;
            app.record_contract_starts(txn, &starts).await
        })
    })
}

fn start(fact: &Fact<ContractStarted>) -> Result<ContractStart, Violations> {
    let mut fields = Fields::new();
    let contract_id = fields.id("contract_id", &fact.body.contract_id);
    let started_at = fields.time("begin_time", fact.body.begin_time.as_ref());
    let (Some(contract_id), Some(started_at)) = (contract_id, started_at) else {
        return Err(fields.into());
    };
    fields.finish(ContractStart {
        contract_id,
        started_at,
    })
}
