//! Commands in: parse, call, wrap.

mod attributions;
mod books;
mod client_programmes;
pub mod command;
mod convert;
mod dashboard;
mod imports;
mod invitations;
mod links;
mod programme;
mod screening;
mod signals;
mod statements;
mod streamed;

use tonic::{Request, Response, Status};
use vouch_proto::referral::v1::{self as pb, referral_service_server};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use crate::app::{App, enrolment::Enrolling, terms};

pub use attributions::Attributions;
pub use books::Books;
pub use client_programmes::ClientProgrammes;
pub use dashboard::Dashboard;
pub use invitations::Invitations;
pub use links::Links;
pub use programme::ProgrammeService;
pub use screening::ScreeningService;
pub use signals::Signals;
pub use statements::Statements;

/// `vouch.referral.v1.ReferralService`.
#[derive(Clone, Debug)]
pub struct ReferralService(App);

impl ReferralService {
    /// The service over these use cases.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self(app)
    }
}

#[tonic::async_trait]
impl referral_service_server::ReferralService for ReferralService {
    async fn enrol_referrer(
        &self,
        request: Request<pb::EnrolReferrerRequest>,
    ) -> Result<Response<pb::EnrolReferrerResponse>, Status> {
        let (key, who): (_, Enrolling) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.enrol(key, who).await?))
    }

    async fn get_referrer(
        &self,
        request: Request<pb::GetReferrerRequest>,
    ) -> Result<Response<pb::GetReferrerResponse>, Status> {
        let convert::ReferrerQuery(id) = parse_query(&self.0, request).await?;
        let referrer = self.0.referrer(id).await?;
        Ok(Response::new(pb::GetReferrerResponse {
            referrer: Some(referrer),
        }))
    }

    async fn list_attributions(
        &self,
        request: Request<pb::ListAttributionsRequest>,
    ) -> Result<Response<pb::ListAttributionsResponse>, Status> {
        let convert::AttributionPage { referrer, page } = parse_query(&self.0, request).await?;
        let listed = self.0.attributions(referrer, &page).await?;
        Ok(Response::new(pb::ListAttributionsResponse {
            next_page_token: listed.next_page_token(),
            attributions: listed
                .items
                .iter()
                .map(convert::attribution)
                .collect::<Result<_, _>>()?,
        }))
    }

    async fn get_terms(&self, request: Request<pb::GetTermsRequest>) -> Result<Response<pb::GetTermsResponse>, Status> {
        let version = Some(request.into_inner().version).filter(|version| *version > 0);
        let published = self.0.terms(version).await?;
        Ok(Response::new(pb::GetTermsResponse {
            terms: Some(terms::to_wire(&published)),
        }))
    }

    async fn explain_balance(
        &self,
        request: Request<pb::ExplainBalanceRequest>,
    ) -> Result<Response<pb::ExplainBalanceResponse>, Status> {
        let convert::AttributionPage { referrer, page } = parse_query(&self.0, request).await?;
        let listed = self.0.explain(referrer, &page).await?;
        Ok(Response::new(pb::ExplainBalanceResponse {
            next_page_token: listed.next_page_token(),
            totals: listed.items,
        }))
    }

    async fn list_reward_items(
        &self,
        request: Request<pb::ListRewardItemsRequest>,
    ) -> Result<Response<pb::ListRewardItemsResponse>, Status> {
        let convert::RewardItems {
            attribution,
            kind,
            currency,
            page,
        } = parse_query(&self.0, request).await?;
        let listed = self.0.reward_items(attribution, kind, currency, &page).await?;
        Ok(Response::new(pb::ListRewardItemsResponse {
            next_page_token: listed.next_page_token(),
            items: listed.items,
        }))
    }
}
