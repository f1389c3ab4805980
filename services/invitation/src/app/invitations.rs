//! Invitations: finding them again, and what is written about them.

use sea_orm::ConnectionTrait;
use vouch_mail::{Delivery, NewMail, Token};
use vouch_primitives::{ClientId, EmailAddress, InvitationId};
use vouch_proto::{Listed, Page};

use super::{
    App, INVITATION_OFFERED, INVITATION_REMINDER, INVITATION_SENT,
    clients::expect_client,
    letter::{self, Occasion},
};
use crate::{
    domain::{Change, Filter, Invitation, Order, Stage, TokenHash},
    error::Error,
    store::invitations as store,
};

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
        expect_client(conn, *client).await?;
        let found = store::list_of_client(conn, *client, filter, *order, page.after, page.limit()).await?;
        let Listed { items, next } = page.cut(found, |invitation| invitation.id);
        let items = follow_all(conn, items).await?;
        Ok(Listed { items, next })
    }

    /// The next of a client's invitations that have changed since `seen`, in the order of their last changes. Of e-mails
    /// nothing is said.
    ///
    /// # Errors
    /// If there is no such client, or the database fails.
    pub async fn changed_invitations(
        &self,
        client: ClientId,
        seen: Change,
        limit: u64,
    ) -> Result<Vec<(Change, Invitation)>, Error> {
        let conn = self.commands.db().reader();
        Ok(store::changed_since(conn, client, seen, limit).await?)
    }

    /// How many of a client's invitations stand where, and of how many of these the offer was accepted.
    ///
    /// # Errors
    /// If there is no such client, or the database fails.
    pub async fn count_invitations(&self, client: ClientId, filter: &Filter) -> Result<Vec<(Stage, u64, u64)>, Error> {
        let conn = self.commands.db().reader();
        expect_client(conn, client).await?;
        Ok(store::count_by_stage(conn, client, filter).await?)
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

    /// The e-mail about an invitation, whose button carries `token` or leads into the account that its reader has, and whose
    /// reader wants no more by `way_out`.
    pub(super) fn mail(
        &self,
        invitation: &Invitation,
        token: Option<&Token>,
        way_out: &Token,
        occasion: Occasion,
    ) -> NewMail {
        let Invitation {
            company_name,
            hiring_manager,
            recipient,
            ..
        } = invitation;
        // A fragment is never sent to a server, so that the token stands in nobody's log.
        let link = match token {
            Some(token) => format!("{}/invitations/accept#token={}", self.public_url, token.as_str()),
            None => format!("{}/home", self.public_url),
        };
        // Mail programs post to this one, so that its token is where a server reads it (RFC 8058).
        let unsubscribe = format!("{}/unsubscribe?token={}", self.public_url, way_out.as_str());
        NewMail {
            kind: match occasion {
                Occasion::Invited => INVITATION_SENT,
                Occasion::Offered => INVITATION_OFFERED,
                Occasion::Reminded => INVITATION_REMINDER,
            },
            about: invitation.id.as_uuid(),
            to: recipient.email.clone(),
            to_name: (!recipient.name.is_empty()).then(|| recipient.name.clone()),
            from_name: format!("{} at {company_name} via Vouch", hiring_manager.display_name),
            reply_to: None,
            letter: letter::of_invitation(invitation, occasion, link, unsubscribe),
        }
    }
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
