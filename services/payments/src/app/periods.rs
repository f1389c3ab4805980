//! Recurring contracts: an invoice for each period, made when it ends [B2].

use std::collections::HashMap;

use vouch_messaging::NewEvent;
use vouch_primitives::{ContractId, Timestamp};
use vouch_storage::{
    Txn,
    timers::{self, DueTimer, NewTimer},
};

use super::App;
use crate::{
    domain::{Contract, ContractState, Invoice, Pay, WorkPeriod},
    error::Error,
    store,
};

/// The timer by which the present period of a contract ends; its key is the contract.
pub const CLOSE_PERIOD: &str = "period.close";

impl App {
    /// Periods have ended: each is invoiced as of its end, however late the timer is, and the clients are charged now. The next
    /// period follows, until the contract has ended.
    ///
    /// # Errors
    /// When the database fails, or an amount does not fit.
    pub async fn close_periods(&self, txn: &Txn, now: Timestamp, due: &[DueTimer]) -> Result<(), Error> {
        let ids: Vec<ContractId> = due.iter().map(|timer| ContractId::from_uuid(timer.key)).collect();
        let contracts = store::contracts::lock_all(txn, &ids).await?;
        let mut pauses = store::pauses::of(txn, &ids).await?;
        for (id, holds) in store::holds::of(txn, &ids).await? {
            pauses.entry(id).or_default().extend(holds);
        }
        let (mut invoices, mut next) = (Vec::new(), Vec::new());
        for timer in due {
            let id = ContractId::from_uuid(timer.key);
            let Some(contract) = contracts.get(&id) else { continue };
            let Pay::Recurring { every, .. } = contract.pay else {
                continue;
            };
            let (period, following) = WorkPeriod::ending_at(contract, every, timer.due);
            let pauses = pauses.get(&id).map_or(&[][..], Vec::as_slice);
            invoices.extend(Invoice::of_period(contract, period, pauses)?.map(|invoice| (invoice, Vec::new())));
            let over = matches!(&contract.state, ContractState::Ended(halt) if halt.at <= period.end);
            if !over {
                next.push(closing(id, following));
            }
        }
        timers::schedule(txn, &next).await?;
        // However often a period is closed, it has one invoice.
        let made: Vec<_> = invoices.iter().map(|(invoice, _)| invoice.id).collect();
        let known = store::invoices::find(txn, &made).await?;
        invoices.retain(|(invoice, _)| known.iter().all(|other| other.id != invoice.id));
        let traces: HashMap<_, _> = due.iter().map(|timer| (timer.key, &timer.traceparent)).collect();
        let told = |invoice: &Invoice, event: NewEvent| {
            let traceparent = traces.get(&invoice.contract_id.as_uuid()).copied().cloned().flatten();
            event.continuing(traceparent)
        };
        self.issue(txn, now, &invoices, &told).await
    }
}

/// Has the first period of a new contract closed, if it has periods.
pub(super) fn first_closing(contract: &Contract) -> Option<NewTimer> {
    let Pay::Recurring { every, .. } = contract.pay else {
        return None;
    };
    Some(closing(contract.id, WorkPeriod::nth(contract, every, 0)))
}

const fn closing(contract: ContractId, period: WorkPeriod) -> NewTimer {
    NewTimer {
        kind: CLOSE_PERIOD,
        key: contract.as_uuid(),
        due: period.end,
    }
}
