//! People and their accounts.

use vouch_primitives::PersonId;
use vouch_proto::{Fields, Violations, convert::to_wire_time, onboarding::v1 as pb};

use super::{Id, agency_name, known};
use crate::{
    app::{
        Token,
        acceptances::ActivateAccount,
        accounts::{ChangeAccountEmail, ResendVerification, UpdateBasicInformation},
        closing::{CloseAccount, ErasePerson, ReopenAccount},
        people::{RegisterAccount, VerifyEmail},
    },
    domain::{
        Agency, BasicInformation, Listing, Particulars, Person, ReferralEvidence, TokenHash,
        person::{CLOSE_REASON_LENGTH, NAME_LENGTH},
    },
};

/// What a link can hold as its token, in characters; more is nonsense.
pub(super) const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 1..=200;

impl TryFrom<pb::ActivateAccountRequest> for ActivateAccount {
    type Error = Violations;

    fn try_from(request: pb::ActivateAccountRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let token = fields.line("invitation_token", &request.invitation_token, TOKEN_LENGTH);
        let information = basic_information(&mut fields, request.basic_information.as_ref());
        let evidence = evidence(
            &mut fields,
            &request.referral_code,
            &request.link_cookie_id,
            &request.referral_invitation_token,
        );
        let agency = agency_name(&mut fields, &request.agency_name);
        let (Some(token), Some(information), Some(evidence)) = (token, information, evidence) else {
            return Err(fields.into());
        };
        let Some(agency_name) = agency else {
            return Err(fields.into());
        };
        fields.finish(Self {
            invitation_token: Token::from_link(token),
            information,
            evidence,
            agency_name,
        })
    }
}

impl TryFrom<pb::RegisterAccountRequest> for RegisterAccount {
    type Error = Violations;

    fn try_from(request: pb::RegisterAccountRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let information = basic_information(&mut fields, request.basic_information.as_ref());
        let evidence = evidence(
            &mut fields,
            &request.referral_code,
            &request.link_cookie_id,
            &request.referral_invitation_token,
        );
        let (Some(information), Some(evidence)) = (information, evidence) else {
            return Err(fields.into());
        };
        fields.finish(Self { information, evidence })
    }
}

impl TryFrom<pb::VerifyEmailRequest> for VerifyEmail {
    type Error = Violations;

    fn try_from(request: pb::VerifyEmailRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let token = fields.line("token", &request.token, TOKEN_LENGTH);
        let Some(token) = token else { return Err(fields.into()) };
        fields.finish(Self {
            token: Token::from_link(token),
        })
    }
}

impl TryFrom<pb::GetPersonRequest> for Id<PersonId> {
    type Error = Violations;

    fn try_from(request: pb::GetPersonRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("person_id", &request.person_id);
        id.map(Id).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListAccountsRequest> for Id<PersonId> {
    type Error = Violations;

    fn try_from(request: pb::ListAccountsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("person_id", &request.person_id);
        id.map(Id).ok_or_else(|| fields.into())
    }
}

impl From<&Person> for pb::Account {
    fn from(person: &Person) -> Self {
        Self {
            id: person.account_id.to_string(),
            person_id: person.id.to_string(),
            agency_name: String::new(),
            listing: pb::account::Listing::Unspecified.into(),
            create_time: Some(to_wire_time(person.registered_at)),
        }
    }
}

impl From<Agency> for pb::Account {
    fn from(agency: Agency) -> Self {
        let listing = match agency.listing {
            Listing::Provisional => pb::account::Listing::Provisional,
            Listing::Public(_) => pb::account::Listing::Public,
        };
        Self {
            id: agency.id.to_string(),
            person_id: agency.owner.to_string(),
            agency_name: agency.name,
            listing: listing.into(),
            create_time: Some(to_wire_time(agency.created_at)),
        }
    }
}

impl TryFrom<pb::UpdateBasicInformationRequest> for UpdateBasicInformation {
    type Error = Violations;

    fn try_from(request: pb::UpdateBasicInformationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let person_id = fields.id("person_id", &request.person_id);
        let legal_name = fields.line("legal_name", &request.legal_name, NAME_LENGTH);
        let display_name = fields.line("display_name", &request.display_name, NAME_LENGTH);
        let country = known(&mut fields, "country_code", &request.country_code);
        let time_zone = known(&mut fields, "time_zone", &request.time_zone);
        let names = legal_name.zip(display_name);
        let (Some(person_id), Some((legal_name, display_name)), Some(country), Some(time_zone)) =
            (person_id, names, country, time_zone)
        else {
            return Err(fields.into());
        };
        let particulars = Particulars {
            legal_name,
            display_name,
            country,
            time_zone,
        };
        fields.finish(Self { person_id, particulars })
    }
}

impl TryFrom<pb::ChangeAccountEmailRequest> for ChangeAccountEmail {
    type Error = Violations;

    fn try_from(request: pb::ChangeAccountEmailRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let person_id = fields.id("person_id", &request.person_id);
        let account_email = fields.email("account_email", &request.account_email);
        let (Some(person_id), Some(account_email)) = (person_id, account_email) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            person_id,
            account_email,
        })
    }
}

impl TryFrom<pb::ResendVerificationRequest> for ResendVerification {
    type Error = Violations;

    fn try_from(request: pb::ResendVerificationRequest) -> Result<Self, Violations> {
        let person_id = person_id(&request.person_id)?;
        Ok(Self { person_id })
    }
}

impl TryFrom<pb::CloseAccountRequest> for CloseAccount {
    type Error = Violations;

    fn try_from(request: pb::CloseAccountRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let person_id = fields.id("person_id", &request.person_id);
        let reason = fields.text("reason", &request.reason, CLOSE_REASON_LENGTH);
        let (Some(person_id), Some(reason)) = (person_id, reason) else {
            return Err(fields.into());
        };
        fields.finish(Self { person_id, reason })
    }
}

impl TryFrom<pb::ReopenAccountRequest> for ReopenAccount {
    type Error = Violations;

    fn try_from(request: pb::ReopenAccountRequest) -> Result<Self, Violations> {
        let person_id = person_id(&request.person_id)?;
        Ok(Self { person_id })
    }
}

impl TryFrom<pb::ErasePersonRequest> for ErasePerson {
    type Error = Violations;

    fn try_from(request: pb::ErasePersonRequest) -> Result<Self, Violations> {
        let person_id = person_id(&request.person_id)?;
        Ok(Self { person_id })
    }
}

fn person_id(text: &str) -> Result<PersonId, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("person_id", text);
    id.ok_or_else(|| fields.into())
}

impl From<Person> for pb::Person {
    fn from(person: Person) -> Self {
        let closure = person.closure;
        Self {
            id: person.id.to_string(),
            email_verified: person.email_verified_at.is_some(),
            account_id: person.account_id.to_string(),
            create_time: Some(to_wire_time(person.registered_at)),
            pending_email: person.pending_email.map_or_else(String::new, |email| email.to_string()),
            close_time: closure.as_ref().map(|closure| to_wire_time(closure.closed_at)),
            close_reason: closure.map(|closure| closure.reason).unwrap_or_default(),
            basic_information: Some(person.information.into()),
        }
    }
}

impl From<BasicInformation> for pb::BasicInformation {
    fn from(information: BasicInformation) -> Self {
        Self {
            legal_name: information.legal_name,
            display_name: information.display_name,
            country_code: information.country.as_str().to_owned(),
            time_zone: information.time_zone.as_str().to_owned(),
            account_email: information.account_email.to_string(),
        }
    }
}

fn basic_information(fields: &mut Fields, information: Option<&pb::BasicInformation>) -> Option<BasicInformation> {
    let Some(information) = information else {
        fields.refuse("basic_information", "REQUIRED", "is required");
        return None;
    };
    fields.within("basic_information", |fields| {
        let legal_name = fields.line("legal_name", &information.legal_name, NAME_LENGTH);
        let display_name = fields.line("display_name", &information.display_name, NAME_LENGTH);
        let country = known(fields, "country_code", &information.country_code);
        let time_zone = known(fields, "time_zone", &information.time_zone);
        let account_email = fields.email("account_email", &information.account_email);
        Some(BasicInformation {
            legal_name: legal_name?,
            display_name: display_name?,
            country: country?,
            time_zone: time_zone?,
            account_email: account_email?,
        })
    })
}

fn evidence(fields: &mut Fields, code: &str, link_cookie_id: &str, token: &str) -> Option<ReferralEvidence> {
    let code = if_said(fields, code, |fields, text| known(fields, "referral_code", text));
    let link_cookie = if_said(fields, link_cookie_id, |fields, text| {
        known(fields, "link_cookie_id", text)
    });
    let invitation = if_said(fields, token, |fields, text| {
        let token = fields.line("referral_invitation_token", text, TOKEN_LENGTH)?;
        Some(TokenHash(Token::from_link(token).sha256()))
    });
    Some(ReferralEvidence {
        code: code?,
        link_cookie: link_cookie?,
        invitation: invitation?,
    })
}

/// `Some(None)` if nothing is said.
fn if_said<T>(fields: &mut Fields, text: &str, read: impl FnOnce(&mut Fields, &str) -> Option<T>) -> Option<Option<T>> {
    if text.trim().is_empty() {
        return Some(None);
    }
    read(fields, text).map(Some)
}
