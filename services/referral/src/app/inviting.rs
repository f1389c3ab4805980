//! Inviting friends [R15-R17, R19]: the letter, what its reader makes of it, and how far they come. Only whoever has the
//! letter learns anything by its token, and the referrer learns how far their friend has come with it, and nothing of
//! whether there was an account before: a member who accepts an introduction to a client looks like somebody who has signed up
//! with it [R18].

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use vouch_mail::{NewMail, Token};
use vouch_primitives::{ClientId, PersonId, ReferralInvitationId, ReferrerId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, referral::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, Batch, NewTimer},
};

use super::{
    App,
    letter::{self, Occasion},
    wire_referral_kind,
};
use crate::{
    domain::{
        AddressHash, ReferralInvitation, ReferralKind, Stage, TokenHash, Words, bond::IntroductionError,
        referral_invitation::REMIND_AFTER_DAYS,
    },
    error::Error,
    store::{
        contracts,
        earnings::{self, Scope},
        invitations::{self as store, Full, Said},
        people, referrers, sign_ups, suppressions,
    },
};

/// The timer that expires an invitation of a friend; its key is the invitation.
pub const EXPIRE: &str = "referral_invitation.expire";
/// The timer that reminds of an invitation of a friend; its key is the invitation.
pub const REMIND: &str = "referral_invitation.remind";
/// The e-mail that invites a friend.
pub(super) const MAIL_SENT: &str = "referral_invitation.sent";
/// The e-mail that reminds a friend.
pub(super) const MAIL_REMINDER: &str = "referral_invitation.reminder";

/// A referrer invites a friend.
#[derive(Clone, Debug)]
pub struct InviteFriend {
    /// Who invites.
    pub referrer: ReferrerId,
    /// Which type of referral it makes.
    pub kind: ReferralKind,
    /// To which client; nobody's where it is a friend.
    pub client: Option<ClientId>,
    /// Whom, and with which words.
    pub words: Words,
}

impl App {
    /// Invites a friend: the invitation, its letter and its timers are in one transaction.
    ///
    /// # Errors
    /// If there is no such referrer, the address is their own or wants no mail, they have not worked for the client, or a limit
    /// is reached.
    pub async fn invite_friend(
        &self,
        key: &RequestKey,
        command: &InviteFriend,
    ) -> Result<pb::InviteFriendResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let invitation = self.invite(&txn, now, command).await?;
                Ok(pb::InviteFriendResponse {
                    invitation: Some(to_wire(&invitation, Some(&command.words))),
                })
            })
            .await
    }

    async fn invite(&self, txn: &Txn, now: Timestamp, command: &InviteFriend) -> Result<ReferralInvitation, Error> {
        let InviteFriend { referrer, words, .. } = command;
        let referrer = referrers::lock(txn, *referrer)
            .await?
            .ok_or_else(|| Error::not_found("referrer", referrer))?;
        let address = AddressHash(Sha256::digest(words.email.as_str()).into());
        let own = sign_ups::addresses(txn, &BTreeSet::from([referrer.person])).await?;
        if own.into_values().flatten().any(|known| known.email == address) {
            return Err(Error::OwnAddress);
        }
        if !suppressions::among(txn, &BTreeSet::from([address])).await?.is_empty() {
            return Err(Error::AddressSuppressed);
        }
        if let Some(client) = command.client
            && !contracts::knows(txn, referrer.person, client).await?
        {
            return Err(IntroductionError::NotYourClient.into());
        }
        let mut invitation = ReferralInvitation {
            id: ReferralInvitationId::new(),
            referrer: referrer.id,
            address,
            kind: command.kind,
            client: command.client,
            stage: Stage::Sent,
            sent_at: now,
            accepted_at: None,
            person: None,
            since: now,
            number_of_day: 0,
            number_of_week: 0,
        };
        match store::insert(txn, &mut invitation, self.limits.invitations).await? {
            Ok(()) => {}
            Err(Full::Day) => return Err(Error::InvitationLimit(now.start_of_day().add_days(1).since(now))),
            Err(Full::Week) => return Err(Error::AddressLimit(now.start_of_week().add_days(7).since(now))),
        }
        store::insert_words(txn, invitation.id, words).await?;
        let said = Said::from([(invitation.id, words.clone())]);
        self.post(txn, now, std::slice::from_ref(&invitation), &said, Occasion::Invited)
            .await?;
        let timer = |kind, due| NewTimer {
            kind,
            key: invitation.id.as_uuid(),
            due,
        };
        let reminder = timer(REMIND, now.add_days(REMIND_AFTER_DAYS));
        timers::schedule(txn, &[timer(EXPIRE, invitation.expires_at()), reminder]).await?;
        Ok(invitation)
    }

    /// Writes the letters of invitations, each with a token of its own.
    async fn post(
        &self,
        txn: &Txn,
        now: Timestamp,
        invitations: &[ReferralInvitation],
        said: &Said,
        occasion: Occasion,
    ) -> Result<(), Error> {
        let (mut mails, mut tokens, mut ways) = (Vec::new(), Vec::new(), Vec::new());
        for invitation in invitations {
            let Some(words) = said.get(&invitation.id) else {
                continue;
            };
            let (token, way_out) = (Token::try_new()?, Token::try_new()?);
            let link = format!("{}/referrals/accept#token={}", self.public_url, token.as_str());
            let unsubscribe = format!("{}/referrals/unsubscribe?token={}", self.public_url, way_out.as_str());
            mails.push(NewMail {
                kind: match occasion {
                    Occasion::Invited => MAIL_SENT,
                    Occasion::Reminded => MAIL_REMINDER,
                },
                about: invitation.id.as_uuid(),
                to: words.email.clone(),
                to_name: Some(words.recipient_name.clone()),
                from_name: format!("{} via Vouch", words.referrer_name),
                reply_to: words.referrer_contact.parse().ok(),
                letter: letter::of_invitation(invitation, words, occasion, link, unsubscribe),
            });
            tokens.push((TokenHash(token.sha256()), invitation.id));
            ways.push((TokenHash(way_out.sha256()), invitation.address));
        }
        store::add_tokens(txn, &tokens).await?;
        suppressions::add_ways_out(txn, &ways).await?;
        Ok(vouch_mail::enqueue_all(txn, now, &mails).await?)
    }

    /// The reader of a letter has opened its link; nothing is used up by that. The answer is not remembered, as it holds
    /// what is erased with people.
    ///
    /// # Errors
    /// If the token is nobody's, or its invitation is not open any more, which look alike.
    pub async fn open_invitation(&self, token: &Token) -> Result<pb::OpenReferralInvitationResponse, Error> {
        let now = self.now();
        self.commands
            .db()
            .write_together(|txn| async move {
                let (mut invitation, words) = lock_by(&txn, token).await?;
                let is_open = invitation.stage.is_open() || invitation.stage == Stage::Accepted;
                if !is_open || !invitation.is_in_time(now) {
                    return Err(Error::NoOpenInvitation);
                }
                invitation.open(now);
                store::save(&txn, std::slice::from_ref(&invitation)).await?;
                Ok(pb::OpenReferralInvitationResponse {
                    referrer_name: words.referrer_name,
                    job: words.job,
                    message: words.message,
                    expire_time: Some(to_wire_time(invitation.expires_at())),
                })
            })
            .await
    }

    /// The reader of a letter accepts it [R17]; whoever signs up with the token afterwards is the referrer's referee, unless
    /// they type somebody's code, or is introduced to the client. A member is introduced at once [R18].
    ///
    /// # Errors
    /// If the token is nobody's, or its invitation is not open any more, which look alike.
    pub async fn accept_invitation(
        &self,
        key: &RequestKey,
        token: &Token,
    ) -> Result<pb::AcceptReferralInvitationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                // People are locked before what concerns them.
                people::lock(&txn, &known_by(&txn, token).await?).await?;
                let (mut invitation, _) = lock_by(&txn, token).await?;
                if !invitation.accept(now) {
                    return Err(Error::NoOpenInvitation);
                }
                // Whoever became known meanwhile has found it unanswered; whoever does later, finds it accepted.
                let members = known_by(&txn, token).await?;
                people::lock(&txn, &members).await?;
                store::save(&txn, std::slice::from_ref(&invitation)).await?;
                timers::cancel(&txn, REMIND, &[invitation.id.as_uuid()]).await?;
                self.welcome(&txn, &members).await?;
                Ok(pb::AcceptReferralInvitationResponse {
                    expire_time: Some(to_wire_time(invitation.expires_at())),
                })
            })
            .await
    }

    /// The reader of a letter says no.
    ///
    /// # Errors
    /// If the token is nobody's, or its invitation is not open any more, which look alike.
    pub async fn decline_invitation(
        &self,
        key: &RequestKey,
        token: &Token,
    ) -> Result<pb::DeclineReferralInvitationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let (mut invitation, _) = lock_by(&txn, token).await?;
                if !invitation.decline(now) {
                    return Err(Error::NoOpenInvitation);
                }
                store::save(&txn, std::slice::from_ref(&invitation)).await?;
                timers::cancel(&txn, REMIND, &[invitation.id.as_uuid()]).await?;
                timers::cancel(&txn, EXPIRE, &[invitation.id.as_uuid()]).await?;
                Ok(pb::DeclineReferralInvitationResponse {})
            })
            .await
    }

    /// A referrer's invitations, newest first.
    ///
    /// # Errors
    /// If there is no such referrer.
    pub async fn invitations(
        &self,
        id: ReferrerId,
        page: &Page<ReferralInvitationId>,
    ) -> Result<Listed<pb::ReferralInvitation, ReferralInvitationId>, Error> {
        let conn = self.commands.db().reader();
        if referrers::find(conn, id).await?.is_none() {
            return Err(Error::not_found("referrer", id));
        }
        let listed = page.cut(store::page(conn, id, page).await?, |invitation| invitation.id);
        let ids = listed.items.iter().map(|invitation| invitation.id).collect();
        let said = store::words_of(conn, &ids).await?;
        let wire = |it: &ReferralInvitation| to_wire(it, said.get(&it.id));
        Ok(Listed {
            items: listed.items.iter().map(wire).collect(),
            next: listed.next,
        })
    }

    /// Nobody answered these in time, or signed up with them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn expire_invitations(&self, txn: &Txn, due: &Batch) -> Result<(), Error> {
        let mut waiting = lock_due(txn, due).await?;
        waiting.retain(|it| (it.stage.is_open() || it.stage == Stage::Accepted) && !it.is_in_time(due.now));
        for invitation in &mut waiting {
            (invitation.stage, invitation.since) = (Stage::Expired, invitation.expires_at());
        }
        Ok(store::save(txn, &waiting).await?)
    }

    /// Reminds those who have not answered, unless their address wants no mail.
    ///
    /// # Errors
    /// If the operating system gives no random bytes, or the database fails.
    pub async fn remind_of_invitations(&self, txn: &Txn, due: &Batch) -> Result<(), Error> {
        let mut open = lock_due(txn, due).await?;
        open.retain(|invitation| invitation.stage.is_open() && invitation.is_in_time(due.now));
        let addresses = open.iter().map(|invitation| invitation.address).collect();
        let suppressed = suppressions::among(txn, &addresses).await?;
        open.retain(|invitation| !suppressed.contains(&invitation.address));
        let said = store::words_of(txn, &open.iter().map(|invitation| invitation.id).collect()).await?;
        self.post(txn, due.now, &open, &said, Occasion::Reminded).await
    }
}

/// The invitations with which these people signed up, or were introduced, have come to work that began since [R29]: a contract,
/// or an earning, which comes of one.
pub(super) async fn hire(txn: &Txn, now: Timestamp, people: &BTreeSet<PersonId>) -> Result<(), Error> {
    let ids = store::ids_of(txn, people).await?;
    let mut registered = store::lock(txn, &ids).await?;
    registered.retain(|invitation| invitation.stage == Stage::Registered);
    let invited: BTreeSet<PersonId> = registered.iter().filter_map(|invitation| invitation.person).collect();
    if invited.is_empty() {
        return Ok(());
    }
    let contracts = contracts::of_people(txn, &invited).await?;
    let earned = earnings::of_people(txn, &invited, &Scope::All).await?;
    registered.retain(|invitation| {
        let theirs = contracts.iter().filter(|it| Some(it.person) == invitation.person);
        let began = theirs.filter_map(|it| it.began);
        let theirs = earned.values().filter(|it| Some(it.person) == invitation.person);
        let occurred = theirs.map(|it| it.occurred_at);
        began.chain(occurred).any(|at| invitation.since <= at)
    });
    for invitation in &mut registered {
        (invitation.stage, invitation.since) = (Stage::Hired, now);
    }
    Ok(store::save(txn, &registered).await?)
}

async fn lock_due(txn: &Txn, due: &Batch) -> Result<Vec<ReferralInvitation>, Error> {
    let ids = due.keys().into_iter().map(ReferralInvitationId::from_uuid).collect();
    Ok(store::lock(txn, &ids).await?)
}

/// Who is known by the address that the letter with this token went to.
async fn known_by(txn: &Txn, token: &Token) -> Result<BTreeSet<PersonId>, Error> {
    let hash = TokenHash(token.sha256());
    let found = store::of_tokens(txn, &BTreeSet::from([hash])).await?;
    let addresses = store::addresses_of(txn, &found.into_values().collect()).await?;
    Ok(sign_ups::known_by(txn, &addresses).await?)
}

/// The invitation of a token, with what it says, locked.
async fn lock_by(txn: &Txn, token: &Token) -> Result<(ReferralInvitation, Words), Error> {
    let hash = TokenHash(token.sha256());
    let found: BTreeMap<_, _> = store::of_tokens(txn, &BTreeSet::from([hash])).await?;
    let ids: BTreeSet<_> = found.into_values().collect();
    let invitation = store::lock(txn, &ids).await?.pop();
    let words = store::words_of(txn, &ids).await?.into_values().next();
    invitation.zip(words).ok_or(Error::NoOpenInvitation)
}

fn to_wire(invitation: &ReferralInvitation, words: Option<&Words>) -> pb::ReferralInvitation {
    let stage = match invitation.stage {
        Stage::Sent => pb::referral_invitation::Stage::Sent,
        Stage::Clicked => pb::referral_invitation::Stage::Clicked,
        Stage::Accepted => pb::referral_invitation::Stage::Accepted,
        Stage::Registered => pb::referral_invitation::Stage::Registered,
        Stage::Hired => pb::referral_invitation::Stage::Hired,
        Stage::Declined => pb::referral_invitation::Stage::Declined,
        Stage::Expired => pb::referral_invitation::Stage::Expired,
    };
    pb::ReferralInvitation {
        id: invitation.id.to_string(),
        referrer_id: invitation.referrer.to_string(),
        recipient_email: words.map(|words| words.email.to_string()).unwrap_or_default(),
        recipient_name: words.map(|words| words.recipient_name.clone()).unwrap_or_default(),
        job: words.map(|words| words.job.clone()).unwrap_or_default(),
        stage: stage.into(),
        send_time: Some(to_wire_time(invitation.sent_at)),
        expire_time: Some(to_wire_time(invitation.expires_at())),
        change_time: Some(to_wire_time(invitation.since)),
        kind: wire_referral_kind(invitation.kind).into(),
        client_id: invitation.client.map(|id| id.to_string()).unwrap_or_default(),
    }
}
