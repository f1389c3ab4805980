//! Match signals follow what becomes of referrals, and onboarding hears of each that changes [R28, R33].

use std::collections::{BTreeMap, BTreeSet};

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{PersonId, ReferrerId, Timestamp};
use vouch_proto::{convert::to_wire_time, referral::v1 as pb};
use vouch_storage::Txn;

use super::App;
use crate::{
    domain::{MatchFacts, Party, Screening, Tie},
    error::Error,
    store::{self, ties::Loaded},
};

/// What is known of the people whom these ties are about, if it has changed with them; and of their referrers. The ties are
/// stored already, and their people locked.
pub(super) async fn follow(txn: &Txn, now: Timestamp, ties: &[Loaded]) -> Result<(), Error> {
    let told: BTreeSet<PersonId> = ties
        .iter()
        .filter(|loaded| loaded.is_told_anew())
        .map(|loaded| loaded.tie.payee)
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    // These may be some of their ties only.
    let theirs = store::ties::of_people(txn, &told).await?;
    let referrers = theirs.iter().map(|loaded| loaded.tie.referrer).collect();
    let vouchers = vouchers(txn, &referrers).await?;
    // Of two referees of one referrer at the same moment, the second one waits here, and counts both.
    let mut known = store::match_signals::lock(txn, now, &told.union(&vouchers).copied().collect()).await?;
    let before = known.clone();
    for (person, facts) in &mut known {
        let about = || {
            theirs
                .iter()
                .map(|loaded| &loaded.tie)
                .filter(move |tie| tie.payee == *person)
        };
        if told.contains(person) {
            facts.screened = about().any(|tie| tie.screening == Screening::Passed);
            facts.hired = about().any(Tie::is_hired);
            facts.stayed = about().any(Tie::has_stayed);
        }
    }
    for (person, good) in store::match_signals::good_referrals(txn, &vouchers).await? {
        known.entry(person).or_default().good_referrals = good;
    }
    save(txn, now, &before, known).await
}

/// The people who are these referrers; a client is none.
async fn vouchers(txn: &Txn, referrers: &BTreeSet<ReferrerId>) -> Result<BTreeSet<PersonId>, Error> {
    let referrers = store::referrers::with_ids(txn, referrers).await?;
    let ids: Vec<_> = referrers.iter().map(|referrer| referrer.account).collect();
    let accounts = store::accounts::with_ids(txn, &ids).await?;
    let people = accounts.into_iter().filter(|account| account.party != Party::Client);
    Ok(people.map(|account| account.person).collect())
}

async fn save(
    txn: &Txn,
    now: Timestamp,
    before: &BTreeMap<PersonId, MatchFacts>,
    known: BTreeMap<PersonId, MatchFacts>,
) -> Result<(), Error> {
    let was = |person: &PersonId| before.get(person).copied().unwrap_or_default();
    let changed: Vec<_> = known
        .into_iter()
        .filter(|(person, facts)| *facts != was(person))
        .collect();
    store::match_signals::save(txn, now, &changed).await?;
    let events: Vec<_> = changed
        .iter()
        .filter(|(person, facts)| facts.signal().total() != was(person).signal().total())
        .map(|(person, facts)| {
            let event = pb::MatchSignalChanged {
                person_id: person.to_string(),
                signal: facts.signal().total(),
                change_time: Some(to_wire_time(now)),
            };
            NewEvent::new(person.as_uuid(), &event)
        })
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    Ok(outbox::append(txn, now, &events).await?)
}

impl App {
    /// How strongly the referrals of a person speak for them, part by part. Of whoever has none, nothing does.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn match_signal(&self, person: PersonId) -> Result<pb::GetMatchSignalResponse, Error> {
        let conn = self.commands.db().reader();
        let known = store::match_signals::facts_of(conn, &BTreeSet::from([person])).await?;
        let facts = known.get(&person).copied().unwrap_or_default();
        let parts = facts.signal();
        Ok(pb::GetMatchSignalResponse {
            signal: parts.total(),
            screened: parts.screened,
            hired: parts.hired,
            stayed: parts.stayed,
            vouching: parts.vouching,
            good_referrals: facts.good_referrals,
        })
    }
}
