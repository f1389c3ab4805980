//! What people say to the settings of their accounts.

use tonic::Status;
use vouch_proto::onboarding::v1::{self as pb, get_home_response::NextStep};

use crate::{example::request_id, world::World};

impl World {
    pub async fn update(&self, person_id: &str, said: pb::BasicInformation) -> Result<pb::Person, Status> {
        let request = pb::UpdateBasicInformationRequest {
            request_id: request_id(),
            person_id: person_id.to_owned(),
            legal_name: said.legal_name,
            display_name: said.display_name,
            country_code: said.country_code,
            time_zone: said.time_zone,
        };
        let answer = self.accounts.clone().update_basic_information(request).await?;
        Ok(answer.into_inner().person.expect("a person"))
    }

    pub async fn change_email(&self, person_id: &str, email: &str) -> Result<pb::Person, Status> {
        let request = pb::ChangeAccountEmailRequest {
            request_id: request_id(),
            person_id: person_id.to_owned(),
            account_email: email.to_owned(),
        };
        let answer = self.accounts.clone().change_account_email(request).await?;
        Ok(answer.into_inner().person.expect("a person"))
    }

    pub async fn resend(&self, person_id: &str) -> Result<pb::Person, Status> {
        let request = pb::ResendVerificationRequest {
            request_id: request_id(),
            person_id: person_id.to_owned(),
        };
        let answer = self.accounts.clone().resend_verification(request).await?;
        Ok(answer.into_inner().person.expect("a person"))
    }

    pub async fn close(&self, person_id: &str, reason: &str) -> Result<pb::Person, Status> {
        let request = pb::CloseAccountRequest {
            request_id: request_id(),
            person_id: person_id.to_owned(),
            reason: reason.to_owned(),
        };
        let answer = self.accounts.clone().close_account(request).await?;
        Ok(answer.into_inner().person.expect("a person"))
    }

    pub async fn reopen(&self, person_id: &str) -> Result<pb::Person, Status> {
        let request = pb::ReopenAccountRequest {
            request_id: request_id(),
            person_id: person_id.to_owned(),
        };
        let answer = self.accounts.clone().reopen_account(request).await?;
        Ok(answer.into_inner().person.expect("a person"))
    }

    pub async fn erase(&self, person_id: &str) -> Result<pb::ErasePersonResponse, Status> {
        let request = pb::ErasePersonRequest {
            request_id: request_id(),
            person_id: person_id.to_owned(),
        };
        Ok(self.accounts.clone().erase_person(request).await?.into_inner())
    }

    /// Whether the person's home asks first that the address is verified.
    pub async fn asks_to_verify(&self, person_id: &str) -> bool {
        matches!(self.home(person_id).await, Ok(NextStep::VerifyEmail(_)))
    }
}
