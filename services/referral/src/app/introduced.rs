//! Introductions that come of letters [R9, R18, R36]: whoever signs up by one, or had an account when they accepted it, is
//! introduced to the client whom it names. Where that cannot be (they are the referrer, or somebody was first) nobody is told,
//! as it would tell of them; the invitation goes its way.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use vouch_primitives::{PersonId, ReferralInvitationId, Timestamp};
use vouch_storage::Txn;

use super::{
    App, attribution,
    introductions::{self, New},
    inviting,
};
use crate::{
    domain::{ReferralInvitation, Stage},
    error::Error,
    store::{self, accounts::Account, referrers::Referrer, sign_ups::PersonAddress},
};

/// Somebody has come by a letter that introduces them to a client.
#[derive(Clone, Debug)]
pub(super) struct Met {
    /// By which.
    pub invitation: ReferralInvitation,
    /// Whose it was.
    pub referrer: Referrer,
    /// With which account.
    pub account: Account,
    /// When they signed up, or accepted as a member.
    pub made: Timestamp,
    /// When they accepted.
    pub accepted: Timestamp,
}

/// The addresses of some people.
pub(super) type Addresses = BTreeMap<PersonId, Vec<PersonAddress>>;

/// Whether mails to both come into the same mailbox.
pub(super) fn share_mailbox(addresses: &Addresses, one: PersonId, other: PersonId) -> bool {
    let mailboxes = |person| addresses.get(&person).into_iter().flatten().map(|known| known.mailbox);
    let own: BTreeSet<_> = mailboxes(one).collect();
    mailboxes(other).any(|mailbox| own.contains(&mailbox))
}

impl App {
    /// Introduces those of some people, who are locked, who had accounts when they accepted letters to their addresses [R18]. It
    /// may be heard of an acceptance, of an account and of an address in any order.
    pub(super) async fn welcome(&self, txn: &Txn, people: &BTreeSet<PersonId>) -> Result<(), Error> {
        let mut addresses = store::sign_ups::addresses(txn, people).await?;
        let emails = addresses.values().flatten().map(|known| known.email).collect();
        let invited = store::invitations::ids_to(txn, &emails).await?;
        let mut accepted = store::invitations::lock(txn, &invited).await?;
        accepted.retain(|invitation| invitation.client.is_some() && invitation.stage == Stage::Accepted);
        if accepted.is_empty() {
            return Ok(());
        }
        let accounts = store::accounts::own_of(txn, people).await?;
        let referrers = accepted.iter().map(|invitation| invitation.referrer).collect();
        let referrers = store::referrers::with_ids(txn, &referrers).await?;
        let vouchers = referrers.iter().map(|referrer| referrer.person).collect();
        addresses.extend(store::sign_ups::addresses(txn, &vouchers).await?);
        let met = members(&mut accepted, &accounts, &referrers, &addresses);
        store::invitations::save(txn, &accepted).await?;
        introduce(txn, self.now(), met).await?;
        inviting::hire(txn, self.now(), people).await
    }
}

/// Those who had accounts when they accepted; the invitations are theirs from now on.
fn members(
    accepted: &mut [ReferralInvitation],
    accounts: &[Account],
    referrers: &[Referrer],
    addresses: &Addresses,
) -> Vec<Met> {
    let referrers: HashMap<_, _> = referrers.iter().map(|referrer| (referrer.id, referrer)).collect();
    let mut of_email: HashMap<_, Vec<_>> = HashMap::new();
    for account in accounts {
        for known in addresses.get(&account.person).into_iter().flatten() {
            of_email.entry(known.email).or_default().push(account);
        }
    }
    let mut met = Vec::new();
    for invitation in accepted {
        let referrer = referrers.get(&invitation.referrer).copied();
        for account in of_email.get(&invitation.address).into_iter().flatten() {
            let Some(referrer) = referrer.filter(|referrer| !is_own(addresses, referrer, account)) else {
                continue;
            };
            if let Some(at) = invitation.meet(account.person, account.registered_at) {
                met.push(Met {
                    invitation: invitation.clone(),
                    referrer: referrer.clone(),
                    account: Account::clone(account),
                    made: at,
                    accepted: at,
                });
            }
        }
    }
    met
}

/// Whether somebody would introduce themselves, under whatever address.
pub(super) fn is_own(addresses: &Addresses, referrer: &Referrer, account: &Account) -> bool {
    referrer.person == account.person || share_mailbox(addresses, referrer.person, account.person)
}

/// Introduces those who have come by letters, and who are locked, with what has come of it already. Who was introduced first
/// stays so; of several letters by which somebody has signed up, the last one accepted counts, as for attributions.
pub(super) async fn introduce(txn: &Txn, now: Timestamp, mut met: Vec<Met>) -> Result<(), Error> {
    if met.is_empty() {
        return Ok(());
    }
    met.sort_by_key(|it| (it.made, Reverse((it.accepted, it.invitation.id))));
    store::referrers::lock_all(txn, &met.iter().map(|it| it.referrer.id).collect()).await?;
    let letters: BTreeSet<ReferralInvitationId> = met.iter().map(|it| it.invitation.id).collect();
    let said = store::invitations::words_of(txn, &letters).await?;
    let new: Vec<_> = met
        .into_iter()
        .filter_map(|it| {
            Some(New {
                kind: it.invitation.kind,
                client: it.invitation.client?,
                made: it.made,
                message: said
                    .get(&it.invitation.id)
                    .map(|words| words.message.clone())
                    .unwrap_or_default(),
                referrer: it.referrer,
                account: it.account,
            })
        })
        .collect();
    let made = introductions::insert(txn, &new).await?;
    attribution::begin(txn, now, &made).await
}
