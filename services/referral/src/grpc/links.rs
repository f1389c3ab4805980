//! `vouch.referral.v1.LinkService`.

use tonic::{Request, Response, Status};
use vouch_primitives::{ReferralLinkId, ReferrerId};
use vouch_proto::{
    Fields, Page, Violations,
    referral::v1::{self as pb, link_service_server},
};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use crate::{
    app::{App, enrolment::ClaimVanityCode, links::CreateLink},
    domain::{InvalidVanity, ReferralKind, Scope, TypedCode},
};

/// `vouch.referral.v1.LinkService`.
#[derive(Clone, Debug)]
pub struct Links(pub App);

/// Which page of whose links.
struct LinkPage {
    referrer: ReferrerId,
    page: Page<ReferralLinkId>,
}

/// What somebody typed.
struct Typed(String);

#[tonic::async_trait]
impl link_service_server::LinkService for Links {
    async fn claim_vanity_code(
        &self,
        request: Request<pb::ClaimVanityCodeRequest>,
    ) -> Result<Response<pb::ClaimVanityCodeResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.claim_vanity_code(&key, &command).await?))
    }

    async fn check_code(
        &self,
        request: Request<pb::CheckCodeRequest>,
    ) -> Result<Response<pb::CheckCodeResponse>, Status> {
        let Typed(text) = parse_query(&self.0, request).await?;
        let well_formed = text.parse::<TypedCode>().is_ok();
        Ok(Response::new(pb::CheckCodeResponse { well_formed }))
    }

    async fn create_link(
        &self,
        request: Request<pb::CreateLinkRequest>,
    ) -> Result<Response<pb::CreateLinkResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.create_link(&key, &command).await?))
    }

    async fn list_links(
        &self,
        request: Request<pb::ListLinksRequest>,
    ) -> Result<Response<pb::ListLinksResponse>, Status> {
        let LinkPage { referrer, page } = parse_query(&self.0, request).await?;
        let listed = self.0.links(referrer, &page).await?;
        Ok(Response::new(pb::ListLinksResponse {
            next_page_token: listed.next_page_token(),
            links: listed.items,
        }))
    }
}

impl TryFrom<pb::ClaimVanityCodeRequest> for ClaimVanityCode {
    type Error = Violations;

    fn try_from(request: pb::ClaimVanityCodeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let code = fields.line("code", &request.code, 1..=64).and_then(|text| {
            let reason = |why| match why {
                InvalidVanity::Length => "OUT_OF_RANGE",
                InvalidVanity::Character => "INVALID_FORMAT",
                InvalidVanity::LooksDrawn => "LOOKS_DRAWN",
                InvalidVanity::Reserved => "RESERVED",
            };
            text.parse()
                .map_err(|why: InvalidVanity| fields.refuse("code", reason(why), why.to_string()))
                .ok()
        });
        let (Some(referrer), Some(code)) = (referrer, code) else {
            return Err(fields.into());
        };
        fields.finish(Self { referrer, code })
    }
}

impl TryFrom<pb::CheckCodeRequest> for Typed {
    type Error = Violations;

    fn try_from(request: pb::CheckCodeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        match fields.line("code", &request.code, 1..=64) {
            Some(text) => fields.finish(Self(text)),
            None => Err(fields.into()),
        }
    }
}

impl TryFrom<pb::CreateLinkRequest> for CreateLink {
    type Error = Violations;

    fn try_from(request: pb::CreateLinkRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let kind = match request.kind() {
            pb::ReferralKind::Friend => Some(ReferralKind::Friend),
            pb::ReferralKind::Freelancer => Some(ReferralKind::Freelancer),
            pb::ReferralKind::ThirdPartySite => Some(ReferralKind::ThirdPartySite),
            pb::ReferralKind::Affiliate => Some(ReferralKind::Affiliate),
            pb::ReferralKind::Unspecified => {
                fields.refuse("kind", "REQUIRED", "is required");
                None
            }
            pb::ReferralKind::Agency | pb::ReferralKind::ClientIntroduction => {
                fields.refuse("kind", "OUT_OF_RANGE", "is not a type that begins with a link");
                None
            }
        };
        let shortest = usize::from(kind == Some(ReferralKind::ThirdPartySite));
        let source = fields.line("source", &request.source, shortest..=60);
        let campaign = fields.line("campaign", &request.campaign, 0..=60);
        let project = fields.id_if_set("project_id", &request.project_id);
        let client = fields.id_if_set("client_id", &request.client_id);
        let scope = match (project.flatten(), client.flatten()) {
            (Some(_), Some(_)) => {
                fields.refuse(
                    "client_id",
                    "NOT_BOTH",
                    "must be empty where the link leads to a project",
                );
                Scope::Everywhere
            }
            (Some(project), None) => Scope::Project(project),
            (None, Some(client)) => Scope::Employer(client),
            (None, None) => Scope::Everywhere,
        };
        let (Some(referrer), Some(kind), Some(source), Some(campaign)) = (referrer, kind, source, campaign) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            referrer,
            kind,
            source,
            campaign,
            scope,
        })
    }
}

impl TryFrom<pb::ListLinksRequest> for LinkPage {
    type Error = Violations;

    fn try_from(request: pb::ListLinksRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(referrer), Some(page)) = (referrer, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { referrer, page })
    }
}
