//! Erasing what is kept of people whom onboarding has erased: names, addresses, and the words that went to and fro. Ids,
//! moments and states stay, and so do hashes: those by which limits and the suppression list know an address, and those of
//! the addresses that a person had, by which they are found here.
//!
//! Whoever adds a table with anything personal adds it here; a test looks through all of the database.

use std::{collections::HashMap, time::Duration};

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{PersonId, Timestamp};
use vouch_proto::{convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{
    Txn, idempotency,
    timers::{self, Batch, NewTimer},
};

use super::{App, ERASE_AGAIN, EXPIRE_INVITATION, REMIND_OF_INVITATION, applications, members};
use crate::{
    domain::{Erasure, MemberState},
    error::Error,
    store::{accounts, erasures, invitations, projects, recommendations, suppressions},
};

/// After this time people are erased once more. No call and no transaction lasts as long.
const ONCE_MORE_AFTER: Duration = Duration::from_secs(60 * 60);

impl App {
    /// Erases people. That they were erased is remembered, since news of their addresses may come later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_erasures(&self, txn: &Txn, erased: &[Erasure]) -> Result<(), Error> {
        erasures::insert(txn, erased).await?;
        let people: Vec<_> = erased.iter().map(|erasure| erasure.person_id).collect();
        accounts::release_of(txn, &people).await?;
        self.erase(txn, &people).await?;
        self.erase_later(txn, &people).await
    }

    /// Sets timers to erase people once more: what was written at the very moment of the erasure was not seen by it.
    pub(super) async fn erase_later(&self, txn: &Txn, people: &[PersonId]) -> Result<(), Error> {
        let due = self.commands.now().saturating_add(ONCE_MORE_AFTER);
        let timers = people.iter().map(|person| NewTimer {
            kind: ERASE_AGAIN,
            key: person.as_uuid(),
            due,
        });
        Ok(timers::schedule(txn, &timers.collect::<Vec<_>>()).await?)
    }

    /// Erases once more the people whose timers are due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_again(&self, txn: &Txn, due: &Batch) -> Result<(), Error> {
        let people: Vec<_> = due.keys().into_iter().map(PersonId::from_uuid).collect();
        self.erase(txn, &people).await
    }

    /// Erases what is here of these people, and of the addresses that were theirs. Nothing is left to do for who was erased
    /// before.
    pub(super) async fn erase(&self, txn: &Txn, people: &[PersonId]) -> Result<(), Error> {
        if people.is_empty() {
            return Ok(());
        }
        let now = self.commands.now();
        let addresses = accounts::of_people(txn, people).await?;
        let former = accounts::former_of(txn, people).await?;
        let about = invitations::lock_about(txn, people, &addresses, &former).await?;
        let mut named: Vec<String> = people.iter().map(ToString::to_string).collect();
        named.extend(about.iter().map(|it| it.id.to_string()));
        // An address to which something was sent may be somebody else's, who goes on to be written to.
        let hash = |it: &invitations::About| suppressions::hash_of(&it.recipient);
        let others = accounts::owners(txn, &about.iter().map(hash).collect::<Vec<_>>()).await?;
        let own = about.iter().filter(|it| !others.contains_key(&hash(it)));
        let own: Vec<_> = own.map(|it| it.recipient.clone()).collect();
        suppressions::delete_tokens(txn, &own).await?;
        let until: HashMap<_, _> = former.iter().map(|former| (former.hash, former.until)).collect();
        let passed_on = about
            .iter()
            .filter_map(|it| Some((it.recipient.clone(), *until.get(&hash(it))?)));
        suppressions::delete_tokens_until(txn, &passed_on.collect()).await?;
        projects::erase_shares(txn, people).await?;
        invite_nobody(txn, now, people, &about).await?;
        named.extend(
            applications::erase(txn, now, people)
                .await?
                .iter()
                .map(ToString::to_string),
        );
        let ids: Vec<_> = about.iter().map(|it| it.id).collect();
        let recommended = recommendations::erase(txn, people, &addresses, &former, &ids).await?;
        named.extend(recommended.iter().map(ToString::to_string));
        // Whatever was answered about them names them, or what is about them, by its id.
        idempotency::erase_answers(txn, &named).await?;
        let changed: Vec<_> = about.iter().map(|it| (it.client_id, it.id)).collect();
        Ok(invitations::number(txn, &changed).await?)
    }
}

/// Refuses what is asked in the name of somebody who was erased, or about them: their token may live a while longer.
pub(super) async fn expect_known(txn: &Txn, person: PersonId) -> Result<(), Error> {
    if erasures::among(txn, &[person]).await?.is_empty() {
        Ok(())
    } else {
        Err(Error::not_found("person", person))
    }
}

/// Erases whom these invitations name. Those that wait are declined, as nobody is there to answer, and who had come into a
/// talent cloud is not in it any more.
async fn invite_nobody(
    txn: &Txn,
    now: Timestamp,
    people: &[PersonId],
    about: &[invitations::About],
) -> Result<(), Error> {
    let ids: Vec<_> = about.iter().map(|it| it.id).collect();
    let keys: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    vouch_mail::erase(txn, now, &keys, &[]).await?;
    let declined = invitations::erase(txn, &ids, now).await?;
    let waiting: Vec<_> = declined.iter().map(|unanswered| unanswered.id).collect();
    let keys: Vec<_> = waiting.iter().map(|id| id.as_uuid()).collect();
    timers::cancel(txn, EXPIRE_INVITATION, &keys).await?;
    timers::cancel(txn, REMIND_OF_INVITATION, &keys).await?;
    let event = |unanswered: &invitations::Unanswered| {
        let event = pb::InvitationDeclined {
            invitation_id: unanswered.id.to_string(),
            client_id: unanswered.client_id.to_string(),
            decline_time: Some(to_wire_time(now)),
        };
        NewEvent::new(unanswered.id.as_uuid(), &event)
    };
    let events: Vec<_> = declined.iter().map(event).collect();
    outbox::append(txn, now, &events).await?;
    members::shift(txn, now, &waiting, MemberState::Invited, MemberState::Removed).await?;
    let theirs = about
        .iter()
        .filter(|it| it.person_id.is_some_and(|id| people.contains(&id)));
    let theirs: Vec<_> = theirs.map(|it| it.id).collect();
    for state in [MemberState::Onboarding, MemberState::Ready] {
        members::shift(txn, now, &theirs, state, MemberState::Removed).await?;
    }
    Ok(())
}
