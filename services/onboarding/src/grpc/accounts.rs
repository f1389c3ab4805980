//! `vouch.onboarding.v1.AccountService`.

use tonic::{Request, Response, Status};
use vouch_primitives::PersonId;
use vouch_proto::onboarding::v1::{self as pb, account_service_server::AccountService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::Id;
use crate::app::{
    App,
    acceptances::ActivateAccount,
    accounts::{ChangeAccountEmail, ResendVerification, UpdateBasicInformation},
    closing::{CloseAccount, ErasePerson, ReopenAccount},
    people::{RegisterAccount, VerifyEmail},
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Accounts(pub App);

#[tonic::async_trait]
impl AccountService for Accounts {
    async fn activate_account(
        &self,
        request: Request<pb::ActivateAccountRequest>,
    ) -> Result<Response<pb::ActivateAccountResponse>, Status> {
        let (key, command) = parse_mutation::<_, ActivateAccount>(&self.0, request).await?;
        Ok(Response::new(self.0.activate_account(&key, &command).await?))
    }

    async fn register_account(
        &self,
        request: Request<pb::RegisterAccountRequest>,
    ) -> Result<Response<pb::RegisterAccountResponse>, Status> {
        let (key, command) = parse_mutation::<_, RegisterAccount>(&self.0, request).await?;
        Ok(Response::new(self.0.register_account(&key, &command).await?))
    }

    async fn verify_email(
        &self,
        request: Request<pb::VerifyEmailRequest>,
    ) -> Result<Response<pb::VerifyEmailResponse>, Status> {
        let (key, command) = parse_mutation::<_, VerifyEmail>(&self.0, request).await?;
        Ok(Response::new(self.0.verify_email(&key, &command).await?))
    }

    async fn list_accounts(
        &self,
        request: Request<pb::ListAccountsRequest>,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        let Id::<PersonId>(id) = parse_query(&self.0, request).await?;
        let (person, agencies) = self.0.list_accounts(id).await?;
        let own = std::iter::once((&person).into());
        let accounts = own.chain(agencies.into_iter().map(Into::into)).collect();
        Ok(Response::new(pb::ListAccountsResponse { accounts }))
    }

    async fn get_person(
        &self,
        request: Request<pb::GetPersonRequest>,
    ) -> Result<Response<pb::GetPersonResponse>, Status> {
        let Id::<PersonId>(id) = parse_query(&self.0, request).await?;
        let person = Some(self.0.get_person(id).await?.into());
        Ok(Response::new(pb::GetPersonResponse { person }))
    }

    async fn update_basic_information(
        &self,
        request: Request<pb::UpdateBasicInformationRequest>,
    ) -> Result<Response<pb::UpdateBasicInformationResponse>, Status> {
        let (key, command) = parse_mutation::<_, UpdateBasicInformation>(&self.0, request).await?;
        Ok(Response::new(self.0.update_basic_information(&key, &command).await?))
    }

    async fn change_account_email(
        &self,
        request: Request<pb::ChangeAccountEmailRequest>,
    ) -> Result<Response<pb::ChangeAccountEmailResponse>, Status> {
        let (key, command) = parse_mutation::<_, ChangeAccountEmail>(&self.0, request).await?;
        Ok(Response::new(self.0.change_account_email(&key, &command).await?))
    }

    async fn resend_verification(
        &self,
        request: Request<pb::ResendVerificationRequest>,
    ) -> Result<Response<pb::ResendVerificationResponse>, Status> {
        let (key, command) = parse_mutation::<_, ResendVerification>(&self.0, request).await?;
        Ok(Response::new(self.0.resend_verification(&key, &command).await?))
    }

    async fn close_account(
        &self,
        request: Request<pb::CloseAccountRequest>,
    ) -> Result<Response<pb::CloseAccountResponse>, Status> {
        let (key, command) = parse_mutation::<_, CloseAccount>(&self.0, request).await?;
        Ok(Response::new(self.0.close_account(&key, &command).await?))
    }

    async fn reopen_account(
        &self,
        request: Request<pb::ReopenAccountRequest>,
    ) -> Result<Response<pb::ReopenAccountResponse>, Status> {
        let (key, command) = parse_mutation::<_, ReopenAccount>(&self.0, request).await?;
        Ok(Response::new(self.0.reopen_account(&key, &command).await?))
    }

    async fn erase_person(
        &self,
        request: Request<pb::ErasePersonRequest>,
    ) -> Result<Response<pb::ErasePersonResponse>, Status> {
        let (key, command) = parse_mutation::<_, ErasePerson>(&self.0, request).await?;
        Ok(Response::new(self.0.erase_person(&key, &command).await?))
    }
}
