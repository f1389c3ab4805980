//! `vouch.referral.v1.AttributionService`.

use tonic::{Request, Response, Status};
use vouch_primitives::AttributionId;
use vouch_proto::{
    Fields, Violations,
    convert::to_wire_time,
    referral::v1::{self as pb, attribution_service_server},
};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use crate::{
    app::{App, Explained, Judged, hash_if_set, touching::RecordTouch, wire_referral_kind},
    domain::{Means, Verdict},
};

/// `vouch.referral.v1.AttributionService`.
#[derive(Clone, Debug)]
pub struct Attributions(pub App);

/// Which attribution.
struct Which(AttributionId);

/// A click, before the request that told of it is known by its id.
struct Clicked(RecordTouch);

#[tonic::async_trait]
impl attribution_service_server::AttributionService for Attributions {
    async fn record_touch(
        &self,
        request: Request<pb::RecordTouchRequest>,
    ) -> Result<Response<pb::RecordTouchResponse>, Status> {
        let (_, Clicked(touch)) = parse_mutation(&self.0, request).await?;
        let visitor_id = touch.visitor.clone();
        self.0.record_touch(touch).await?;
        Ok(Response::new(pb::RecordTouchResponse { visitor_id }))
    }

    async fn explain_attribution(
        &self,
        request: Request<pb::ExplainAttributionRequest>,
    ) -> Result<Response<pb::ExplainAttributionResponse>, Status> {
        let Which(id) = parse_query(&self.0, request).await?;
        let Explained { tie, evidence } = self.0.explain_attribution(id).await?;
        let own = tie.referrer;
        let wire = |judged: Judged| pb::Evidence {
            sort: sort(judged.means).into(),
            referrer_id: judged
                .referrer
                .filter(|id| *id == own)
                .map(|id| id.to_string())
                .unwrap_or_default(),
            kind: wire_referral_kind(judged.kind).into(),
            happen_time: Some(to_wire_time(judged.at)),
            verdict: verdict(judged.verdict).into(),
        };
        Ok(Response::new(pb::ExplainAttributionResponse {
            referrer_id: own.to_string(),
            referee_person_id: tie.payee.to_string(),
            join_time: tie.joined().map(to_wire_time),
            evidence: evidence.into_iter().map(wire).collect(),
        }))
    }
}

const fn sort(means: Means) -> pb::evidence::Sort {
    match means {
        Means::Code => pb::evidence::Sort::Code,
        Means::Invitation => pb::evidence::Sort::Invitation,
        Means::Click => pb::evidence::Sort::Click,
    }
}

const fn verdict(verdict: Verdict) -> pb::evidence::Verdict {
    match verdict {
        Verdict::Won => pb::evidence::Verdict::Won,
        Verdict::Outranked => pb::evidence::Verdict::Outranked,
        Verdict::LaterOneWon => pb::evidence::Verdict::LaterOneWon,
        Verdict::Mistyped => pb::evidence::Verdict::Mistyped,
        Verdict::UnknownCode => pb::evidence::Verdict::UnknownCode,
        Verdict::SelfReferral => pb::evidence::Verdict::SelfReferral,
        Verdict::NotAccepted => pb::evidence::Verdict::NotAccepted,
        Verdict::Expired => pb::evidence::Verdict::Expired,
        Verdict::Declined => pb::evidence::Verdict::Declined,
        Verdict::Taken => pb::evidence::Verdict::Taken,
        Verdict::TooOld => pb::evidence::Verdict::TooOld,
        Verdict::AfterSignUp => pb::evidence::Verdict::AfterSignUp,
        Verdict::TooLate => pb::evidence::Verdict::TooLate,
    }
}

impl TryFrom<pb::ExplainAttributionRequest> for Which {
    type Error = Violations;

    fn try_from(request: pb::ExplainAttributionRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        match fields.id("attribution_id", &request.attribution_id) {
            Some(id) => fields.finish(Self(id)),
            None => Err(fields.into()),
        }
    }
}

impl TryFrom<pb::RecordTouchRequest> for Clicked {
    type Error = Violations;

    fn try_from(request: pb::RecordTouchRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.request_id(&request);
        let code = fields.line("code", &request.code, 1..=64).and_then(|text| {
            text.parse()
                .map_err(|_| fields.refuse("code", "INVALID_FORMAT", "is not written as a code is"))
                .ok()
        });
        let link = fields.id_if_set("link_id", &request.link_id);
        let visitor = visitor(
            &mut fields,
            &request.visitor_id,
            id.map(|id| id.as_uuid().simple().to_string()),
        );
        let device = hash_if_set(&mut fields, "device_sha256", &request.device_sha256);
        let network = hash_if_set(&mut fields, "network_sha256", &request.network_sha256);
        let (Some(id), Some(code), Some(link), Some(visitor)) = (id, code, link, visitor) else {
            return Err(fields.into());
        };
        fields.finish(Self(RecordTouch {
            id,
            code,
            link,
            visitor,
            device,
            network,
        }))
    }
}

/// The visitor's id, or for a new one that of the request, so that the same click again is the same visitor's.
fn visitor(fields: &mut Fields, text: &str, new: Option<String>) -> Option<String> {
    if text.is_empty() {
        return new;
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (16..=100).contains(&text.len()) && text.chars().all(fits) {
        return Some(text.to_owned());
    }
    let what = "must have 16 to 100 letters, digits, hyphens and underscores";
    fields.refuse("visitor_id", "INVALID_FORMAT", what);
    None
}
