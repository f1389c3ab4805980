//! From earnings to rewards. Earnings, reversals and attributions may come in any order and more than once: each
//! handler stores what is new, locks the people concerned, and lets the same pure function decide.

use std::collections::{BTreeSet, HashMap};

use vouch_messaging::Fact;
use vouch_primitives::{EarningId, Money, PersonId, ReversalId, Timestamp};
use vouch_proto::{
    Fields, Violations,
    payments::v1::{EarningReinstated, EarningReversed, EarningSettled},
};
use vouch_storage::Txn;

use super::{App, books};
use crate::{
    domain::Movement,
    error::Error,
    store::{
        self,
        earnings::{Earning, Reversal},
        ties::Loaded,
    },
};

/// What happened to the earnings of some people, by person.
pub(super) type Movements = HashMap<PersonId, Vec<Movement>>;

impl App {
    /// Earnings settled; reversals that came before their earning are taken in with it.
    ///
    /// # Errors
    /// If an event is bad, a total does not fit, or the database fails.
    pub async fn on_earnings_settled(&self, txn: &Txn, facts: &[Fact<EarningSettled>]) -> Result<(), Error> {
        let earnings: Vec<Earning> = facts
            .iter()
            .map(|fact| parse_earning(&fact.body))
            .collect::<Result<_, _>>()?;
        take_earnings(txn, self.now(), &earnings).await.map(drop)
    }

    /// Earnings were reversed. A reversal whose earning has not come is parked.
    ///
    /// # Errors
    /// If an event is bad, a total does not fit, or the database fails.
    pub async fn on_earnings_reversed(&self, txn: &Txn, facts: &[Fact<EarningReversed>]) -> Result<(), Error> {
        let reversals: Vec<Reversal> = facts
            .iter()
            .map(|fact| parse_reversal(&fact.body))
            .collect::<Result<_, _>>()?;
        take_reversals(txn, self.now(), &reversals).await.map(drop)
    }

    /// What chargebacks had taken of earnings was won back: a reversal with its sign turned.
    ///
    /// # Errors
    /// If an event is bad, a total does not fit, or the database fails.
    pub async fn on_earnings_reinstated(&self, txn: &Txn, facts: &[Fact<EarningReinstated>]) -> Result<(), Error> {
        let reversals: Vec<Reversal> = facts
            .iter()
            .map(|fact| parse_reinstatement(&fact.body))
            .collect::<Result<_, _>>()?;
        take_reversals(txn, self.now(), &reversals).await.map(drop)
    }
}

/// Takes earnings in, with those of their reversals that came first, and returns which of them are new.
pub(super) async fn take_earnings(
    txn: &Txn,
    now: Timestamp,
    earnings: &[Earning],
) -> Result<BTreeSet<EarningId>, Error> {
    store::people::ensure(txn, &people(earnings.iter().map(|earning| earning.person))).await?;
    let fresh = store::earnings::insert(txn, earnings).await?;
    let referees = people(fresh.iter().map(|earning| earning.person));
    store::people::lock(txn, &referees).await?;
    store::earnings::note_months(txn, &fresh).await?;
    let parked = store::earnings::reversals_of(txn, &fresh.iter().map(|earning| earning.id).collect()).await?;
    let by_id = fresh.iter().map(|earning| (earning.id, *earning)).collect();
    let mut movements = of_earnings(&fresh);
    add_reversals(&mut movements, &parked, &by_id);
    accrue_for(txn, now, &referees, &movements).await?;
    Ok(fresh.iter().map(|earning| earning.id).collect())
}

/// Takes reversals in, and returns which of them are new.
pub(super) async fn take_reversals(
    txn: &Txn,
    now: Timestamp,
    reversals: &[Reversal],
) -> Result<BTreeSet<ReversalId>, Error> {
    store::people::ensure(txn, &people(reversals.iter().map(|reversal| reversal.person))).await?;
    let fresh = store::earnings::insert_reversals(txn, reversals).await?;
    let referees = people(fresh.iter().map(|reversal| reversal.person));
    store::people::lock(txn, &referees).await?;
    let known = store::earnings::with_ids(txn, &fresh.iter().map(|reversal| reversal.earning).collect()).await?;
    let by_id: HashMap<_, _> = known.into_iter().map(|earning| (earning.id, earning)).collect();
    if let Some(told) = fresh
        .iter()
        .find_map(|reversal| contradiction(by_id.get(&reversal.earning)?, reversal))
    {
        return Err(told.into());
    }
    let mut movements = Movements::new();
    add_reversals(&mut movements, &fresh, &by_id);
    accrue_for(txn, now, &referees, &movements).await?;
    Ok(fresh.iter().map(|reversal| reversal.id).collect())
}

/// Takes movements into the ties of some people, who are locked.
async fn accrue_for(
    txn: &Txn,
    now: Timestamp,
    payees: &BTreeSet<PersonId>,
    movements: &Movements,
) -> Result<(), Error> {
    if movements.is_empty() {
        return Ok(());
    }
    let mut ties = store::ties::of_people(txn, payees).await?;
    accrue(txn, now, &mut ties, movements).await
}

/// Takes movements into ties, stores the totals, and tells payments what that releases. Whoever has earned something was
/// hired, whether the contract has been heard of or not.
pub(super) async fn accrue(txn: &Txn, now: Timestamp, ties: &mut [Loaded], movements: &Movements) -> Result<(), Error> {
    for loaded in ties.iter_mut() {
        if let Some(movements) = movements.get(&loaded.tie.payee) {
            loaded.tie.hire();
            loaded.tie.accrue(movements)?;
        }
    }
    books::finish(txn, now, ties).await
}

/// The movements that earnings make.
fn of_earnings(earnings: &[Earning]) -> Movements {
    let mut movements = Movements::new();
    for earning in earnings {
        movements.entry(earning.person).or_default().push(earning.movement());
    }
    movements
}

/// Adds the movements that reversals make, as far as their earnings are known. One that came before its earning and contradicts
/// it takes nothing: the earning is not to suffer for it.
fn add_reversals(movements: &mut Movements, reversals: &[Reversal], earnings: &HashMap<EarningId, Earning>) {
    for reversal in reversals {
        let Some(earning) = earnings.get(&reversal.earning) else {
            continue;
        };
        match earning.less(reversal) {
            Some(movement) => movements.entry(earning.person).or_default().push(movement),
            None => tracing::warn!(
                reversal_id = %reversal.id, earning_id = %earning.id,
                "a reversal names another person or currency than its earning, and counts for nothing"
            ),
        }
    }
}

/// In what a reversal contradicts its earning, if it does.
pub(super) fn contradiction(earning: &Earning, reversal: &Reversal) -> Option<Violations> {
    let mut fields = Fields::new();
    if reversal.person != earning.person {
        fields.refuse("person_id", "OTHER_CONTENT", "must be whose earning it was");
    }
    if reversal.amount.currency != earning.amount.currency {
        fields.refuse("amount", "OTHER_CURRENCY", "must be in the currency of the earning");
    }
    fields.finish(()).err()
}

fn people(people: impl Iterator<Item = PersonId>) -> BTreeSet<PersonId> {
    people.collect()
}

pub(super) fn parse_earning(event: &EarningSettled) -> Result<Earning, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("earning_id", &event.earning_id);
    let person = fields.id("person_id", &event.person_id);
    let account = fields.id("account_id", &event.account_id);
    let client = fields.id("client_id", &event.client_id);
    let contract = fields.id("contract_id", &event.contract_id);
    let amount = fields.positive_money("amount", event.amount.as_ref());
    let occurred_at = fields.time("occur_time", event.occur_time.as_ref());
    let settled_at = fields.time("settle_time", event.settle_time.as_ref());
    let (Some(id), Some(person), Some(account), Some(client), Some(contract)) = (id, person, account, client, contract)
    else {
        return Err(fields.into());
    };
    let (Some(amount), Some(occurred_at), Some(settled_at)) = (amount, occurred_at, settled_at) else {
        return Err(fields.into());
    };
    fields.finish(Earning {
        id,
        person,
        account,
        client,
        contract,
        amount,
        occurred_at,
        settled_at,
    })
}

pub(super) fn parse_reversal(event: &EarningReversed) -> Result<Reversal, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("reversal_id", &event.reversal_id);
    let earning = fields.id("earning_id", &event.earning_id);
    let person = fields.id("person_id", &event.person_id);
    let amount = fields.positive_money("amount", event.amount.as_ref());
    let reversed_at = fields.time("reverse_time", event.reverse_time.as_ref());
    let (Some(id), Some(earning), Some(person), Some(amount), Some(reversed_at)) =
        (id, earning, person, amount, reversed_at)
    else {
        return Err(fields.into());
    };
    fields.finish(Reversal {
        id,
        earning,
        person,
        amount,
        reversed_at,
    })
}

pub(super) fn parse_reinstatement(event: &EarningReinstated) -> Result<Reversal, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("reinstatement_id", &event.reinstatement_id);
    let earning = fields.id("earning_id", &event.earning_id);
    let person = fields.id("person_id", &event.person_id);
    let amount = fields.positive_money("amount", event.amount.as_ref());
    let reversed_at = fields.time("reinstate_time", event.reinstate_time.as_ref());
    let (Some(id), Some(earning), Some(person), Some(amount), Some(reversed_at)) =
        (id, earning, person, amount, reversed_at)
    else {
        return Err(fields.into());
    };
    fields.finish(Reversal {
        id,
        earning,
        person,
        amount: Money::new(-amount.minor, amount.currency),
        reversed_at,
    })
}
