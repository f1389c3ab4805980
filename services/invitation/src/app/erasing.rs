//! Erasing what is kept of people whom onboarding has erased: names, addresses, and the words that went to and fro. Ids,
//! moments and states stay, and so do hashes: those by which limits and the suppression list know an address, and those of
//! the addresses that a person had, by which they are found here.
//!
//! Whoever adds a table with anything personal adds it here; a test looks through all of the database.

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{PersonId, Timestamp};
use vouch_proto::{convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{Txn, idempotency, timers};

use super::{App, EXPIRE_INVITATION, REMIND_OF_INVITATION, applications, members};
use crate::{
    domain::{Erasure, MemberState},
    error::Error,
    store::{accounts, erasures, invitations, recommendations, suppressions},
};

impl App {
    /// Erases people. That they were erased is remembered, since news of their addresses may come later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_erasures(&self, txn: &Txn, erased: &[Erasure]) -> Result<(), Error> {
        erasures::insert(txn, erased).await?;
        let people: Vec<_> = erased.iter().map(|erasure| erasure.person_id).collect();
        accounts::release_of(txn, &people).await?;
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
        let about = invitations::lock_about(txn, people, &addresses).await?;
        let mut named: Vec<String> = people.iter().map(ToString::to_string).collect();
        named.extend(about.iter().map(|it| it.id.to_string()));
        // An address to which something was sent may be somebody else's, who goes on to be written to.
        let hash = |it: &invitations::About| suppressions::hash_of(&it.recipient);
        let others = accounts::owners(txn, &about.iter().map(hash).collect::<Vec<_>>()).await?;
        let own = about.iter().filter(|it| !others.contains_key(&hash(it)));
        let own: Vec<_> = own.map(|it| it.recipient.clone()).collect();
        suppressions::delete_tokens(txn, &own).await?;
        invite_nobody(txn, now, people, &about).await?;
        named.extend(
            applications::erase(txn, now, people)
                .await?
                .iter()
                .map(ToString::to_string),
        );
        let ids: Vec<_> = about.iter().map(|it| it.id).collect();
        let recommended = recommendations::erase(txn, people, &addresses, &ids).await?;
        named.extend(recommended.iter().map(ToString::to_string));
        // Whatever was answered about them names them, or what is about them, by its id.
        for named in named {
            idempotency::erase_answers(txn, named.as_bytes()).await?;
        }
        let changed: Vec<_> = about.iter().map(|it| (it.client_id, it.id)).collect();
        Ok(invitations::number(txn, &changed).await?)
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
