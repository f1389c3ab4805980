//! What client and talent make of an invitation that waits: it is sent again, withdrawn, declined.

use prost::Name;
use vouch_mail::Token;
use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{InvitationId, RecommendationId, Timestamp};
use vouch_proto::{convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey, timers};

use super::{
    App, EXPIRE_INVITATION, REMIND_OF_INVITATION,
    clients::expect_client,
    clouds::locked_in_use,
    invitations::{Followed, follow},
    members, recommending,
    sending::changed,
};
use crate::{
    domain::{Content, Invitation, MemberState, Occasion, Recommendation, RecommendedTalent, Refusal, TokenHash},
    error::Error,
    store::invitations as store,
};

/// Says no to an invitation.
#[derive(Clone, Debug)]
pub struct DeclineInvitation {
    /// What was e-mailed.
    pub token: Token,
    /// Why; may be empty.
    pub reason: String,
    /// Who would do instead, if anybody.
    pub instead: Option<RecommendedTalent>,
}

impl App {
    /// Sends an invitation again, with a new token; the ones before are worth nothing from then on.
    ///
    /// # Errors
    /// If there is no such invitation, or it was answered or withdrawn; if the database fails.
    pub async fn resend_invitation(
        &self,
        key: &RequestKey,
        id: InvitationId,
    ) -> Result<pb::ResendInvitationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut invitation = locked(&txn, id).await?;
                invitation.resend(now).map_err(|why| Error::Refused { id, why })?;
                self.expect_sendable(&txn, now, &invitation).await?;
                store::save(&txn, &invitation).await?;
                store::revoke_tokens(&txn, id).await?;
                vouch_mail::give_up(&txn, now, id.as_uuid(), "the invitation was sent again").await?;
                self.dispatch(&txn, now, std::slice::from_ref(&invitation)).await?;
                members::shift(&txn, now, &[id], MemberState::Removed, MemberState::Invited).await?;
                let event = pb::InvitationResent {
                    invitation_id: id.to_string(),
                    client_id: invitation.client_id.to_string(),
                    send_time: Some(to_wire_time(invitation.sent_at)),
                    expire_time: Some(to_wire_time(invitation.expires_at)),
                };
                tell(&txn, now, &invitation, &event).await?;
                let invitation = Some(follow(&*txn, invitation).await?.into());
                Ok(pb::ResendInvitationResponse { invitation })
            })
            .await
    }

    /// What would stand against a new invitation stands against sending it again, too.
    async fn expect_sendable(&self, txn: &Txn, now: Timestamp, invitation: &Invitation) -> Result<(), Error> {
        if let Content::Cloud(invited) = &invitation.content {
            locked_in_use(txn, invited.id).await?;
        }
        let client = expect_client(txn, invitation.client_id).await?;
        let mut verdicts = [Ok(invitation.clone())];
        self.refuse_addresses(txn, now, &client, &mut verdicts).await?;
        let [verdict] = verdicts;
        Ok(verdict.map(drop)?)
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// If there is no such invitation, or somebody has answered it; if the database fails.
    pub async fn withdraw_invitation(
        &self,
        key: &RequestKey,
        id: InvitationId,
    ) -> Result<pb::WithdrawInvitationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut invitation = locked(&txn, id).await?;
                if invitation.withdraw(now).map_err(|why| Error::Refused { id, why })? {
                    close(&txn, now, &invitation).await?;
                    let event = pb::InvitationWithdrawn {
                        invitation_id: id.to_string(),
                        client_id: invitation.client_id.to_string(),
                        withdraw_time: Some(to_wire_time(now)),
                    };
                    tell(&txn, now, &invitation, &event).await?;
                }
                let invitation = Some(follow(&*txn, invitation).await?.into());
                Ok(pb::WithdrawInvitationResponse { invitation })
            })
            .await
    }

    /// Declines the open invitation of a token.
    ///
    /// # Errors
    /// If the token opens nothing, whatever the reason; if the database fails.
    pub async fn decline_invitation(
        &self,
        key: &RequestKey,
        command: &DeclineInvitation,
    ) -> Result<pb::DeclineInvitationResponse, Error> {
        let token = &TokenHash(command.token.sha256());
        self.commands
            .once(key, |txn, now| async move {
                let open = store::find_open_by_token(&*txn, token, now).await?;
                let id = open.ok_or(Error::NoOpenInvitation)?.id;
                let mut invitation = locked(&txn, id).await?;
                let declined = invitation.decline(command.reason.clone(), now);
                // Somebody was faster: the token opens nothing any more.
                declined.map_err(|_: Refusal| Error::NoOpenInvitation)?;
                close(&txn, now, &invitation).await?;
                let event = pb::InvitationDeclined {
                    invitation_id: id.to_string(),
                    client_id: invitation.client_id.to_string(),
                    decline_time: Some(to_wire_time(now)),
                };
                if let Some(talent) = &command.instead {
                    let instead = Recommendation {
                        id: RecommendationId::new(),
                        client_id: invitation.client_id,
                        occasion: Occasion::Invitation(id),
                        person_id: None,
                        talent: talent.clone(),
                        recommended_at: now,
                    };
                    recommending::note(&txn, now, &instead).await?;
                }
                tell(&txn, now, &invitation, &event).await?;
                // How its e-mails fared is the client's business.
                let invitation = Followed {
                    invitation,
                    delivery: None,
                };
                Ok(pb::DeclineInvitationResponse {
                    invitation: Some(invitation.into()),
                })
            })
            .await
    }
}

async fn locked(txn: &Txn, id: InvitationId) -> Result<Invitation, Error> {
    let found = store::lock(txn, id).await?;
    found.ok_or_else(|| Error::not_found("invitation", id))
}

async fn close(txn: &Txn, now: Timestamp, invitation: &Invitation) -> Result<(), Error> {
    store::save(txn, invitation).await?;
    silence(txn, now, invitation.id, "the invitation is closed").await?;
    members::shift(txn, now, &[invitation.id], MemberState::Invited, MemberState::Removed).await
}

/// What ends with an invitation that somebody has answered or withdrawn: its timers, and e-mails that have not left.
pub(super) async fn silence(txn: &Txn, now: Timestamp, id: InvitationId, why: &str) -> Result<(), Error> {
    let key = id.as_uuid();
    timers::cancel(txn, EXPIRE_INVITATION, &[key]).await?;
    timers::cancel(txn, REMIND_OF_INVITATION, &[key]).await?;
    Ok(vouch_mail::give_up(txn, now, key, why).await?)
}

/// Tells of a change that is complete.
async fn tell(txn: &Txn, now: Timestamp, invitation: &Invitation, event: &(impl Name + Sync)) -> Result<(), Error> {
    outbox::append(txn, now, &[NewEvent::new(invitation.id.as_uuid(), event)]).await?;
    changed(txn, std::slice::from_ref(invitation)).await
}
