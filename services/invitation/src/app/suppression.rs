//! The suppression list: addresses that get no invitation and no referral mail.

use std::collections::{BTreeMap, BTreeSet};

use vouch_mail::{Leaving, Token};
use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{ClientId, EmailAddress, InvitationId, Timestamp, Uuid};
use vouch_proto::{convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{StorageError, Txn, idempotency::RequestKey};

use super::App;
use crate::{
    domain::{AddressHash, Suppression, SuppressionReason, TokenHash},
    error::Error,
    store::{invitations, suppressions as store},
};

/// The e-mails that an address on the list does not get.
const UNWANTED: [&str; 3] = [
    super::INVITATION_SENT,
    super::INVITATION_OFFERED,
    super::INVITATION_REMINDER,
];

/// Puts an address on the list.
#[derive(Clone, Debug)]
pub struct SuppressAddress {
    /// Which.
    pub email: EmailAddress,
    /// Why.
    pub reason: SuppressionReason,
}

/// An address of which another service has heard that it wants or takes no mail.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Which.
    pub address: AddressHash,
    /// Why.
    pub reason: SuppressionReason,
}

impl App {
    /// Puts the reader of an e-mail on the list. A token that nobody has been sent gets the same answer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unsubscribe(&self, key: &RequestKey, token: &Token) -> Result<pb::UnsubscribeResponse, Error> {
        let token = &TokenHash(token.sha256());
        self.commands
            .once(key, |txn, now| async move {
                if let Some(email) = store::find_by_token(&txn, token).await? {
                    suppress(&txn, now, &email, SuppressionReason::Unsubscribed).await?;
                }
                Ok(pb::UnsubscribeResponse {})
            })
            .await
    }

    /// Puts an address on the list; one that is on it stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn suppress_address(
        &self,
        key: &RequestKey,
        command: &SuppressAddress,
    ) -> Result<pb::SuppressAddressResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                suppress(&txn, now, &command.email, command.reason).await?;
                let suppression = store::find(&*txn, store::hash_of(&command.email)).await?;
                let suppression = suppression.map(Into::into);
                Ok(pb::SuppressAddressResponse { suppression })
            })
            .await
    }

    /// Takes an address off the list.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reinstate_address(
        &self,
        key: &RequestKey,
        email: &EmailAddress,
    ) -> Result<pb::ReinstateAddressResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let address = store::hash_of(email);
                if store::delete(&txn, address).await? {
                    let event = pb::AddressReinstated {
                        email_sha256: address.0.to_vec(),
                        reinstate_time: Some(to_wire_time(now)),
                    };
                    outbox::append(&txn, now, &[NewEvent::new(aggregate(address), &event)]).await?;
                }
                Ok(pb::ReinstateAddressResponse {})
            })
            .await
    }

    /// What the list says of an address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_suppression(&self, email: &EmailAddress) -> Result<Option<Suppression>, Error> {
        Ok(store::find(self.commands.db().reader(), store::hash_of(email)).await?)
    }

    /// Why each of these e-mails is not to leave any more, if so: its address has come onto the list, or its invitation was
    /// answered, withdrawn, sent again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recheck_mail(&self, leaving: &[Leaving]) -> Result<Vec<Option<&'static str>>, StorageError> {
        let (conn, now) = (self.commands.db().reader(), self.commands.now());
        let wants = |mail: &&Leaving| UNWANTED.contains(&&*mail.kind);
        let address = |mail: &Leaving| mail.to.parse().ok().map(|email| store::hash_of(&email));
        let addresses: Vec<_> = leaving.iter().filter(wants).filter_map(address).collect();
        let suppressed = store::among(conn, &addresses).await?;
        let with_link = |mail: &&Leaving| [super::INVITATION_SENT, super::INVITATION_REMINDER].contains(&&*mail.kind);
        let about = |mail: &Leaving| InvitationId::from_uuid(mail.about);
        let invitations: Vec<_> = leaving.iter().filter(with_link).map(about).collect();
        let open = invitations::open_since(conn, &invitations, now).await?;
        let why = |mail: &Leaving| {
            if address(mail).is_some_and(|address| suppressed.contains(&address)) {
                return Some("the address wants or takes no invitations");
            }
            if !with_link(&mail) {
                return None;
            }
            match open.get(&about(mail)) {
                None => Some("the invitation is closed"),
                Some(sent_at) if mail.queued_at < *sent_at => Some("the invitation was sent again"),
                Some(_) => None,
            }
        };
        Ok(leaving.iter().map(why).collect())
    }

    /// Puts addresses on the list of which the referral service has heard that they want or take no mail.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_refusals(&self, txn: &Txn, refusals: &[Refused]) -> Result<(), Error> {
        // In one order, as below.
        let by_address: BTreeMap<_, _> = refusals
            .iter()
            .map(|refused| (refused.address, refused.reason))
            .collect();
        let now = self.commands.now();
        for (address, reason) in by_address {
            list(txn, now, address, reason).await?;
        }
        Ok(())
    }

    /// Puts addresses on the list of which a mail server has said that there is no such mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_bounces(&self, txn: &Txn, addresses: &[String]) -> Result<(), StorageError> {
        let now = self.commands.now();
        // In one order, so that two replicas wait for one another and not in a circle.
        let addresses: BTreeSet<EmailAddress> = addresses.iter().filter_map(|address| address.parse().ok()).collect();
        for address in addresses {
            suppress(txn, now, &address, SuppressionReason::Bounced).await?;
        }
        Ok(())
    }
}

async fn suppress(
    txn: &Txn,
    now: Timestamp,
    email: &EmailAddress,
    reason: SuppressionReason,
) -> Result<(), StorageError> {
    if list(txn, now, store::hash_of(email), reason).await? {
        vouch_mail::give_up_to(txn, now, email, &UNWANTED, "the address wants or takes no invitations").await?;
    }
    Ok(())
}

/// Puts an address on the list, and tells of it, unless it is there; mails to it that are queued are looked at once more
/// before they leave.
async fn list(
    txn: &Txn,
    now: Timestamp,
    address: AddressHash,
    reason: SuppressionReason,
) -> Result<bool, StorageError> {
    if !store::insert(txn, address, Suppression { reason, since: now }).await? {
        return Ok(false);
    }
    let event = pb::AddressSuppressed {
        email_sha256: address.0.to_vec(),
        reason: pb::suppression::Reason::from(reason).into(),
        suppress_time: Some(to_wire_time(now)),
    };
    outbox::append(txn, now, &[NewEvent::new(aggregate(address), &event)]).await?;
    Ok(true)
}

/// The id under which the events about an address come in their order.
fn aggregate(address: AddressHash) -> Uuid {
    ClientId::derived(Uuid::nil(), &format!("{:02x?}", address.0)).as_uuid()
}
