//! A referrer's standing, and who is related to whom: earnings are judged by what was so when they were earned [A3].

use std::collections::BTreeSet;

use vouch_primitives::{ClientId, PersonId, ReferrerId, Timestamp};
use vouch_proto::convert::to_wire_time;
use vouch_proto::referral::v1 as pb;
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, books};
use crate::{
    error::Error,
    store::{self, earnings::Scope},
};

impl App {
    /// Takes a referrer's good standing from a moment on, which is not after now.
    ///
    /// # Errors
    /// If there is no such referrer, or the moment lies in the future.
    pub async fn suspend(
        &self,
        key: RequestKey,
        referrer: ReferrerId,
        from: Option<Timestamp>,
        reason: &str,
    ) -> Result<pb::SuspendReferrerResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let from = change(&txn, now, referrer, from, (false, reason)).await?;
                Ok(pb::SuspendReferrerResponse {
                    from_time: Some(to_wire_time(from)),
                })
            })
            .await
    }

    /// Gives a referrer the good standing back.
    ///
    /// # Errors
    /// If there is no such referrer, or the moment lies in the future.
    pub async fn reinstate(
        &self,
        key: RequestKey,
        referrer: ReferrerId,
        from: Option<Timestamp>,
        reason: &str,
    ) -> Result<pb::ReinstateReferrerResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let from = change(&txn, now, referrer, from, (true, reason)).await?;
                Ok(pb::ReinstateReferrerResponse {
                    from_time: Some(to_wire_time(from)),
                })
            })
            .await
    }

    /// A person and a client are related: what the one earned from the other does not count, and never did.
    ///
    /// # Errors
    /// If the person has not been heard of.
    pub async fn relate(
        &self,
        key: RequestKey,
        person: PersonId,
        client: ClientId,
        reason: &str,
    ) -> Result<pb::RelatePartiesResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                relate(&txn, now, person, client, reason).await?;
                Ok(pb::RelatePartiesResponse {})
            })
            .await
    }
}

async fn change(
    txn: &Txn,
    now: Timestamp,
    referrer: ReferrerId,
    from: Option<Timestamp>,
    (good, reason): (bool, &str),
) -> Result<Timestamp, Error> {
    let from = from.unwrap_or(now);
    if now < from {
        return Err(Error::NotYet);
    }
    if store::referrers::find(txn, referrer).await?.is_none() {
        return Err(Error::not_found("referrer", referrer));
    }
    let known = store::ties::payees_of(txn, referrer).await?;
    store::people::lock(txn, &known).await?;
    store::referrers::lock_all(txn, &BTreeSet::from([referrer])).await?;
    // Whoever was bound to the referrer meanwhile is locked out of order: where that meets another, the database decides.
    let payees = store::ties::payees_of(txn, referrer).await?;
    store::people::lock(txn, &payees.difference(&known).copied().collect()).await?;
    let mut ties = store::ties::of_people(txn, &payees).await?;
    ties.retain(|loaded| loaded.tie.referrer == referrer);
    store::standing::change(txn, referrer, from, good, reason).await?;
    let movements = store::earnings::movements(txn, &payees, &Scope::Between(from, Timestamp::MAX)).await?;
    for loaded in &mut ties {
        let standing = loaded.tie.standing.with(from, good);
        let theirs = movements.get(&loaded.tie.payee).map_or(&[][..], Vec::as_slice);
        loaded.tie.rejudge(theirs, |tie| tie.standing = standing)?;
    }
    books::finish(txn, now, &mut ties).await?;
    Ok(from)
}

async fn relate(txn: &Txn, now: Timestamp, person: PersonId, client: ClientId, reason: &str) -> Result<(), Error> {
    let people = BTreeSet::from([person]);
    store::people::ensure(txn, &people).await?;
    store::people::lock(txn, &people).await?;
    let mut ties = store::ties::of_people(txn, &people).await?;
    if !store::standing::relate(txn, person, client, reason, now).await? {
        return Ok(());
    }
    let movements = store::earnings::movements(txn, &people, &Scope::Client(client)).await?;
    let theirs = movements.get(&person).map_or(&[][..], Vec::as_slice);
    for loaded in &mut ties {
        loaded.tie.rejudge(theirs, |tie| tie.related.push(client))?;
    }
    books::finish(txn, now, &mut ties).await
}
