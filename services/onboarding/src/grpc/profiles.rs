//! `vouch.onboarding.v1.ProfileService`.

use tonic::{Request, Response, Status};
use vouch_primitives::AccountId;
use vouch_proto::onboarding::v1::{self as pb, profile_service_server::ProfileService};
use vouch_runtime::{
    access::Caller,
    grpc::{parse_mutation, parse_query},
};

use super::convert::{Id, Search};
use crate::{
    app::{
        App,
        profiles::{DiscardSection, SaveSection, SetVisibility},
    },
    domain::{Audience, Sought},
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Profiles(pub App);

#[tonic::async_trait]
impl ProfileService for Profiles {
    async fn get_profile(
        &self,
        request: Request<pb::GetProfileRequest>,
    ) -> Result<Response<pb::GetProfileResponse>, Status> {
        let Id::<AccountId>(id) = parse_query(&self.0, request).await?;
        let profile = Some((&self.0.get_profile(id).await?).into());
        Ok(Response::new(pb::GetProfileResponse { profile }))
    }

    async fn save_section(
        &self,
        request: Request<pb::SaveSectionRequest>,
    ) -> Result<Response<pb::SaveSectionResponse>, Status> {
        let (key, command) = parse_mutation::<_, SaveSection>(&self.0, request).await?;
        Ok(Response::new(self.0.save_section(&key, &command).await?))
    }

    async fn discard_section(
        &self,
        request: Request<pb::DiscardSectionRequest>,
    ) -> Result<Response<pb::DiscardSectionResponse>, Status> {
        let (key, command) = parse_mutation::<_, DiscardSection>(&self.0, request).await?;
        Ok(Response::new(self.0.discard_section(&key, &command).await?))
    }

    async fn set_visibility(
        &self,
        request: Request<pb::SetVisibilityRequest>,
    ) -> Result<Response<pb::SetVisibilityResponse>, Status> {
        let set_by = Caller::of(&request).to_string();
        let (key, command) = parse_mutation::<_, SetVisibility>(&self.0, request).await?;
        Ok(Response::new(self.0.set_visibility(&key, &command, &set_by).await?))
    }

    async fn search_agencies(
        &self,
        request: Request<pb::SearchAgenciesRequest>,
    ) -> Result<Response<pb::SearchAgenciesResponse>, Status> {
        let search: Search = parse_query(&self.0, request).await?;
        let (wanted, page) = search.of(Sought::Agencies);
        let listed = self.0.search_talent(&wanted, &page).await?;
        Ok(Response::new(pb::SearchAgenciesResponse {
            next_page_token: listed.next_page_token(),
            agencies: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn search_talent(
        &self,
        request: Request<pb::SearchTalentRequest>,
    ) -> Result<Response<pb::SearchTalentResponse>, Status> {
        let audience = match Caller::of(&request) {
            Caller::Anybody => Audience::Everybody,
            Caller::Operator(_) | Caller::Service(_) | Caller::Client(_) | Caller::Person(_) => Audience::Users,
        };
        let search: Search = parse_query(&self.0, request).await?;
        let (wanted, page) = search.of(Sought::Freelancers(audience));
        let listed = self.0.search_talent(&wanted, &page).await?;
        Ok(Response::new(pb::SearchTalentResponse {
            next_page_token: listed.next_page_token(),
            talent: listed.items.into_iter().map(Into::into).collect(),
        }))
    }
}
