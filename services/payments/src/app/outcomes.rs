//! What follows once a client has paid, or could not be charged.

use std::collections::{BTreeMap, HashMap};

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{BonusPaymentId, ChargeId, ContractId, InvoiceId, MilestoneId, Timestamp, Uuid};
use vouch_proto::{
    convert::to_wire_time,
    payments::v1::{
        self as pb,
        charge_failed::Purpose,
        contract_changed::{Change, Paused, Resumed},
    },
};
use vouch_storage::{
    Txn,
    timers::{self, DueTimer, NewTimer},
};

use super::{
    App, bonuses,
    chargebacks::{self, RecordChargeback},
    charges, contract_changes, invoices, milestones,
};
use crate::{
    domain::{Book, Charge, ChargeState, Contract, ContractState, EarningSource, LedgerAccount},
    error::Error,
    store,
};

/// The timer by which the sandbox takes a payment back; its key is the charge.
pub const CHARGE_BACK: &str = "charge.charge_back";

/// A charge of which an attempt has just ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The charge, as it is by now.
    pub charge: Charge,
    /// Whether it was given up for the first time.
    pub gives_up: bool,
}

/// What is paid for, by kind.
#[derive(Debug, Default)]
struct Purposes {
    milestones: Vec<MilestoneId>,
    invoices: Vec<InvoiceId>,
    bonuses: Vec<BonusPaymentId>,
}

impl Purposes {
    fn of<'a>(charges: impl IntoIterator<Item = &'a Charge>) -> Self {
        let mut purposes = Self::default();
        for charge in charges {
            match charge.purpose {
                EarningSource::Milestone(id) => purposes.milestones.push(id),
                EarningSource::Invoice(id) => purposes.invoices.push(id),
                EarningSource::Bonus(id) => purposes.bonuses.push(id),
            }
        }
        purposes
    }
}

/// Does what follows from attempts that have just ended; the contracts are locked.
///
/// # Errors
/// When the database fails, or an amount does not fit.
pub(super) async fn follow(
    txn: &Txn,
    now: Timestamp,
    outcomes: &[Outcome],
    contracts: BTreeMap<ContractId, Contract>,
    traces: &HashMap<Uuid, Option<String>>,
) -> Result<(), Error> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let has_succeeded = |charge: &&Charge| matches!(charge.state, ChargeState::Succeeded { .. });
    let charges = outcomes.iter().map(|outcome| &outcome.charge);
    let (paid, failed): (Vec<&Charge>, Vec<&Charge>) = charges.partition(has_succeeded);
    let given_up = outcomes.iter().filter(|outcome| outcome.gives_up);
    let given_up: Vec<&Charge> = given_up.map(|outcome| &outcome.charge).collect();
    book(txn, now, &paid, &given_up).await?;
    let paid = Purposes::of(paid);
    milestones::paid(txn, &paid.milestones).await?;
    invoices::paid(txn, now, &paid.invoices).await?;
    bonuses::paid(txn, now, &paid.bonuses).await?;
    milestones::not_paid(txn, &Purposes::of(failed.iter().copied()).milestones).await?;
    let given_up = Purposes::of(given_up);
    invoices::given_up(txn, now, &given_up.invoices).await?;
    bonuses::given_up(txn, now, &given_up.bonuses).await?;
    let told = failed.iter().filter_map(|charge| {
        let event = told_failed(charge, contracts.get(&charge.contract_id)?)?;
        Some(event.continuing(traces.get(&charge.id.as_uuid()).cloned().flatten()))
    });
    let told: Vec<NewEvent> = told.collect();
    outbox::append(txn, now, &told).await?;
    hold_up(txn, now, contracts).await
}

async fn book(txn: &Txn, now: Timestamp, paid: &[&Charge], given_up: &[&Charge]) -> Result<(), Error> {
    let owed: Vec<&Charge> = given_up.iter().filter(|charge| charge.is_owed()).copied().collect();
    let no_longer_owed = paid.iter().filter(|charge| charge.is_owed());
    let escrows = paid
        .iter()
        .map(|charge| LedgerAccount::escrow(charge.contract_id, charge.amount.currency));
    let debts = owed
        .iter()
        .chain(no_longer_owed)
        .flat_map(|charge| Book::accounts_of_debt(charge));
    let mut book = store::ledger::open(txn, escrows.chain(debts)).await?;
    for charge in paid {
        if charge.is_owed() {
            book.stop_owing(now, charge)?;
        }
        book.charge(now, charge)?;
    }
    for charge in owed {
        book.owe(now, charge)?;
    }
    Ok(store::ledger::save(txn, now, &book).await?)
}

/// Has work stop under the contracts that wait for a payment, and go on under those that no longer do.
async fn hold_up(txn: &Txn, now: Timestamp, contracts: BTreeMap<ContractId, Contract>) -> Result<(), Error> {
    let since = store::charges::held_up_since(txn, contracts.keys().copied()).await?;
    let (mut changed, mut events) = (Vec::new(), Vec::new());
    let (mut begun, mut ended) = (Vec::new(), Vec::new());
    for (id, mut contract) in contracts {
        let unpaid_since = since.get(&id).copied();
        if unpaid_since == contract.unpaid_since {
            continue;
        }
        let was_held_up = contract.unpaid_since.is_some();
        contract.unpaid_since = unpaid_since;
        match (was_held_up, unpaid_since) {
            (false, Some(_)) => begun.push(id),
            (true, None) => ended.push(id),
            _ => {}
        }
        if contract.state == ContractState::Active && was_held_up != unpaid_since.is_some() {
            let change = match unpaid_since {
                Some(_) => Change::Paused(Paused {}),
                None => Change::Resumed(Resumed {}),
            };
            events.push(contract_changes::changed(&contract, change, now));
        }
        changed.push(contract);
    }
    store::contracts::save_unpaid(txn, &changed).await?;
    store::holds::begin(txn, &begun, now).await?;
    store::holds::end(txn, &ended, now).await?;
    Ok(outbox::append(txn, now, &events).await?)
}

/// An attempt at charging the client was refused. `None` if none was.
fn told_failed(charge: &Charge, contract: &Contract) -> Option<NewEvent> {
    let (reason, retry_at) = match charge.state {
        ChargeState::Failed { reason, retry_at } => (reason, Some(retry_at)),
        ChargeState::GivenUp { reason } => (reason, None),
        ChargeState::Pending { .. } | ChargeState::Succeeded { .. } => return None,
    };
    let purpose = match charge.purpose {
        EarningSource::Milestone(id) => Purpose::MilestoneId(id.to_string()),
        EarningSource::Invoice(id) => Purpose::InvoiceId(id.to_string()),
        EarningSource::Bonus(id) => Purpose::BonusPaymentId(id.to_string()),
    };
    let event = pb::ChargeFailed {
        charge_id: charge.id.to_string(),
        contract_id: charge.contract_id.to_string(),
        client_id: charge.client_id.to_string(),
        person_id: contract.person_id.to_string(),
        account_id: contract.account_id.to_string(),
        amount: Some(charge.amount.into()),
        attempt: charge.attempt.number,
        reason: pb::Refusal::from(reason).into(),
        retry_time: retry_at.map(to_wire_time),
        purpose: Some(purpose),
    };
    Some(NewEvent::new(charge.id.as_uuid(), &event))
}

impl App {
    /// Has those paid back by themselves, later, of which the provider tells this beforehand: the sandbox's.
    pub(super) async fn expect_chargebacks(
        &self,
        txn: &Txn,
        now: Timestamp,
        outcomes: &[Outcome],
    ) -> Result<(), Error> {
        let expected = outcomes.iter().filter_map(|Outcome { charge, .. }| {
            let ChargeState::Succeeded { at, .. } = charge.state else {
                return None;
            };
            let due = self.gateway().charges_back_at(&charges::order(charge)?, at)?;
            let key = charge.id.as_uuid();
            Some(NewTimer {
                kind: CHARGE_BACK,
                key,
                due: due.max(now),
            })
        });
        let expected: Vec<NewTimer> = expected.collect();
        Ok(timers::schedule(txn, &expected).await?)
    }

    /// The sandbox takes these payments back, whole, once each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn charge_back_charges(&self, txn: &Txn, now: Timestamp, due: &[DueTimer]) -> Result<(), Error> {
        let ids: Vec<ChargeId> = due.iter().map(|timer| ChargeId::from_uuid(timer.key)).collect();
        store::contracts::lock_of_charges(txn, &ids).await?;
        for charge in store::charges::find(txn, &ids).await? {
            let ChargeState::Succeeded { reference, .. } = charge.state else {
                continue;
            };
            let command = RecordChargeback {
                payment: charge.purpose,
                amount: charge.amount,
                provider_reference: reference,
            };
            if !store::chargebacks::is_known(txn, &command.provider_reference).await? {
                chargebacks::charge_back(txn, now, &command).await?;
            }
        }
        Ok(())
    }
}
