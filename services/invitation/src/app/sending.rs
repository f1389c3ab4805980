//! Sending invitations: one, or many at once, each within the limits and to somebody who takes them.

use std::collections::{BTreeSet, HashMap, HashSet};

use vouch_mail::{NewMail, Token};
use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{ClientId, HiringManagerId, InvitationId, PersonId, TalentCloudId, Timestamp};
use vouch_proto::{Violations, convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, NewTimer},
};

use super::{
    App, EXPIRE_INVITATION, clients::expect_client, invitations::follow, letter::Occasion, members, reminders::reminder,
};
use crate::{
    domain::{
        AddressHash, Branch, Client, Content, Draft, DraftContent, HiringManager, Invitation, InvitedCloud, Limit,
        State, TalentCloud, TokenHash, Unsendable, invitation::expiry_of,
    },
    error::Error,
    store::{accounts, clouds, invitations as store, quota, suppressions},
};

/// In whose name invitations are sent.
#[derive(Clone, Copy, Debug)]
pub struct Inviter {
    /// Who invites.
    pub client_id: ClientId,
    /// In whose name; `None` for the client's first hiring manager.
    pub hiring_manager_id: Option<HiringManagerId>,
}

/// Invites one e-mail address.
#[derive(Clone, Debug)]
pub struct SendInvitation {
    /// In whose name.
    pub inviter: Inviter,
    /// Whom, and to what.
    pub draft: Draft,
}

/// Invites many e-mail addresses.
#[derive(Clone, Debug)]
pub struct SendInvitations {
    /// In whose name.
    pub inviter: Inviter,
    /// Whom, and to what; or why not, where that is known already.
    pub drafts: Vec<Result<Draft, Verdict>>,
}

/// What became of one of many invitations.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It was sent.
    Sent(InvitationId),
    /// It may not be sent.
    Unsendable(Unsendable),
    /// It cannot be read.
    Unreadable(Violations),
}

impl App {
    /// Invites one e-mail address: the invitation, its e-mail, its expiry and its event are in one transaction.
    ///
    /// # Errors
    /// If the client, its hiring manager or its talent cloud does not exist, the address is suppressed or a limit is
    /// reached; if the database fails.
    pub async fn send_invitation(
        &self,
        key: &RequestKey,
        command: &SendInvitation,
    ) -> Result<pb::SendInvitationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut sent = self.send(&txn, now, command.inviter, &[&command.draft]).await?;
                let invitation = sent.pop().unwrap_or(Err(Unsendable::Repeated))?;
                let invitation = follow(&*txn, invitation).await?;
                Ok(pb::SendInvitationResponse {
                    invitation: Some(invitation.into()),
                })
            })
            .await
    }

    /// Invites many e-mail addresses; those that can be invited are, in one transaction.
    ///
    /// # Errors
    /// If the client or its hiring manager does not exist, or the database fails.
    pub async fn send_invitations(
        &self,
        key: &RequestKey,
        command: &SendInvitations,
    ) -> Result<pb::SendInvitationsResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let drafts: Vec<_> = command.drafts.iter().flatten().collect();
                let sent = self.send(&txn, now, command.inviter, &drafts).await?;
                Ok(verdicts(&command.drafts, sent))
            })
            .await
    }

    /// Writes the invitations that can be sent, and counts them; why the others cannot.
    pub(super) async fn write(
        &self,
        txn: &Txn,
        now: Timestamp,
        inviter: Inviter,
        drafts: &[&Draft],
    ) -> Result<Vec<Result<Invitation, Unsendable>>, Error> {
        let (client, mut verdicts) = drafted(txn, now, inviter, drafts).await?;
        self.refuse_addresses(txn, now, &client, &mut verdicts).await?;
        Ok(verdicts)
    }

    /// Sends what can be sent; what became of each, in order.
    async fn send(
        &self,
        txn: &Txn,
        now: Timestamp,
        inviter: Inviter,
        drafts: &[&Draft],
    ) -> Result<Vec<Result<Invitation, Unsendable>>, Error> {
        let mut verdicts = self.write(txn, now, inviter, drafts).await?;
        straight_to_accounts(txn, &mut verdicts).await?;
        let sent: Vec<_> = verdicts.iter().flatten().cloned().collect();
        self.launch(txn, now, &sent, &sent).await?;
        Ok(verdicts)
    }

    /// Makes an offer to somebody who has applied for work: it goes straight into their account, and as they have asked for
    /// it, no limit stands against it; to an address on the suppression list goes the offer, but no e-mail.
    pub(super) async fn offer(
        &self,
        txn: &Txn,
        now: Timestamp,
        inviter: Inviter,
        draft: &Draft,
        person: PersonId,
    ) -> Result<Invitation, Error> {
        let mut drafted = drafted(txn, now, inviter, &[draft]).await?.1;
        let offer = drafted.pop().unwrap_or(Err(Unsendable::Repeated))?.hiring(person);
        let sent = std::slice::from_ref(&offer);
        let wanted = suppressions::among(txn, &[address_of(&offer)]).await?.is_empty();
        self.launch(txn, now, sent, if wanted { sent } else { &[] }).await?;
        Ok(offer)
    }

    /// Writes new invitations and all that goes with them; e-mails and timers only for those of `dispatched`.
    async fn launch(
        &self,
        txn: &Txn,
        now: Timestamp,
        sent: &[Invitation],
        dispatched: &[Invitation],
    ) -> Result<(), Error> {
        store::insert(txn, sent).await?;
        members::invite(txn, now, sent).await?;
        self.dispatch(txn, now, dispatched).await?;
        let events: Vec<_> = sent.iter().flat_map(told).collect();
        outbox::append(txn, now, &events).await?;
        changed(txn, sent).await
    }

    /// Refuses what goes to addresses that want nothing, or is over a limit; what is left counts.
    pub(super) async fn refuse_addresses(
        &self,
        txn: &Txn,
        now: Timestamp,
        client: &Client,
        verdicts: &mut [Result<Invitation, Unsendable>],
    ) -> Result<(), Error> {
        let (mut met, mut left) = (HashSet::new(), Vec::new());
        for verdict in verdicts {
            let Ok(invitation) = verdict else { continue };
            let address = address_of(invitation);
            if met.insert(address) {
                left.push((address, verdict));
            } else {
                *verdict = Err(Unsendable::Repeated);
            }
        }
        let addresses: Vec<_> = met.into_iter().collect();
        let suppressed = suppressions::among(txn, &addresses).await?;
        left.retain_mut(|(address, verdict)| {
            let is_erased = verdict.as_ref().is_ok_and(|it| it.recipient.is_erased());
            let wanted = !is_erased && !suppressed.contains(address);
            if !wanted {
                **verdict = Err(Unsendable::Suppressed);
            }
            wanted
        });
        let addresses: Vec<_> = left.iter().map(|(address, _)| *address).collect();
        let over = self.over_limits(txn, now, client, &addresses).await?;
        for ((_, verdict), over) in left.into_iter().zip(over) {
            if let Some(limit) = over {
                let until = limit.begins_anew(now);
                let wait = until.since(now);
                *verdict = Err(Unsendable::Over { limit, until, wait });
            }
        }
        Ok(())
    }

    /// Counts invitations to a client as if they had been sent.
    pub(super) async fn count_as_sent(
        &self,
        txn: &Txn,
        now: Timestamp,
        client: ClientId,
        count: u64,
    ) -> Result<(), Error> {
        let today = Limit::Plan.begun(now);
        quota::used_by(txn, client, today).await?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(quota::use_up(txn, client, today, count).await?)
    }

    /// Which limit stands against an invitation to each of these addresses; what none stands against is counted.
    async fn over_limits(
        &self,
        txn: &Txn,
        now: Timestamp,
        client: &Client,
        addresses: &[AddressHash],
    ) -> Result<Vec<Option<Limit>>, Error> {
        let (today, week) = (Limit::Plan.begun(now), Limit::Address.begun(now));
        let used = quota::used_by(txn, client.id, today).await?;
        let room = self.limits.per_day(client.plan).saturating_sub(used);
        let mut room = usize::try_from(room).unwrap_or(usize::MAX);
        let taken = quota::take(txn, addresses, week, self.limits.address_per_week).await?;
        let (mut verdicts, mut given_back) = (Vec::with_capacity(addresses.len()), Vec::new());
        for address in addresses {
            verdicts.push(match (taken.contains(address), room) {
                // An address that has had enough leaves room for another.
                (false, _) => Some(Limit::Address),
                (true, 0) => {
                    given_back.push(*address);
                    Some(Limit::Plan)
                }
                (true, _) => {
                    room -= 1;
                    None
                }
            });
        }
        quota::give_back(txn, &given_back, week).await?;
        let sent = taken.len() - given_back.len();
        quota::use_up(txn, client.id, today, sent).await?;
        Ok(verdicts)
    }

    /// What invitations set in motion that are sent, for the first time or again: their e-mails, reminders, expiries.
    pub(super) async fn dispatch(&self, txn: &Txn, now: Timestamp, invitations: &[Invitation]) -> Result<(), Error> {
        let (hired, invited): (Vec<_>, Vec<_>) = invitations.iter().cloned().partition(|it| it.branch == Branch::Hire);
        self.post(txn, now, &invited, Occasion::Invited).await?;
        self.post(txn, now, &hired, Occasion::Offered).await?;
        let timers = invited.iter().flat_map(|invitation| {
            let expiry = NewTimer {
                kind: EXPIRE_INVITATION,
                key: invitation.id.as_uuid(),
                due: invitation.expires_at,
            };
            reminder(invitation, now).into_iter().chain([expiry])
        });
        Ok(timers::schedule(txn, &timers.collect::<Vec<_>>()).await?)
    }

    /// Writes the e-mail about each of these invitations, with a token of its own.
    pub(super) async fn post(
        &self,
        txn: &Txn,
        now: Timestamp,
        invitations: &[Invitation],
        occasion: Occasion,
    ) -> Result<(), Error> {
        let (mut mails, mut tokens, mut ways_out): (Vec<NewMail>, Vec<_>, Vec<_>) = Default::default();
        for invitation in invitations {
            let way_out = Token::try_new()?;
            // Who has an account needs no token to get at their offer.
            let token = match invitation.branch {
                Branch::Invite => Some(Token::try_new()?),
                Branch::Hire => None,
            };
            mails.push(self.mail(invitation, token.as_ref(), &way_out, occasion));
            tokens.extend(token.map(|token| (invitation.id, TokenHash(token.sha256()))));
            ways_out.push((TokenHash(way_out.sha256()), invitation.recipient.email.clone()));
        }
        store::add_tokens(txn, &tokens).await?;
        suppressions::add_tokens(txn, &ways_out, now).await?;
        Ok(vouch_mail::enqueue_all(txn, now, &mails).await?)
    }
}

/// What these drafts would be as invitations of the client; whom they go to does not matter yet.
async fn drafted(
    txn: &Txn,
    now: Timestamp,
    inviter: Inviter,
    drafts: &[&Draft],
) -> Result<(Client, Vec<Result<Invitation, Unsendable>>), Error> {
    let client = expect_client(txn, inviter.client_id).await?;
    let named = inviter.hiring_manager_id;
    let hiring_manager = client
        .hiring_manager(named)
        .ok_or_else(|| Error::not_found("hiring manager", named.map(|id| id.to_string()).unwrap_or_default()))?;
    let clouds = clouds_of(txn, drafts).await?;
    let written = drafts
        .iter()
        .map(|draft| written(&client, hiring_manager, &clouds, draft, now));
    let written = written.collect();
    Ok((client, written))
}

/// Who watches the clients' invitations sees these.
pub(super) async fn changed(txn: &Txn, invitations: &[Invitation]) -> Result<(), Error> {
    let changed: Vec<_> = invitations.iter().map(|it| (it.client_id, it.id)).collect();
    Ok(store::number(txn, &changed).await?)
}

/// What became of each, where `sent` says it of those of which nothing was known.
pub(super) fn verdicts(
    drafts: &[Result<Draft, Verdict>],
    sent: Vec<Result<Invitation, Unsendable>>,
) -> pb::SendInvitationsResponse {
    let mut sent = sent.into_iter();
    let verdicts = drafts.iter().filter_map(|draft| match draft {
        Err(verdict) => Some(verdict.clone()),
        Ok(_) => sent.next().map(|sent| match sent {
            Ok(invitation) => Verdict::Sent(invitation.id),
            Err(why) => Verdict::Unsendable(why),
        }),
    });
    pb::SendInvitationsResponse {
        verdicts: verdicts.map(Into::into).collect(),
    }
}

/// Sends straight into their accounts what goes to people who have one [R37].
async fn straight_to_accounts(txn: &Txn, verdicts: &mut [Result<Invitation, Unsendable>]) -> Result<(), Error> {
    let addresses: Vec<_> = verdicts.iter().flatten().map(address_of).collect();
    let owners = accounts::owners(txn, &addresses).await?;
    for invitation in verdicts.iter_mut().flatten() {
        if let Some(person) = owners.get(&address_of(invitation)) {
            *invitation = invitation.clone().hiring(*person);
        }
    }
    Ok(())
}

async fn clouds_of(txn: &Txn, drafts: &[&Draft]) -> Result<HashMap<TalentCloudId, TalentCloud>, Error> {
    // In one order, so that two who send to the same clouds wait for one another and not in a circle.
    let ids: BTreeSet<_> = drafts
        .iter()
        .filter_map(|draft| match draft.content {
            DraftContent::Contract(_) => None,
            DraftContent::Cloud(id) => Some(id),
        })
        .collect();
    let mut found = HashMap::new();
    for id in ids {
        // Locked, so that nobody archives it meanwhile.
        found.extend(clouds::lock(txn, id).await?.map(|cloud| (id, cloud)));
    }
    Ok(found)
}

fn written(
    client: &Client,
    hiring_manager: &HiringManager,
    clouds: &HashMap<TalentCloudId, TalentCloud>,
    draft: &Draft,
    now: Timestamp,
) -> Result<Invitation, Unsendable> {
    let content = match &draft.content {
        DraftContent::Contract(terms) => Content::Contract(terms.clone()),
        DraftContent::Cloud(id) => {
            let cloud = clouds.get(id).filter(|cloud| cloud.client_id == client.id);
            let cloud = cloud.ok_or(Unsendable::NoCloud(*id))?;
            if cloud.archived_at.is_some() {
                return Err(Unsendable::CloudArchived(*id));
            }
            Content::Cloud(InvitedCloud {
                id: *id,
                name: cloud.name.clone(),
            })
        }
    };
    Ok(Invitation {
        id: InvitationId::new(),
        client_id: client.id,
        company_name: client.company_name.clone(),
        hiring_manager: hiring_manager.clone(),
        talent_type: draft.talent_type,
        recipient: draft.recipient.clone(),
        content,
        personal_message: draft.personal_message.clone(),
        sent_at: now,
        expires_at: expiry_of(now),
        branch: Branch::Invite,
        state: State::Pending,
    })
}

fn address_of(invitation: &Invitation) -> AddressHash {
    suppressions::hash_of(&invitation.recipient.email)
}

fn told(invitation: &Invitation) -> Vec<NewEvent> {
    let sent = pb::InvitationSent {
        invitation_id: invitation.id.to_string(),
        client_id: invitation.client_id.to_string(),
        send_time: Some(to_wire_time(invitation.sent_at)),
        expire_time: Some(to_wire_time(invitation.expires_at)),
    };
    let accepted = match invitation.state {
        State::Accepted(acceptance) => Some(pb::InvitationAccepted {
            invitation_id: invitation.id.to_string(),
            client_id: invitation.client_id.to_string(),
            person_id: acceptance.person_id.to_string(),
            accept_time: Some(to_wire_time(acceptance.accepted_at)),
            hire: true,
        }),
        _ => None,
    };
    let sent = NewEvent::new(invitation.id.as_uuid(), &sent);
    let accepted = accepted.map(|event| NewEvent::new(invitation.id.as_uuid(), &event));
    [sent].into_iter().chain(accepted).collect()
}
