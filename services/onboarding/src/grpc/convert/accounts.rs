//! People and their accounts.

use vouch_primitives::PersonId;
use vouch_proto::{Fields, Violations, convert::to_wire_time, onboarding::v1 as pb};

use super::Id;
use crate::{
    app::{
        Token,
        acceptances::ActivateAccount,
        people::{RegisterAccount, VerifyEmail},
    },
    domain::{BasicInformation, Person, ReferralCode, person::NAME_LENGTH},
};

/// What a link can hold as its token, in characters; more is nonsense.
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 1..=200;

impl TryFrom<pb::ActivateAccountRequest> for ActivateAccount {
    type Error = Violations;

    fn try_from(request: pb::ActivateAccountRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let token = fields.line("invitation_token", &request.invitation_token, TOKEN_LENGTH);
        let information = basic_information(&mut fields, request.basic_information.as_ref());
        let code = referral_code(&mut fields, &request.referral_code);
        let (Some(token), Some(information), Some(referral_code)) = (token, information, code) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            invitation_token: Token::from_link(token),
            information,
            referral_code,
        })
    }
}

impl TryFrom<pb::RegisterAccountRequest> for RegisterAccount {
    type Error = Violations;

    fn try_from(request: pb::RegisterAccountRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let information = basic_information(&mut fields, request.basic_information.as_ref());
        let code = referral_code(&mut fields, &request.referral_code);
        let (Some(information), Some(referral_code)) = (information, code) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            information,
            referral_code,
        })
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

impl From<Person> for pb::Person {
    fn from(person: Person) -> Self {
        Self {
            id: person.id.to_string(),
            email_verified: person.email_verified_at.is_some(),
            account_id: person.account_id.to_string(),
            create_time: Some(to_wire_time(person.registered_at)),
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

/// `Some(None)` if there is none.
fn referral_code(fields: &mut Fields, typed: &str) -> Option<Option<ReferralCode>> {
    if typed.trim().is_empty() {
        return Some(None);
    }
    known(fields, "referral_code", typed).map(Some)
}

/// A text that must be one of a kind.
pub(super) fn known<T: std::str::FromStr<Err: std::fmt::Display>>(
    fields: &mut Fields,
    field: &str,
    text: &str,
) -> Option<T> {
    if text.is_empty() {
        fields.refuse(field, "REQUIRED", "is required");
        return None;
    }
    text.parse()
        .map_err(|error: T::Err| fields.refuse(field, "INVALID_FORMAT", error.to_string()))
        .ok()
}
