//! `vouch.onboarding.v1.AccountService`.

use tonic::{Request, Response, Status};
use vouch_primitives::PersonId;
use vouch_proto::onboarding::v1::{self as pb, account_service_server::AccountService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::Id;
use crate::app::{
    App,
    acceptances::ActivateAccount,
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
}
