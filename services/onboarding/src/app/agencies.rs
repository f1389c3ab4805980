//! Agencies: what a person owns, and the final agency invitation by which a listing becomes public [B34].

use std::time::Duration;

use vouch_primitives::{CaseId, PersonId, Timestamp};
use vouch_proto::onboarding::v1 as pb;
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, Token, cases::lock, letter};
use crate::{
    domain::{Agency, Case, Confirmed, Person, State, Step, TokenHash},
    error::Error,
    store::{agencies as store, search},
};

/// How long after one final agency invitation the next may be sent.
const SENT_AGAIN_AFTER: Duration = Duration::from_secs(10 * 60);

/// Accepts the final agency invitation, as whoever has its token.
#[derive(Clone, Debug)]
pub struct AcceptAgencyInvitation {
    /// The token of the e-mail.
    pub token: Token,
}

/// Sends the final agency invitation once more.
#[derive(Clone, Copy, Debug)]
pub struct ResendAgencyInvitation {
    /// Of which case.
    pub case_id: CaseId,
}

impl App {
    /// The person with the agencies that they own, the oldest first.
    ///
    /// # Errors
    /// If there is no such person, or the database fails.
    pub async fn list_accounts(&self, id: PersonId) -> Result<(Person, Vec<Agency>), Error> {
        let person = self.get_person(id).await?;
        let agencies = store::of_person(self.db().reader(), id).await?;
        Ok((person, agencies))
    }

    /// Accepts the final agency invitation: the listing is public from now on [B34, B36]. Accepting again is a normal outcome.
    ///
    /// # Errors
    /// If nobody was sent the token, or another one was sent since; when the database fails.
    pub async fn accept_agency_invitation(
        &self,
        key: &RequestKey,
        command: &AcceptAgencyInvitation,
    ) -> Result<pb::AcceptAgencyInvitationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let id = store::find_invited(&*txn, TokenHash(command.token.sha256())).await?;
                let id = id.ok_or(Error::NoAgencyInvitation)?;
                let (file, person) = lock(&txn, id).await?;
                let agency = store::lock(&txn, file.case.account_id).await?;
                let mut agency = agency.ok_or(Error::NoAgencyInvitation)?;
                if !agency.is_public() && !file.case.is_open(now) {
                    // The offer has come to nothing, and the listing with it.
                    return Err(Error::NoAgencyInvitation);
                }
                publish(self, &txn, now, &person, &mut agency).await?;
                let (file, _) = lock(&txn, id).await?;
                let case = Some(file.into());
                Ok(pb::AcceptAgencyInvitationResponse { case })
            })
            .await
    }

    /// Sends the final agency invitation once more; the links sent before are dead.
    ///
    /// # Errors
    /// If there is no such case, it does not wait for one, or one was sent less than ten minutes ago; when the database fails.
    pub async fn resend_agency_invitation(
        &self,
        key: &RequestKey,
        command: &ResendAgencyInvitation,
    ) -> Result<pb::ResendAgencyInvitationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let (file, person) = lock(&txn, command.case_id).await?;
                if file.case.state != State::At(Step::ConfirmListing) || !file.case.is_open(now) {
                    return Err(Error::NoListingToConfirm);
                }
                invite(self, &txn, now, &file.case, &person).await?;
                let case = Some(file.into());
                Ok(pb::ResendAgencyInvitationResponse { case })
            })
            .await
    }
}

/// Makes the listing of an agency public, whichever invitation leads there [B34, B48]: who searches finds it, and all cases
/// of the agency that have waited for it go on. The person is locked. Publishing again changes nothing.
pub(super) async fn publish(
    app: &App,
    txn: &Txn,
    now: Timestamp,
    person: &Person,
    agency: &mut Agency,
) -> Result<(), Error> {
    if agency.confirm(now) == Confirmed::Now {
        store::save_listing(txn, agency).await?;
        search::reindex(txn, agency.id).await?;
        app.go_on_listed(txn, now, person, agency).await?;
    }
    Ok(())
}

/// Sends the final agency invitation of a case, with a token of its own [B34], unless one was sent a moment ago.
pub(super) async fn invite(app: &App, txn: &Txn, now: Timestamp, case: &Case, person: &Person) -> Result<(), Error> {
    let sent = store::invited_at(txn, case.id).await?;
    let again = sent.map(|sent| sent.saturating_add(SENT_AGAIN_AFTER));
    if let Some(again) = again.filter(|again| now < *again) {
        return Err(Error::SentJustNow(again));
    }
    let agency = store::find(txn, case.account_id).await?;
    let agency = agency.ok_or_else(|| Error::not_found("agency", case.account_id))?;
    let token = Token::try_new()?;
    store::save_invitation(txn, TokenHash(token.sha256()), case.id, now).await?;
    let link = format!("{}/agency#token={}", app.public_url, token.as_str());
    let letter = letter::of_agency_invitation(case, person, &agency, link);
    letter::send(txn, now, ("agency_invitation", case.id.as_uuid()), person, letter).await
}
