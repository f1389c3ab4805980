//! The service as its callers see it, and what a test says to it.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use prost::{Message, Name};
use sea_orm::Statement;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};
use vouch_invitation::{Config, DEFAULTS, Migrator, NAME, Service};
use vouch_mail::{MailConfig, Tls, TransportKind};
use vouch_messaging::{Bus, Envelope, MemoryBus};
use vouch_primitives::{Clock, EventId, PersonId, RequestId, TestClock, Timestamp, Uuid};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    invitation::v1::{
        self as pb, accept_invitation_request::Proof, application_service_client::ApplicationServiceClient,
        client_service_client::ClientServiceClient, invitation_service_client::InvitationServiceClient,
        project_service_client::ProjectServiceClient, send_invitation_request::Content as SentContent,
        suppression_service_client::SuppressionServiceClient, talent_cloud_service_client::TalentCloudServiceClient,
    },
    onboarding::v1::EmailVerified,
};
use vouch_runtime::{
    Chassis, ChassisError, ServiceClock,
    access::{Caller, Signed, Signer},
    config::Layers,
};
use vouch_storage::{DatabaseConfig, Db};
use vouch_testkit::{SmtpSink, TestDatabase, eventually};

use crate::tables::count;

pub use vouch_testkit::answers::{refusal, violations};

/// The keys of all tests here, made by the first of them.
const KEYS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/keys");

/// How long anything may take that happens by itself.
pub const SOON: Duration = Duration::from_secs(30);

/// A running service.
pub struct World {
    pub clients: ClientServiceClient<Signed>,
    pub invitations: InvitationServiceClient<Signed>,
    pub clouds: TalentCloudServiceClient<Signed>,
    pub suppressions: SuppressionServiceClient<Signed>,
    pub projects: ProjectServiceClient<Signed>,
    pub applications: ApplicationServiceClient<Signed>,
    pub db: Db,
    pub clock: Arc<TestClock>,
    /// Every statement that the database was asked.
    asked: Arc<Mutex<Vec<String>>>,
    bus: Arc<MemoryBus>,
    mail: TempDir,
    stop: CancellationToken,
    service: JoinHandle<Result<(), ChassisError>>,
    _database: TestDatabase,
}

/// 2026-03-01T09:00:00Z: when the clock begins.
pub fn start() -> Timestamp {
    at("2026-03-01T09:00:00Z")
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

pub fn request_id() -> String {
    RequestId::new().to_string()
}

impl World {
    /// A service that writes its mail to files.
    pub async fn new(database: TestDatabase) -> Self {
        Self::with_mail(database, MailConfig::default()).await
    }

    /// A service that sends its mail to `sink`.
    pub async fn mailing_to(database: TestDatabase, sink: &SmtpSink) -> Self {
        let smtp = MailConfig {
            transport: TransportKind::Smtp,
            host: "localhost".to_owned(),
            port: sink.port(),
            tls: Tls::None,
            ..MailConfig::default()
        };
        Self::with_mail(database, smtp).await
    }

    async fn with_mail(database: TestDatabase, mail_config: MailConfig) -> Self {
        let mail = tempfile::tempdir().expect("a directory");
        let mut config = Layers::new(NAME, DEFAULTS)
            .load(Config::validate)
            .expect("good defaults")
            .config;
        config.links.public_url = "https://vouch.example/".to_owned();
        config.common.server.listen.set_port(0);
        config.common.access.keys = KEYS.to_owned();
        let directory = mail.path().display().to_string();
        config.common.mail = Some(MailConfig {
            directory,
            ..mail_config
        });
        let access = DatabaseConfig {
            url: database.url().to_owned(),
            max_connections: 8,
        };
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let observe = move |statement: &Statement| heard.lock().expect("no panic").push(statement.sql.clone());
        let db = Db::connect_observed(&access, observe).await.expect("a database");
        vouch_storage::migrate::<Migrator>(&db).await.expect("tables");
        let (bus, clock) = (Arc::new(MemoryBus::faultless()), Arc::new(TestClock::new(start())));
        let test_clock = ServiceClock::test(clock.clone());
        let chassis = Chassis::with(NAME, &config.common, db.clone(), bus.clone(), test_clock);
        let service = Service::build_on(chassis.await.expect("a free port"), &config);
        let service = service.await.expect("a service");
        let address = format!("http://{}", service.address());
        let stop = CancellationToken::new();
        let service = tokio::spawn(service.run(stop.clone()));
        let channel = Channel::from_shared(address).expect("an address").connect_lazy();
        let channel = Signer::new(&config.common.access, Caller::Operator("test".to_owned())).on(channel);
        Self {
            clients: ClientServiceClient::new(channel.clone()),
            clouds: TalentCloudServiceClient::new(channel.clone()),
            suppressions: SuppressionServiceClient::new(channel.clone()),
            projects: ProjectServiceClient::new(channel.clone()),
            applications: ApplicationServiceClient::new(channel.clone()),
            invitations: InvitationServiceClient::new(channel),
            db,
            clock,
            asked,
            bus,
            mail,
            stop,
            service,
            _database: database,
        }
    }

    /// Stops the service, which must end in good order.
    pub async fn stop(self) {
        self.stop.cancel();
        self.service.await.expect("no panic").expect("a good end");
    }

    /// Acme, with Grace and Joan.
    pub async fn acme(&self) -> pb::Client {
        let request = create_client(
            "Acme",
            &[
                ("Grace Hopper", "Grace@Acme.example"),
                ("Joan Clarke", "joan@acme.example"),
            ],
        );
        let answer = self.clients.clone().create_client(request).await.expect("a client");
        answer.into_inner().client.expect("a client")
    }

    pub async fn send(&self, request: pb::SendInvitationRequest) -> Result<pb::Invitation, Status> {
        let answer = self.invitations.clone().send_invitation(request).await?;
        Ok(answer.into_inner().invitation.expect("an invitation"))
    }

    /// Ada, invited by Acme for fixed pay.
    pub async fn invite_ada(&self) -> pb::Invitation {
        let client = self.acme().await;
        self.send(invite(&client.id, "ada@example.com"))
            .await
            .expect("an invitation")
    }

    /// A client of this plan, whose name nobody asks for.
    pub async fn client(&self, plan: pb::Plan) -> pb::Client {
        let request = pb::CreateClientRequest {
            plan: plan.into(),
            ..create_client("Acme", &[("Grace Hopper", "grace@acme.example")])
        };
        let answer = self.clients.clone().create_client(request).await.expect("a client");
        answer.into_inner().client.expect("a client")
    }

    pub async fn cloud(&self, client_id: &str, name: &str) -> pb::TalentCloud {
        let request = pb::CreateTalentCloudRequest {
            request_id: request_id(),
            client_id: client_id.to_owned(),
            name: name.to_owned(),
        };
        let answer = self.clouds.clone().create_talent_cloud(request).await;
        answer.expect("a cloud").into_inner().talent_cloud.expect("a cloud")
    }

    /// Everybody in a talent cloud, in the order in which they came.
    pub async fn members(&self, cloud: &pb::TalentCloud) -> Vec<pb::TalentCloudMember> {
        let request = pb::ListTalentCloudMembersRequest {
            talent_cloud_id: cloud.id.clone(),
            page_size: 100,
            ..Default::default()
        };
        let answer = self.clouds.clone().list_talent_cloud_members(request).await;
        answer.expect("members").into_inner().members
    }

    pub async fn get(&self, id: &str) -> Result<pb::Invitation, Status> {
        let request = pb::GetInvitationRequest {
            invitation_id: id.to_owned(),
        };
        let answer = self.invitations.clone().get_invitation(request).await?;
        Ok(answer.into_inner().invitation.expect("an invitation"))
    }

    pub async fn look_up(&self, token: &str) -> Result<pb::Invitation, Status> {
        let request = pb::LookUpInvitationRequest {
            token: token.to_owned(),
        };
        let answer = self.invitations.clone().look_up_invitation(request).await?;
        Ok(answer.into_inner().invitation.expect("an invitation"))
    }

    pub async fn open_invitations(&self, email: &str) -> Vec<pb::Invitation> {
        let request = pb::ListOpenInvitationsRequest {
            verified_email: email.to_owned(),
            ..Default::default()
        };
        let answer = self.invitations.clone().list_open_invitations(request).await;
        answer.expect("open invitations").into_inner().invitations
    }

    pub async fn accept(&self, id: &str, person: PersonId, proof: Proof) -> Result<pb::Invitation, Status> {
        let request = pb::AcceptInvitationRequest {
            request_id: request_id(),
            invitation_id: id.to_owned(),
            person_id: person.to_string(),
            proof: Some(proof),
        };
        let answer = self.invitations.clone().accept_invitation(request).await?;
        Ok(answer.into_inner().invitation.expect("an invitation"))
    }

    /// The token in the e-mail to `recipient`, once that is there.
    pub async fn token_for(&self, recipient: &str) -> String {
        eventually("the e-mail", SOON, async || {
            let mails = read_all(self.mail.path());
            let mail = mails.iter().find(|mail| mail.contains(&format!("To: {recipient}")));
            mail.and_then(|mail| token_in(mail))
                .ok_or_else(|| format!("{} e-mails", mails.len()))
        })
        .await
    }

    /// The tokens in all e-mails to `recipient`, the oldest first, once there are so many.
    pub async fn tokens_for(&self, recipient: &str, count: usize) -> Vec<String> {
        eventually("the e-mails", SOON, async || {
            let mails = read_all(self.mail.path());
            let to_it = mails.iter().filter(|mail| mail.contains(&format!("To: {recipient}")));
            let tokens: Vec<_> = to_it.filter_map(|mail| token_in(mail)).collect();
            if tokens.len() == count {
                Ok(tokens)
            } else {
                Err(format!("{} e-mails", tokens.len()))
            }
        })
        .await
    }

    pub async fn resend(&self, id: &str) -> Result<pb::Invitation, Status> {
        let request = pb::ResendInvitationRequest {
            request_id: request_id(),
            invitation_id: id.to_owned(),
        };
        let answer = self.invitations.clone().resend_invitation(request).await?;
        Ok(answer.into_inner().invitation.expect("an invitation"))
    }

    pub async fn withdraw(&self, id: &str) -> Result<pb::Invitation, Status> {
        let request = pb::WithdrawInvitationRequest {
            request_id: request_id(),
            invitation_id: id.to_owned(),
        };
        let answer = self.invitations.clone().withdraw_invitation(request).await?;
        Ok(answer.into_inner().invitation.expect("an invitation"))
    }

    pub async fn decline(&self, token: &str, reason: &str) -> Result<pb::Invitation, Status> {
        let request = pb::DeclineInvitationRequest {
            request_id: request_id(),
            token: token.to_owned(),
            reason: reason.to_owned(),
            recommendation: None,
        };
        let answer = self.invitations.clone().decline_invitation(request).await?;
        Ok(answer.into_inner().invitation.expect("an invitation"))
    }

    /// The statements about a table since the last time.
    pub fn asked_about(&self, table: &str) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().expect("no panic"));
        asked
            .into_iter()
            .filter(|statement| statement.contains(table))
            .collect()
    }

    /// All e-mails that have been written as files, the oldest first.
    pub fn letters(&self) -> Vec<String> {
        read_all(self.mail.path())
    }

    /// How many e-mails have been written as files.
    pub fn mails(&self) -> usize {
        read_all(self.mail.path()).len()
    }

    /// Waits until the invitation is as `test` wants it.
    pub async fn until(&self, id: &str, what: &str, test: impl Fn(&pb::Invitation) -> bool) -> pb::Invitation {
        eventually(what, SOON, async || {
            let invitation = self.get(id).await.map_err(|status| status.to_string())?;
            if test(&invitation) {
                Ok(invitation)
            } else {
                Err(format!("{invitation:?}"))
            }
        })
        .await
    }

    /// Somebody whose address this is, as onboarding tells.
    pub async fn person(&self, email: &str) -> PersonId {
        let person = PersonId::new();
        let verified = EmailVerified {
            person_id: person.to_string(),
            verify_time: Some(to_wire_time(start())),
            email_sha256: Sha256::digest(email).to_vec(),
            ..EmailVerified::default()
        };
        self.learn("account_address", "/vouch/onboarding", &verified).await;
        person
    }

    /// Tells this service what another one would, and waits until a table has one row more.
    pub async fn learn<M: Message + Name>(&self, table: &str, source: &str, event: &M) {
        let before = count(&self.db, table).await;
        self.hear(EventId::new(), source, event).await;
        eventually("it is noted", SOON, async || match count(&self.db, table).await {
            now if now > before => Ok(()),
            now => Err(format!("{now} rows of {table}")),
        })
        .await;
    }

    /// Tells this service what another one would.
    pub async fn hear<M: Message + Name>(&self, id: EventId, source: &str, event: &M) {
        let envelope = Envelope {
            id,
            event_type: M::full_name(),
            source: source.to_owned(),
            time: self.clock.now(),
            aggregate_id: Uuid::nil(),
            payload: event.encode_to_vec().into(),
            traceparent: None,
        };
        for answer in self.bus.publish(&[envelope]).await {
            answer.expect("a faultless bus");
        }
    }
}

/// What stands behind the unsubscribe link in a text.
pub fn way_out_in(text: &str) -> Option<String> {
    after("https://vouch.example/unsubscribe?token=", text)
}

/// What stands behind `#token=` in a text.
pub fn token_in(text: &str) -> Option<String> {
    after("https://vouch.example/invitations/accept#token=", text)
}

fn after(link: &str, text: &str) -> Option<String> {
    let (_, rest) = text.split_once(link)?;
    let fits = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    Some(rest.chars().take_while(fits).collect())
}

fn read_all(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    let mails = entries.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
    // Their names begin with the moment at which they were written.
    let mut mails: Vec<_> = mails.collect();
    mails.sort();
    mails
        .into_iter()
        .map(|path| std::fs::read_to_string(path).expect("an e-mail"))
        // As much of quoted-printable as a link needs.
        .map(|mail| mail.replace("=\r\n", "").replace("=3D", "="))
        .collect()
}

pub fn create_client(company_name: &str, managers: &[(&str, &str)]) -> pb::CreateClientRequest {
    let manager = |(display_name, email): &(&str, &str)| pb::HiringManager {
        id: String::new(),
        display_name: (*display_name).to_owned(),
        email: (*email).to_owned(),
    };
    pb::CreateClientRequest {
        request_id: request_id(),
        company_name: company_name.to_owned(),
        plan: pb::Plan::Basic.into(),
        hiring_managers: managers.iter().map(manager).collect(),
    }
}

/// An invitation to `recipient`, with fixed pay and all that may be left out left out.
pub fn invite(client_id: &str, recipient: &str) -> pb::SendInvitationRequest {
    pb::SendInvitationRequest {
        request_id: request_id(),
        client_id: client_id.to_owned(),
        hiring_manager_id: String::new(),
        talent_type: pb::TalentType::Freelancer.into(),
        recipient_email: recipient.to_owned(),
        recipient_name: String::new(),
        content: Some(SentContent::ContractTerms(fixed_terms())),
        personal_message: String::new(),
    }
}

/// An invitation of a freelancer to a talent cloud.
pub fn cloud_invitation(cloud: &pb::TalentCloud, recipient: &str) -> pb::SendInvitationRequest {
    pb::SendInvitationRequest {
        content: Some(SentContent::TalentCloudId(cloud.id.clone())),
        personal_message: "Stay with us.".to_owned(),
        ..invite(&cloud.client_id, recipient)
    }
}

pub fn fixed_terms() -> common::ContractTerms {
    let milestone = |title: &str, minor_units| common::MilestoneTerms {
        title: title.to_owned(),
        amount: Some(usd(minor_units)),
    };
    common::ContractTerms {
        project_name: "Notes on the engine".to_owned(),
        scope_of_work: "Translate the memoir.\nAdd notes.".to_owned(),
        schedule: Some(common::Schedule {
            start_time: Some(to_wire_time(at("2026-04-01"))),
            expected_weekly_hours: 0,
        }),
        payment_terms: String::new(),
        pay: Some(common::contract_terms::Pay::Fixed(common::FixedPay {
            milestones: vec![milestone("Translation", 100_000), milestone("Notes A to G", 25_050)],
        })),
    }
}

pub fn usd(minor_units: i64) -> common::Money {
    common::Money {
        currency_code: "USD".to_owned(),
        minor_units,
    }
}
