//! The invitation service, as far as onboarding sees it: small, but keeping its promises. It can be told to misbehave.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use futures::stream;
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming, transport::server::TcpIncoming};
use tonic_types::{ErrorDetails, StatusExt};
use vouch_primitives::{Clock, InvitationId, TestClock};
use vouch_proto::{
    common::v1::ContractTerms,
    convert::to_wire_time,
    invitation::v1::{
        self as pb,
        accept_invitation_request::Proof,
        invitation::{Content, State},
        invitation_service_server::{InvitationService, InvitationServiceServer},
    },
};

/// How it behaves when an invitation is to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Good,
    /// It cannot be asked anything.
    Away,
    /// It accepts, and the answer is lost.
    AnswerLost,
    /// It never gets to accepting.
    HangsBefore,
    /// It accepts and never gets to answering.
    HangsAfter,
    /// Somebody else has the invitation.
    Taken,
}

/// The service behind its port.
pub struct Invitations {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: CancellationToken,
}

struct Shared {
    clock: Arc<TestClock>,
    state: Mutex<Book>,
    /// How many calls hang.
    hanging: watch::Sender<usize>,
}

struct Book {
    mood: Mood,
    invitations: Vec<pb::Invitation>,
    requests: BTreeSet<String>,
    plan: pb::Plan,
    /// Where it is another one than that of Acme now: the plan of whoever sent an invitation.
    plans: BTreeMap<String, pb::Plan>,
}

struct Service(Arc<Shared>);

impl Invitations {
    pub async fn start(clock: Arc<TestClock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let book = Book {
            mood: Mood::Good,
            invitations: vec![],
            requests: BTreeSet::new(),
            plan: pb::Plan::Basic,
            plans: BTreeMap::new(),
        };
        let shared = Arc::new(Shared {
            clock,
            state: Mutex::new(book),
            hanging: watch::Sender::new(0),
        });
        let service = InvitationServiceServer::new(Service(shared.clone()));
        let stop = CancellationToken::new();
        // Hanging calls are cut off at the end, which a graceful end would wait for.
        let stopped = stop.clone();
        tokio::spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            tokio::select! {
                served = server.serve_with_incoming(TcpIncoming::from(listener)) => served.expect("a working port"),
                () = stopped.cancelled() => {}
            }
        });
        Self { shared, address, stop }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, mood: Mood) {
        self.shared.book().mood = mood;
    }

    /// Acme invites `recipient`; the token is the invitation's id with something before it.
    pub fn send(&self, recipient: &str, terms: ContractTerms) -> pb::Invitation {
        let now = self.shared.clock.now();
        let invitation = pb::Invitation {
            id: InvitationId::new().to_string(),
            client_id: "019c0000-0000-7000-8000-00000000acae".to_owned(),
            company_name: "Acme".to_owned(),
            hiring_manager: Some(pb::HiringManager {
                id: "019c0000-0000-7000-8000-0000000000a7".to_owned(),
                display_name: "Grace Hopper".to_owned(),
                email: "grace@acme.example".to_owned(),
            }),
            talent_type: pb::TalentType::Freelancer.into(),
            recipient_email: recipient.to_owned(),
            content: Some(Content::ContractTerms(terms)),
            state: State::Pending.into(),
            send_time: Some(to_wire_time(now)),
            expire_time: Some(to_wire_time(now.add_days(30))),
            ..pb::Invitation::default()
        };
        self.shared.book().invitations.push(invitation.clone());
        invitation
    }

    /// Acme invites `recipient` to a talent cloud.
    pub fn send_to_cloud(&self, recipient: &str) -> pb::Invitation {
        let mut invitation = self.send(recipient, ContractTerms::default());
        let cloud = pb::InvitedCloud {
            id: "019c0000-0000-7000-8000-00000000c10d".to_owned(),
            name: "Friends of Acme".to_owned(),
        };
        invitation.content = Some(Content::TalentCloud(cloud));
        self.change(&invitation.id, |it| it.clone_from(&invitation));
        invitation
    }

    /// It is an agency that is invited.
    pub fn of_agency(&self, mut invitation: pb::Invitation) -> pb::Invitation {
        invitation.set_talent_type(pb::TalentType::Agency);
        self.change(&invitation.id, |it| it.clone_from(&invitation));
        invitation
    }

    /// Acme gets this plan.
    pub fn set_plan(&self, plan: pb::Plan) {
        self.shared.book().plan = plan;
    }

    /// Acme had this plan when it sent the invitation, and has it for that one.
    pub fn set_plan_of(&self, invitation: &pb::Invitation, plan: pb::Plan) {
        self.shared.book().plans.insert(invitation.id.clone(), plan);
    }

    /// Changes an invitation that has been sent.
    pub fn change(&self, id: &str, change: impl Fn(&mut pb::Invitation)) {
        let mut book = self.shared.book();
        book.invitations
            .iter_mut()
            .filter(|invitation| invitation.id == id)
            .for_each(change);
    }

    pub fn get(&self, id: &str) -> pb::Invitation {
        let book = self.shared.book();
        book.invitations
            .iter()
            .find(|invitation| invitation.id == id)
            .cloned()
            .expect("an invitation")
    }

    /// The ids of the requests by which invitations were to be accepted.
    pub fn requests(&self) -> BTreeSet<String> {
        self.shared.book().requests.clone()
    }

    /// Waits until a call hangs.
    pub async fn until_hanging(&self) {
        let mut hanging = self.shared.hanging.subscribe();
        hanging
            .wait_for(|calls| *calls > 0)
            .await
            .expect("the service is there");
        self.shared.hanging.send_replace(0);
    }
}

impl Drop for Invitations {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The token that stands in the e-mail of an invitation.
pub fn token_of(invitation: &pb::Invitation) -> String {
    format!("token-of-{}", invitation.id)
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.state.lock().expect("nobody panicked with it")
    }

    async fn hang<T>(&self) -> T {
        self.hanging.send_modify(|calls| *calls += 1);
        pending().await
    }
}

impl Book {
    fn answering(&self) -> Result<(), Status> {
        if self.mood == Mood::Away {
            Err(Status::unavailable("away"))
        } else {
            Ok(())
        }
    }

    fn accept(
        &mut self,
        request: &pb::AcceptInvitationRequest,
        now: prost_types::Timestamp,
    ) -> Result<pb::Invitation, Status> {
        let unknown = || Status::not_found("no such invitation");
        let found = self
            .invitations
            .iter_mut()
            .find(|invitation| invitation.id == request.invitation_id);
        let invitation = found.ok_or_else(unknown)?;
        let proved = match request.proof.as_ref().expect("a proof") {
            Proof::TokenSha256(hash) => hash[..] == Sha256::digest(token_of(invitation))[..],
            Proof::VerifiedEmail(email) => *email == invitation.recipient_email,
        };
        if !proved {
            return Err(unknown());
        }
        if invitation.state() == State::Pending {
            invitation.set_state(State::Accepted);
            invitation.person_id.clone_from(&request.person_id);
            invitation.accept_time = Some(now);
        }
        if invitation.person_id == request.person_id {
            Ok(invitation.clone())
        } else {
            Err(taken())
        }
    }
}

fn taken() -> Status {
    let details = ErrorDetails::with_error_info("INVITATION_TAKEN", "vouch", std::collections::HashMap::new());
    Status::with_error_details(Code::FailedPrecondition, "taken", details)
}

#[tonic::async_trait]
impl InvitationService for Service {
    async fn look_up_invitation(
        &self,
        request: Request<pb::LookUpInvitationRequest>,
    ) -> Result<Response<pb::LookUpInvitationResponse>, Status> {
        let book = self.0.book();
        book.answering()?;
        let token = request.into_inner().token;
        let open = |invitation: &&pb::Invitation| invitation.state() == State::Pending && token_of(invitation) == token;
        let found = book.invitations.iter().find(open).cloned();
        let invitation = Some(found.ok_or_else(|| Status::not_found("no open invitation"))?);
        Ok(Response::new(pb::LookUpInvitationResponse { invitation }))
    }

    async fn list_open_invitations(
        &self,
        request: Request<pb::ListOpenInvitationsRequest>,
    ) -> Result<Response<pb::ListOpenInvitationsResponse>, Status> {
        let book = self.0.book();
        book.answering()?;
        let pb::ListOpenInvitationsRequest {
            verified_email: email,
            page_size,
            page_token,
        } = request.into_inner();
        let size = usize::try_from(page_size).expect("a small page");
        let open = |invitation: &&pb::Invitation| {
            invitation.state() == State::Pending && invitation.recipient_email == email && invitation.id > page_token
        };
        assert_eq!(
            size, 1,
            "home shows one, and a hundred may be more than an answer can hold"
        );
        let invitations: Vec<_> = book.invitations.iter().filter(open).take(size).cloned().collect();
        let more = book.invitations.iter().filter(open).count() > size;
        let next = invitations
            .last()
            .filter(|_| more)
            .map(|invitation| invitation.id.clone());
        Ok(Response::new(pb::ListOpenInvitationsResponse {
            invitations,
            next_page_token: next.unwrap_or_default(),
        }))
    }

    async fn accept_invitation(
        &self,
        request: Request<pb::AcceptInvitationRequest>,
    ) -> Result<Response<pb::AcceptInvitationResponse>, Status> {
        let request = request.into_inner();
        let mood = self.0.book().mood;
        match mood {
            Mood::Away => return Err(Status::unavailable("away")),
            Mood::HangsBefore => return self.0.hang().await,
            Mood::Taken => return Err(taken()),
            Mood::Good | Mood::AnswerLost | Mood::HangsAfter => {}
        }
        let now = to_wire_time(self.0.clock.now());
        let invitation = {
            let mut book = self.0.book();
            book.requests.insert(request.request_id.clone());
            Some(book.accept(&request, now)?)
        };
        match mood {
            Mood::AnswerLost => Err(Status::unavailable("the answer is lost")),
            Mood::HangsAfter => self.0.hang().await,
            _ => {
                let book = self.0.book();
                let client_plan = book
                    .plans
                    .get(&request.invitation_id)
                    .copied()
                    .unwrap_or(book.plan)
                    .into();
                Ok(Response::new(pb::AcceptInvitationResponse {
                    invitation,
                    client_plan,
                }))
            }
        }
    }

    async fn send_invitation(
        &self,
        _: Request<pb::SendInvitationRequest>,
    ) -> Result<Response<pb::SendInvitationResponse>, Status> {
        Err(Status::unimplemented("onboarding does not ask this"))
    }

    async fn send_invitations(
        &self,
        _: Request<pb::SendInvitationsRequest>,
    ) -> Result<Response<pb::SendInvitationsResponse>, Status> {
        Err(Status::unimplemented("onboarding does not ask this"))
    }

    type ImportInvitationsStream = stream::Empty<Result<pb::ImportInvitationsResponse, Status>>;

    async fn import_invitations(
        &self,
        _: Request<Streaming<pb::ImportInvitationsRequest>>,
    ) -> Result<Response<Self::ImportInvitationsStream>, Status> {
        Err(Status::unimplemented("onboarding does not ask this"))
    }

    async fn resend_invitation(
        &self,
        _: Request<pb::ResendInvitationRequest>,
    ) -> Result<Response<pb::ResendInvitationResponse>, Status> {
        Err(Status::unimplemented("onboarding does not ask this"))
    }

    async fn withdraw_invitation(
        &self,
        _: Request<pb::WithdrawInvitationRequest>,
    ) -> Result<Response<pb::WithdrawInvitationResponse>, Status> {
        Err(Status::unimplemented("onboarding does not ask this"))
    }

    async fn decline_invitation(
        &self,
        _: Request<pb::DeclineInvitationRequest>,
    ) -> Result<Response<pb::DeclineInvitationResponse>, Status> {
        Err(Status::unimplemented("onboarding does not ask this"))
    }

    type WatchInvitationsStream = stream::Empty<Result<pb::WatchInvitationsResponse, Status>>;

    async fn watch_invitations(
        &self,
        _: Request<pb::WatchInvitationsRequest>,
    ) -> Result<Response<Self::WatchInvitationsStream>, Status> {
        Err(Status::unimplemented("onboarding does not ask this"))
    }

    async fn count_invitations(
        &self,
        _: Request<pb::CountInvitationsRequest>,
    ) -> Result<Response<pb::CountInvitationsResponse>, Status> {
        Err(Status::unimplemented("onboarding does not ask this"))
    }

    async fn get_invitation(
        &self,
        request: Request<pb::GetInvitationRequest>,
    ) -> Result<Response<pb::GetInvitationResponse>, Status> {
        let book = self.0.book();
        book.answering()?;
        let id = request.into_inner().invitation_id;
        let found = book.invitations.iter().find(|invitation| invitation.id == id).cloned();
        let invitation = Some(found.ok_or_else(|| Status::not_found("no such invitation"))?);
        Ok(Response::new(pb::GetInvitationResponse { invitation }))
    }

    async fn list_invitations(
        &self,
        _: Request<pb::ListInvitationsRequest>,
    ) -> Result<Response<pb::ListInvitationsResponse>, Status> {
        Err(Status::unimplemented("onboarding does not ask this"))
    }
}
