//! The one thing that a person should do next [B11], in the context that they are in.

use vouch_primitives::{AccountId, CaseId, InvitationId, PersonId, Timestamp};
use vouch_proto::common::v1::ContractTerms;

use super::{App, cases::CaseFile};
use crate::{
    domain::{Person, Talent, TalentCloud},
    error::Error,
    store::{agencies, cases, tasks},
};

/// Asks what to do next.
#[derive(Clone, Copy, Debug)]
pub struct GetHome {
    /// Who asks.
    pub person_id: PersonId,
    /// In the context of which agency of theirs; `None` for their own name.
    pub agency: Option<AccountId>,
}

/// The one thing that a person should do next [B11].
#[derive(Clone, Debug)]
pub enum Home {
    /// Verify the address.
    VerifyEmail,
    /// Go on with this case.
    OpenCase(Box<CaseFile>),
    /// Open the case of this invitation.
    OpenInvitation(OpenInvitation),
    /// Change to the person's own name, where an offer waits [B39].
    OfferUnderYourName(WaitingOffer),
    /// Nothing waits.
    NothingToDo,
    /// Reopen the account, which was closed at this moment.
    AccountClosed(Timestamp),
}

/// An offer that waits in another context.
#[derive(Clone, Debug)]
pub struct WaitingOffer {
    /// The person's name, as others see it.
    pub display_name: String,
    /// Its case, if that is open.
    pub case_id: Option<CaseId>,
    /// The invitation that brought it.
    pub invitation_id: InvitationId,
}

/// An invitation that waits for a person under their verified address.
#[derive(Clone, Debug)]
pub struct OpenInvitation {
    /// Its id.
    pub id: InvitationId,
    /// Who invites.
    pub company_name: String,
    /// Whom it invites.
    pub talent: Talent,
    /// What it brings.
    pub content: super::invitations::Content,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl OpenInvitation {
    /// The terms, if it brings an offer.
    #[must_use]
    pub const fn terms(&self) -> Option<&ContractTerms> {
        self.content.terms()
    }

    /// The talent cloud, if it is to one.
    #[must_use]
    pub const fn cloud(&self) -> Option<&TalentCloud> {
        self.content.cloud()
    }
}

impl App {
    /// Says what a person should do next. What is theirs already comes before what they are invited to. An offer always
    /// belongs to the person: in the context of an agency they learn where it waits [B39].
    ///
    /// # Errors
    /// If there is no such person or agency of theirs, the invitation service cannot be asked, or the database fails.
    pub async fn get_home(&self, query: &GetHome) -> Result<Home, Error> {
        let person = self.get_person(query.person_id).await?;
        if let Some(closure) = person.closure {
            return Ok(Home::AccountClosed(closure.closed_at));
        }
        if let Some(id) = query.agency {
            let agency = agencies::find(self.db().reader(), id).await?;
            let own = agency.filter(|agency| agency.owner == person.id);
            own.ok_or_else(|| Error::not_found("account", id))?;
            let home = self.home_of(&person).await?;
            return Ok(in_agency(&person, home));
        }
        self.home_of(&person).await
    }

    async fn home_of(&self, person: &Person) -> Result<Home, Error> {
        let Some(email) = person.verified_email() else {
            return Ok(Home::VerifyEmail);
        };
        let conn = self.db().reader();
        let case = match cases::find_open_case(conn, person.id, self.now()).await? {
            Some((case, terms)) => {
                let tasks = tasks::of_case(conn, case.id).await?;
                Some(CaseFile { case, terms, tasks })
            }
            None => None,
        };
        let open_case = |file| Home::OpenCase(Box::new(file));
        if let Some(file) = case.as_ref().filter(|file| file.case.offer().is_some()) {
            return Ok(open_case(file.clone()));
        }
        // An offer that waits to be taken up comes before a talent cloud, whose way has no end.
        let invitation = self.invitations.first_open(email).await?;
        Ok(match (case, invitation) {
            (Some(_), Some(offer)) if offer.terms().is_some() => Home::OpenInvitation(offer),
            (Some(file), _) => open_case(file),
            (None, Some(invitation)) => Home::OpenInvitation(invitation),
            (None, None) => Home::NothingToDo,
        })
    }
}

fn in_agency(person: &Person, home: Home) -> Home {
    let (case_id, invitation_id) = match &home {
        Home::OpenCase(file) if file.case.offer().is_some() => (Some(file.case.id), file.case.invitation_id),
        Home::OpenInvitation(invitation) if invitation.terms().is_some() => (None, invitation.id),
        _ => return home,
    };
    Home::OfferUnderYourName(WaitingOffer {
        display_name: person.information.display_name.clone(),
        case_id,
        invitation_id,
    })
}
