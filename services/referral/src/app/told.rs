//! What the others have told, as their streams still hold it: held against what is stored, and what the books are computed from then.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
};

use prost::{DecodeError, Message, Name};
use vouch_primitives::{EarningId, EventId, PersonId, ReversalId, Timestamp, Uuid};
use vouch_proto::{
    Violations,
    onboarding::v1::{AccountClosed, AccountReopened},
    payments::v1::{ContractEnded, ContractStarted, EarningReinstated, EarningReversed, EarningSettled},
};
use vouch_storage::Txn;

use super::{accrual, closings, contracts};
use crate::{
    domain::{Difference, Movement, Standing},
    error::Error,
    store::{
        self,
        contracts::ContractNews,
        earnings::{Earning, Reversal, Scope},
        standing::AccountChange,
        told::ToldEvent,
    },
};

/// What the books of some people are computed from.
pub(super) struct Known {
    pub movements: HashMap<PersonId, Vec<Movement>>,
    pub hired: BTreeSet<PersonId>,
    pub accounts: HashMap<PersonId, Standing>,
    /// In what the stored facts are not those that were told.
    pub differences: Vec<(Uuid, Difference)>,
}

/// An event as a stream holds it.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The event's id.
    pub id: EventId,
    /// Its type.
    pub event_type: String,
    /// The encoded message.
    pub payload: Vec<u8>,
}

/// The types of the facts that the books are computed from.
#[must_use]
pub fn event_types() -> [String; 7] {
    [
        EarningSettled::full_name(),
        EarningReversed::full_name(),
        EarningReinstated::full_name(),
        ContractStarted::full_name(),
        ContractEnded::full_name(),
        AccountClosed::full_name(),
        AccountReopened::full_name(),
    ]
}

/// A fact that was told or stored.
enum Fact {
    Earning(Earning),
    Reversal(Reversal),
    Contract(ContractNews),
    Account(AccountChange),
}

/// Why an event tells nothing.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    #[error(transparent)]
    Content(#[from] Violations),
    #[error("not the type of a fact that the books are computed from")]
    Type,
}

/// What a fact is called in a difference, its id, and the moment and kind of a change where one thing has several.
type Called = (&'static str, Uuid, (Timestamp, bool));

impl Fact {
    fn read(event_type: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        let is = |name: String| name == event_type;
        Ok(if is(EarningSettled::full_name()) {
            Self::Earning(accrual::parse_earning(&EarningSettled::decode(payload)?)?)
        } else if is(EarningReversed::full_name()) {
            Self::Reversal(accrual::parse_reversal(&EarningReversed::decode(payload)?)?)
        } else if is(EarningReinstated::full_name()) {
            Self::Reversal(accrual::parse_reinstatement(&EarningReinstated::decode(payload)?)?)
        } else if is(ContractStarted::full_name()) {
            Self::Contract(contracts::parse_started(&ContractStarted::decode(payload)?)?)
        } else if is(ContractEnded::full_name()) {
            Self::Contract(contracts::parse_ended(&ContractEnded::decode(payload)?)?)
        } else if is(AccountClosed::full_name()) {
            Self::Account(closings::parse_closed(&AccountClosed::decode(payload)?)?)
        } else if is(AccountReopened::full_name()) {
            Self::Account(closings::parse_reopened(&AccountReopened::decode(payload)?)?)
        } else {
            return Err(Unreadable::Type);
        })
    }

    fn person(&self) -> PersonId {
        match self {
            Self::Earning(it) => it.person,
            Self::Reversal(it) => it.person,
            Self::Contract(it) => it.person,
            Self::Account(it) => it.person,
        }
    }

    /// What makes it one fact, whatever it says.
    fn subject(&self) -> Uuid {
        match self {
            Self::Earning(it) => it.id.as_uuid(),
            Self::Reversal(it) => it.id.as_uuid(),
            Self::Contract(it) => it.id.as_uuid(),
            Self::Account(it) => Uuid::new_v5(&it.person.as_uuid(), it.at.to_string().as_bytes()),
        }
    }

    /// What it says, in lines that can be compared.
    fn lines(&self) -> Vec<(Called, String)> {
        let only = (Timestamp::EPOCH, false);
        match self {
            Self::Earning(it) => {
                let text = format!(
                    "{} of {} to {} from {} for {}, earned {}, settled {}",
                    it.amount, it.person, it.account, it.client, it.contract, it.occurred_at, it.settled_at
                );
                vec![(("earning", it.id.as_uuid(), only), text)]
            }
            Self::Reversal(it) => {
                let text = format!(
                    "{} of {}'s earning {} at {}",
                    it.amount, it.person, it.earning, it.reversed_at
                );
                vec![(("reversal", it.id.as_uuid(), only), text)]
            }
            Self::Contract(it) => {
                let of = |at: Timestamp| format!("{} to {} from {} at {at}", it.person, it.account, it.client);
                let began = it.began.map(|at| (("contract began", it.id.as_uuid(), only), of(at)));
                let ended = it.ended.map(|at| (("contract ended", it.id.as_uuid(), only), of(at)));
                began.into_iter().chain(ended).collect()
            }
            Self::Account(it) => {
                let change = if it.open { "opened" } else { "closed" };
                vec![(
                    ("account", it.person.as_uuid(), (it.at, it.open)),
                    format!("{change} at {}", it.at),
                )]
            }
        }
    }

    /// When it came about, if this says that a stream which goes back so far has to hold it. A contract may begin long after it is told.
    const fn told_after(&self) -> Option<Timestamp> {
        match self {
            Self::Earning(it) => Some(it.settled_at),
            Self::Reversal(it) => Some(it.reversed_at),
            Self::Account(it) => Some(it.at),
            Self::Contract(_) => None,
        }
    }
}

/// Keeps for a run what was told of people for whom somebody is paid, and names the events that nobody can read.
pub(super) async fn keep(txn: &Txn, run: Uuid, events: &[Streamed]) -> Result<Vec<(Uuid, Difference)>, Error> {
    let (mut kept, mut unreadable) = (Vec::with_capacity(events.len()), Vec::new());
    for event in events {
        match Fact::read(&event.event_type, &event.payload) {
            Ok(fact) => kept.push(ToldEvent {
                event_type: event.event_type.clone(),
                subject: fact.subject(),
                person: fact.person(),
                payload: event.payload.clone(),
            }),
            Err(error) => unreadable.push((
                event.id.as_uuid(),
                difference("event", String::new(), error.to_string()),
            )),
        }
    }
    let payees = store::rebuilt::payees_among(txn, &kept.iter().map(|event| event.person).collect()).await?;
    kept.retain(|event| payees.contains(&event.person));
    store::told::insert(txn, run, &kept).await?;
    Ok(unreadable)
}

/// What is stored about some people.
pub(super) async fn stored(txn: &Txn, people: &BTreeSet<PersonId>) -> Result<Known, Error> {
    Ok(Known {
        movements: store::earnings::movements(txn, people, &Scope::All).await?,
        hired: store::contracts::hired(txn, people).await?,
        accounts: store::standing::accounts(txn, people).await?,
        differences: Vec::new(),
    })
}

/// What was told of some people, and what is stored beside it, with all in which the two differ. What was told is forgotten with
/// this.
pub(super) async fn streamed(
    txn: &Txn,
    run: Uuid,
    people: &BTreeSet<PersonId>,
    held: Range<Timestamp>,
) -> Result<Known, Error> {
    let mut told = Vec::new();
    for (event_type, payload) in store::told::take_of_people(txn, run, people).await? {
        // It could be read when it was kept.
        told.extend(Fact::read(&event_type, &payload));
    }
    let stored = facts(txn, people, &told).await?;
    let differences = compare(&stored, &told, people, held);

    let mut earnings: HashMap<EarningId, Earning> = HashMap::new();
    let mut reversals: BTreeMap<ReversalId, Reversal> = BTreeMap::new();
    let (mut hired, mut changes) = (BTreeSet::new(), BTreeMap::new());
    // What was told comes last, and counts.
    for fact in stored.into_iter().chain(told) {
        match fact {
            Fact::Earning(it) => drop(earnings.insert(it.id, it)),
            Fact::Reversal(it) => drop(reversals.insert(it.id, it)),
            Fact::Contract(it) => drop(hired.insert(it.person)),
            Fact::Account(it) => drop(changes.insert((it.person, it.at, it.open), it)),
        }
    }
    Ok(Known {
        movements: store::earnings::movements_of(&earnings, reversals.values()),
        hired,
        accounts: store::standing::by_person(changes.into_values()),
        differences,
    })
}

/// The stored facts of some people, and the reversals of what they were told to have earned.
async fn facts(txn: &Txn, people: &BTreeSet<PersonId>, told: &[Fact]) -> Result<Vec<Fact>, Error> {
    let earnings = store::earnings::of_people(txn, people, &Scope::All).await?;
    let reversed = told.iter().filter_map(|fact| match fact {
        Fact::Earning(it) => Some(it.id),
        Fact::Reversal(it) => Some(it.earning),
        Fact::Contract(_) | Fact::Account(_) => None,
    });
    let ids = earnings.keys().copied().chain(reversed).collect();
    let reversals = store::earnings::reversals_of(txn, &ids).await?;
    let contracts = store::contracts::of_people(txn, people).await?;
    let changes = store::standing::account_changes(txn, people).await?;
    let facts = earnings.into_values().map(Fact::Earning);
    let facts = facts.chain(reversals.into_iter().map(Fact::Reversal));
    let facts = facts.chain(contracts.into_iter().map(Fact::Contract));
    Ok(facts.chain(changes.into_iter().map(Fact::Account)).collect())
}

/// What was told and is not stored so; and what is stored about these people and was told by nobody, although it came about while
/// the streams held all.
fn compare(
    stored: &[Fact],
    told: &[Fact],
    people: &BTreeSet<PersonId>,
    held: Range<Timestamp>,
) -> Vec<(Uuid, Difference)> {
    let lines = |facts: &[Fact]| -> BTreeMap<Called, String> { facts.iter().flat_map(Fact::lines).collect() };
    let (live, heard) = (lines(stored), lines(told));
    let mut found = Vec::new();
    for (name, text) in &heard {
        let stored = live.get(name).cloned().unwrap_or_default();
        if stored != *text {
            found.push((name.1, difference(name.0, stored, text.clone())));
        }
    }
    let is_held = |fact: &&Fact| fact.told_after().is_some_and(|at| held.contains(&at));
    let theirs = stored.iter().filter(|fact| people.contains(&fact.person()));
    for (name, text) in theirs.filter(is_held).flat_map(Fact::lines) {
        if !heard.contains_key(&name) {
            found.push((name.1, difference(name.0, text, String::new())));
        }
    }
    found
}

const fn difference(what: &'static str, live: String, rebuilt: String) -> Difference {
    Difference {
        total: None,
        what,
        live,
        rebuilt,
    }
}
