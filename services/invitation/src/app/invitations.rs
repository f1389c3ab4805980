//! Invitations: sending them, and finding them again.

use sea_orm::ConnectionTrait;
use vouch_mail::{Delivery, NewMail, Token};
use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{ClientId, EmailAddress, HiringManagerId, InvitationId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, NewTimer},
};

use super::{
    App, EXPIRE_INVITATION,
    letter::{self, Occasion},
    reminders::reminder,
};
use crate::{
    domain::{
        Client, ContractTerms, Filter, Invitation, Order, Recipient, Stage, State, TalentType, TokenHash,
        invitation::expiry_of,
    },
    error::Error,
    store::{clients::find_client, invitations as store},
};

/// Invites one e-mail address.
#[derive(Clone, Debug)]
pub struct SendInvitation {
    /// Who invites.
    pub client_id: ClientId,
    /// In whose name; `None` for the client's first hiring manager.
    pub hiring_manager_id: Option<HiringManagerId>,
    /// Whom it invites.
    pub talent_type: TalentType,
    /// The invited address.
    pub recipient: Recipient,
    /// The offer.
    pub contract_terms: ContractTerms,
    /// The client's own words; may be empty.
    pub personal_message: String,
}

/// Asks for one page of a client's invitations.
#[derive(Clone, Debug)]
pub struct ListInvitations {
    /// Whose.
    pub client_id: ClientId,
    /// Which of them.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// Which part.
    pub page: Page<InvitationId>,
}

/// An invitation, and what has become of its e-mail.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The invitation.
    pub invitation: Invitation,
    /// What has become of the latest e-mail about it.
    pub delivery: Option<Delivery>,
}

impl App {
    /// Invites one e-mail address: the invitation, its e-mail, its expiry and its event are in one transaction.
    ///
    /// # Errors
    /// If the client or its hiring manager does not exist, or the database fails.
    pub async fn send_invitation(
        &self,
        key: &RequestKey,
        command: &SendInvitation,
    ) -> Result<pb::SendInvitationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let client = find_client(&*txn, command.client_id)
                    .await?
                    .ok_or_else(|| Error::not_found("client", command.client_id))?;
                let token = Token::try_new()?;
                let invitation = invitation(&client, command, now)?;
                store::insert(&txn, &invitation).await?;
                self.dispatch(&txn, now, &invitation, &token).await?;
                let event = pb::InvitationSent {
                    invitation_id: invitation.id.to_string(),
                    client_id: invitation.client_id.to_string(),
                    send_time: Some(to_wire_time(invitation.sent_at)),
                    expire_time: Some(to_wire_time(invitation.expires_at)),
                };
                outbox::append(&txn, now, &[NewEvent::new(invitation.id.as_uuid(), &event)]).await?;
                let invitation = follow(&*txn, invitation).await?;
                Ok(pb::SendInvitationResponse {
                    invitation: Some(invitation.into()),
                })
            })
            .await
    }

    /// Reads an invitation.
    ///
    /// # Errors
    /// If there is none, or the database fails.
    pub async fn get_invitation(&self, id: InvitationId) -> Result<Followed, Error> {
        let conn = self.commands.db().reader();
        let found = store::find(conn, id)
            .await?
            .ok_or_else(|| Error::not_found("invitation", id))?;
        follow(conn, found).await
    }

    /// Reads one page of a client's invitations. An invitation that is sent meanwhile moves no page.
    ///
    /// # Errors
    /// If there is no such client, or the database fails.
    pub async fn list_invitations(&self, query: &ListInvitations) -> Result<Listed<Followed, InvitationId>, Error> {
        let ListInvitations {
            client_id: client,
            filter,
            order,
            page,
        } = query;
        let conn = self.commands.db().reader();
        self.expect_client(*client).await?;
        let found = store::list_of_client(conn, *client, filter, *order, page.after, page.limit()).await?;
        let Listed { items, next } = page.cut(found, |invitation| invitation.id);
        let items = follow_all(conn, items).await?;
        Ok(Listed { items, next })
    }

    /// How many of a client's invitations stand where, and of how many of these the offer was accepted.
    ///
    /// # Errors
    /// If there is no such client, or the database fails.
    pub async fn count_invitations(&self, client: ClientId, filter: &Filter) -> Result<Vec<(Stage, u64, u64)>, Error> {
        self.expect_client(client).await?;
        Ok(store::count_by_stage(self.commands.db().reader(), client, filter).await?)
    }

    async fn expect_client(&self, client: ClientId) -> Result<(), Error> {
        let found = find_client(self.commands.db().reader(), client).await?;
        found.map(drop).ok_or_else(|| Error::not_found("client", client))
    }

    /// Finds the open invitation of a token, and changes nothing: mail scanners open links.
    ///
    /// # Errors
    /// If the token is unknown, used, dead or expired, which cannot be told apart; if the database fails.
    pub async fn look_up_invitation(&self, token: &Token) -> Result<Followed, Error> {
        let (conn, now) = (self.commands.db().reader(), self.commands.now());
        let found = store::find_open_by_token(conn, &TokenHash(token.sha256()), now).await?;
        // How its e-mails fared is the client's business.
        Ok(Followed {
            invitation: found.ok_or(Error::NoOpenInvitation)?,
            delivery: None,
        })
    }

    /// One page of the open invitations of an address, the oldest first [B11]. What has become of their e-mails is left
    /// out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_open_invitations(
        &self,
        recipient: &EmailAddress,
        page: &Page<InvitationId>,
    ) -> Result<Listed<Invitation, InvitationId>, Error> {
        let (conn, now) = (self.commands.db().reader(), self.commands.now());
        let found = store::find_open_by_recipient(conn, recipient, now, page.after, page.limit()).await?;
        Ok(page.cut(found, |invitation| invitation.id))
    }

    /// What an invitation sets in motion that is sent, for the first time or again: its token, its e-mail, its reminder, its
    /// expiry.
    pub(super) async fn dispatch(
        &self,
        txn: &Txn,
        now: Timestamp,
        invitation: &Invitation,
        token: &Token,
    ) -> Result<(), Error> {
        store::add_tokens(txn, &[(invitation.id, TokenHash(token.sha256()))]).await?;
        let mail = self.mail(invitation, token, Occasion::Invited);
        vouch_mail::enqueue(txn, now, &mail).await?;
        let expiry = NewTimer {
            kind: EXPIRE_INVITATION,
            key: invitation.id.as_uuid(),
            due: invitation.expires_at,
        };
        let timers: Vec<_> = reminder(invitation, now).into_iter().chain([expiry]).collect();
        Ok(timers::schedule(txn, &timers).await?)
    }

    /// The e-mail about an invitation, whose button carries `token`.
    pub(super) fn mail(&self, invitation: &Invitation, token: &Token, occasion: Occasion) -> NewMail {
        let Invitation {
            company_name,
            hiring_manager,
            recipient,
            ..
        } = invitation;
        // A fragment is never sent to a server, so that the token stands in nobody's log.
        let link = format!("{}/invitations/accept#token={}", self.public_url, token.as_str());
        NewMail {
            kind: match occasion {
                Occasion::Invited => "invitation.sent",
                Occasion::Reminded => "invitation.reminder",
            },
            about: invitation.id.as_uuid(),
            to: recipient.email.clone(),
            to_name: (!recipient.name.is_empty()).then(|| recipient.name.clone()),
            from_name: format!("{} at {company_name} via Vouch", hiring_manager.display_name),
            reply_to: None,
            letter: letter::of_invitation(invitation, occasion, link),
        }
    }
}

fn invitation(client: &Client, command: &SendInvitation, now: Timestamp) -> Result<Invitation, Error> {
    let named = command.hiring_manager_id;
    let hiring_manager = client
        .hiring_manager(named)
        .ok_or_else(|| Error::not_found("hiring manager", named.map(|id| id.to_string()).unwrap_or_default()))?;
    Ok(Invitation {
        id: InvitationId::new(),
        client_id: client.id,
        company_name: client.company_name.clone(),
        hiring_manager: hiring_manager.clone(),
        talent_type: command.talent_type,
        recipient: command.recipient.clone(),
        contract_terms: command.contract_terms.clone(),
        personal_message: command.personal_message.clone(),
        sent_at: now,
        expires_at: expiry_of(now),
        state: State::Pending,
    })
}

/// Adds what has become of the latest e-mail.
pub(super) async fn follow(conn: &impl ConnectionTrait, invitation: Invitation) -> Result<Followed, Error> {
    let delivery = vouch_mail::about(conn, invitation.id.as_uuid()).await?.pop();
    Ok(Followed { invitation, delivery })
}

async fn follow_all(conn: &impl ConnectionTrait, invitations: Vec<Invitation>) -> Result<Vec<Followed>, Error> {
    let ids: Vec<_> = invitations.iter().map(|invitation| invitation.id.as_uuid()).collect();
    let mut mails = vouch_mail::about_all(conn, &ids).await?;
    let followed = invitations.into_iter().map(|invitation| Followed {
        delivery: mails.remove(&invitation.id.as_uuid()).and_then(|mut of_it| of_it.pop()),
        invitation,
    });
    Ok(followed.collect())
}
