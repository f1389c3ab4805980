//! `vouch.referral.v1.SignalService`.

use tonic::{Request, Response, Status};
use vouch_primitives::{EmailAddress, ReferrerId, SignalId};
use vouch_proto::{
    Fields, Page, Violations,
    referral::v1::{self as pb, signal_service_server},
};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use crate::app::App;

/// `vouch.referral.v1.SignalService`.
#[derive(Clone, Debug)]
pub struct Signals(pub App);

/// Which page of the queue, or of what is closed.
struct Queue {
    closed: bool,
    page: Page<SignalId>,
}

/// Which page of whose signals.
struct OfReferrer {
    referrer: ReferrerId,
    page: Page<SignalId>,
}

/// What speaks against a signal.
struct Appeal {
    signal: SignalId,
    message: String,
}

/// How a signal is closed.
struct Close {
    signal: SignalId,
    confirmed: bool,
    reason: String,
}

/// A domain.
struct Domain(String);

/// Which page of the domains.
struct Domains(Page<String>);

#[tonic::async_trait]
impl signal_service_server::SignalService for Signals {
    async fn list_signals(
        &self,
        request: Request<pb::ListSignalsRequest>,
    ) -> Result<Response<pb::ListSignalsResponse>, Status> {
        let Queue { closed, page } = parse_query(&self.0, request).await?;
        let listed = self.0.signals(closed, &page).await?;
        Ok(Response::new(pb::ListSignalsResponse {
            next_page_token: listed.next_page_token(),
            signals: listed.items,
        }))
    }

    async fn list_referrer_signals(
        &self,
        request: Request<pb::ListReferrerSignalsRequest>,
    ) -> Result<Response<pb::ListReferrerSignalsResponse>, Status> {
        let OfReferrer { referrer, page } = parse_query(&self.0, request).await?;
        let listed = self.0.referrer_signals(referrer, &page).await?;
        Ok(Response::new(pb::ListReferrerSignalsResponse {
            next_page_token: listed.next_page_token(),
            signals: listed.items,
        }))
    }

    async fn appeal_signal(
        &self,
        request: Request<pb::AppealSignalRequest>,
    ) -> Result<Response<pb::AppealSignalResponse>, Status> {
        let (key, Appeal { signal, message }) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.appeal_signal(&key, signal, &message).await?))
    }

    async fn close_signal(
        &self,
        request: Request<pb::CloseSignalRequest>,
    ) -> Result<Response<pb::CloseSignalResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        let Close {
            signal,
            confirmed,
            reason,
        } = command;
        Ok(Response::new(
            self.0.close_signal(&key, signal, confirmed, &reason).await?,
        ))
    }

    async fn add_disposable_domain(
        &self,
        request: Request<pb::AddDisposableDomainRequest>,
    ) -> Result<Response<pb::AddDisposableDomainResponse>, Status> {
        let (key, Domain(domain)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.add_disposable_domain(&key, &domain).await?))
    }

    async fn remove_disposable_domain(
        &self,
        request: Request<pb::RemoveDisposableDomainRequest>,
    ) -> Result<Response<pb::RemoveDisposableDomainResponse>, Status> {
        let (key, Domain(domain)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.remove_disposable_domain(&key, &domain).await?))
    }

    async fn list_disposable_domains(
        &self,
        request: Request<pb::ListDisposableDomainsRequest>,
    ) -> Result<Response<pb::ListDisposableDomainsResponse>, Status> {
        let Domains(page) = parse_query(&self.0, request).await?;
        let listed = self.0.disposable_domains(&page).await?;
        Ok(Response::new(pb::ListDisposableDomainsResponse {
            next_page_token: listed.next_page_token(),
            domains: listed.items,
        }))
    }
}

impl TryFrom<pb::ListSignalsRequest> for Queue {
    type Error = Violations;

    fn try_from(request: pb::ListSignalsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let closed = request.closed;
        match fields.page(request.page_size, &request.page_token) {
            Some(page) => fields.finish(Self { closed, page }),
            None => Err(fields.into()),
        }
    }
}

impl TryFrom<pb::ListReferrerSignalsRequest> for OfReferrer {
    type Error = Violations;

    fn try_from(request: pb::ListReferrerSignalsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(referrer), Some(page)) = (referrer, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { referrer, page })
    }
}

impl TryFrom<pb::AppealSignalRequest> for Appeal {
    type Error = Violations;

    fn try_from(request: pb::AppealSignalRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let signal = fields.id("signal_id", &request.signal_id);
        let message = fields.text("message", &request.message, 1..=2_000);
        let (Some(signal), Some(message)) = (signal, message) else {
            return Err(fields.into());
        };
        fields.finish(Self { signal, message })
    }
}

impl TryFrom<pb::CloseSignalRequest> for Close {
    type Error = Violations;

    fn try_from(request: pb::CloseSignalRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let signal = fields.id("signal_id", &request.signal_id);
        let reason = fields.text("reason", &request.reason, 1..=500);
        let (Some(signal), Some(reason)) = (signal, reason) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            signal,
            confirmed: request.confirmed,
            reason,
        })
    }
}

impl TryFrom<pb::AddDisposableDomainRequest> for Domain {
    type Error = Violations;

    fn try_from(request: pb::AddDisposableDomainRequest) -> Result<Self, Violations> {
        domain(&request.domain)
    }
}

impl TryFrom<pb::RemoveDisposableDomainRequest> for Domain {
    type Error = Violations;

    fn try_from(request: pb::RemoveDisposableDomainRequest) -> Result<Self, Violations> {
        domain(&request.domain)
    }
}

impl TryFrom<pb::ListDisposableDomainsRequest> for Domains {
    type Error = Violations;

    fn try_from(request: pb::ListDisposableDomainsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        match fields.page(request.page_size, &request.page_token) {
            Some(page) => fields.finish(Self(page)),
            None => Err(fields.into()),
        }
    }
}

/// A domain is what may stand behind the `@` of an address.
fn domain(text: &str) -> Result<Domain, Violations> {
    let mut fields = Fields::new();
    let Some(text) = fields.line("domain", text, 1..=253) else {
        return Err(fields.into());
    };
    let Ok(address) = format!("somebody@{text}").parse::<EmailAddress>() else {
        fields.refuse("domain", "INVALID_FORMAT", "must be a domain such as example.com");
        return Err(fields.into());
    };
    fields.finish(Domain(address.domain().to_owned()))
}
