//! The service as its callers see it, and what a test says to it.

pub mod talent;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use prost::{Message, Name};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::oneshot};
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};
use vouch_mail::MailConfig;
use vouch_messaging::{Bus, Envelope, MemoryBus};
use vouch_onboarding::{Config, DEFAULTS, Migrator, NAME, Service};
use vouch_primitives::{Clock, EventId, TestClock, Timestamp, Uuid};
use vouch_proto::onboarding::v1::{
    self as pb, account_service_client::AccountServiceClient, case_service_client::CaseServiceClient,
    document_service_client::DocumentServiceClient, get_home_response::NextStep,
    profile_service_client::ProfileServiceClient, tax_service_client::TaxServiceClient,
};
use vouch_runtime::{
    Chassis, ServiceClock,
    access::{Caller, Signed, Signer},
    config::Layers,
};
use vouch_storage::{DatabaseConfig, Db};
use vouch_testkit::{TestDatabase, eventually};

pub use vouch_testkit::answers::{refusal, violations};

use crate::{
    example::{activation, fixed_terms, request_id, start},
    invitations::Invitations,
    payments::Payments,
};

/// The keys of all tests here, made by the first of them.
pub const KEYS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/keys");

/// How long anything may take that happens by itself.
pub const SOON: Duration = Duration::from_secs(20);

/// A service with all that it needs. What a dead service leaves behind, the next one finds.
pub struct World {
    pub accounts: AccountServiceClient<Signed>,
    pub cases: CaseServiceClient<Signed>,
    pub documents: DocumentServiceClient<Signed>,
    pub profiles: ProfileServiceClient<Signed>,
    pub taxes: TaxServiceClient<Signed>,
    pub invitations: Invitations,
    pub payments: Payments,
    /// The same database, through connections of the test's own.
    pub db: Db,
    pub clock: Arc<TestClock>,
    pub bus: Arc<MemoryBus>,
    config: Config,
    mail: TempDir,
    running: Running,
    _database: TestDatabase,
}

/// A running service, on threads of its own so that it can die.
struct Running {
    address: SocketAddr,
    runtime: Option<Runtime>,
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
    port: Channel,
}

impl World {
    pub async fn new(database: TestDatabase) -> Self {
        Self::with(database, |_| ()).await
    }

    /// A world whose service is configured otherwise.
    pub async fn with(database: TestDatabase, configure: impl FnOnce(&mut Config)) -> Self {
        let clock = Arc::new(TestClock::new(start()));
        let invitations = Invitations::start(clock.clone()).await;
        let payments = Payments::start().await;
        let mail = tempfile::tempdir().expect("a directory");
        let mut config = Layers::new(NAME, DEFAULTS)
            .load(Config::validate)
            .expect("good defaults")
            .config;
        config.links.public_url = "https://vouch.example/".to_owned();
        config.common.server.listen.set_port(0);
        config.common.access.keys = KEYS.to_owned();
        config.common.database = DatabaseConfig {
            url: database.url().to_owned(),
            max_connections: 8,
        };
        config.common.mail = Some(MailConfig {
            directory: mail.path().display().to_string(),
            ..MailConfig::default()
        });
        config
            .common
            .peers
            .insert("invitation".to_owned(), format!("http://{}", invitations.address()));
        let at_payments = format!("http://{}", payments.address());
        config.common.peers.insert("payments".to_owned(), at_payments);
        config.documents.url = format!("file:{}", mail.path().join("documents").display());
        config.documents.spool = mail.path().join("uploads").display().to_string();
        configure(&mut config);
        let db = Db::connect(&config.common.database).await.expect("a database");
        vouch_storage::migrate::<Migrator>(&db).await.expect("tables");
        let bus = Arc::new(MemoryBus::faultless());
        let (running, channel) = run(&config, bus.clone(), clock.clone()).await;
        Self {
            accounts: AccountServiceClient::new(channel.clone()),
            cases: CaseServiceClient::new(channel.clone()),
            documents: DocumentServiceClient::new(channel.clone()),
            profiles: ProfileServiceClient::new(channel.clone()),
            taxes: TaxServiceClient::new(channel),
            invitations,
            payments,
            db,
            clock,
            bus,
            config,
            mail,
            running,
            _database: database,
        }
    }

    /// Stops the service, which must end in good order.
    pub async fn stop(mut self) {
        self.running.stop.cancel();
        (&mut self.running.ended).await.expect("a good end");
    }

    /// The service dies in the middle of whatever it does, and another one starts.
    pub async fn die_and_start_again(&mut self) {
        if let Some(runtime) = self.running.runtime.take() {
            runtime.shutdown_background();
        }
        let (running, channel) = run(&self.config, self.bus.clone(), self.clock.clone()).await;
        self.running = running;
        self.accounts = AccountServiceClient::new(channel.clone());
        self.cases = CaseServiceClient::new(channel.clone());
        self.profiles = ProfileServiceClient::new(channel.clone());
        self.taxes = TaxServiceClient::new(channel.clone());
        self.documents = DocumentServiceClient::new(channel);
    }

    /// What the service has on this machine's disk.
    pub fn directory(&self) -> &Path {
        self.mail.path()
    }

    pub async fn activate(&self, request: pb::ActivateAccountRequest) -> Result<pb::ActivateAccountResponse, Status> {
        Ok(self.accounts.clone().activate_account(request).await?.into_inner())
    }

    pub async fn register(&self, request: pb::RegisterAccountRequest) -> Result<pb::Person, Status> {
        let answer = self.accounts.clone().register_account(request).await?.into_inner();
        Ok(answer.person.expect("a person"))
    }

    pub async fn verify(&self, token: &str) -> Result<pb::Person, Status> {
        let request = pb::VerifyEmailRequest {
            request_id: request_id(),
            token: token.to_owned(),
        };
        let answer = self.accounts.clone().verify_email(request).await?.into_inner();
        Ok(answer.person.expect("a person"))
    }

    pub async fn person(&self, id: &str) -> Result<pb::Person, Status> {
        let request = pb::GetPersonRequest {
            person_id: id.to_owned(),
        };
        Ok(self
            .accounts
            .clone()
            .get_person(request)
            .await?
            .into_inner()
            .person
            .expect("a person"))
    }

    pub async fn home(&self, person_id: &str) -> Result<NextStep, Status> {
        let request = pb::GetHomeRequest {
            person_id: person_id.to_owned(),
            account_id: String::new(),
        };
        Ok(self
            .cases
            .clone()
            .get_home(request)
            .await?
            .into_inner()
            .next_step
            .expect("a step"))
    }

    pub async fn open_case(&self, person_id: &str, invitation_id: &str) -> Result<pb::Case, Status> {
        let (person_id, invitation_id) = (person_id.to_owned(), invitation_id.to_owned());
        let request = pb::OpenCaseRequest {
            request_id: request_id(),
            person_id,
            invitation_id,
            agency_name: String::new(),
        };
        Ok(self
            .cases
            .clone()
            .open_case(request)
            .await?
            .into_inner()
            .case
            .expect("a case"))
    }

    pub async fn case(&self, id: &str) -> pb::Case {
        let request = pb::GetCaseRequest { case_id: id.to_owned() };
        self.cases
            .clone()
            .get_case(request)
            .await
            .expect("a case")
            .into_inner()
            .case
            .expect("a case")
    }

    pub async fn review(&self, case_id: &str) -> Result<pb::Case, Status> {
        let request = pb::ReviewContractRequest {
            request_id: request_id(),
            case_id: case_id.to_owned(),
            offer_version: 0,
        };
        Ok(self
            .cases
            .clone()
            .review_contract(request)
            .await?
            .into_inner()
            .case
            .expect("a case"))
    }

    pub async fn accept(&self, request: pb::AcceptOfferRequest) -> Result<pb::Case, Status> {
        Ok(self
            .cases
            .clone()
            .accept_offer(request)
            .await?
            .into_inner()
            .case
            .expect("a case"))
    }

    pub async fn decline(&self, case_id: &str, reason: &str) -> Result<pb::Case, Status> {
        let request = pb::DeclineOfferRequest {
            request_id: request_id(),
            case_id: case_id.to_owned(),
            reason: reason.to_owned(),
        };
        let answer = self.cases.clone().decline_offer(request).await?;
        Ok(answer.into_inner().case.expect("a case"))
    }

    pub async fn notes(&self, room_id: &str) -> Result<Vec<pb::Note>, Status> {
        let request = pb::ListNotesRequest {
            room_id: room_id.to_owned(),
            ..Default::default()
        };
        Ok(self.cases.clone().list_notes(request).await?.into_inner().notes)
    }

    /// Ada, who has activated her account from an invitation of hers, and the case.
    pub async fn ada(&self) -> (pb::Person, pb::Case) {
        let invitation = self.invitations.send("ada@example.com", fixed_terms());
        let answer = self
            .activate(activation(&invitation, "ada@example.com"))
            .await
            .expect("an account");
        (answer.person.expect("a person"), answer.case.expect("a case"))
    }

    /// The token in the verification mail to `recipient`, once that is there.
    pub async fn token_for(&self, recipient: &str) -> String {
        self.tokens_for(recipient, 1).await.remove(0)
    }

    /// The tokens in all mails to `recipient`, once there are so many.
    pub async fn tokens_for(&self, recipient: &str, count: usize) -> Vec<String> {
        let token = |mail: &String| -> String {
            let (_, rest) = mail.split_once("https://vouch.example/verify#token=").expect("a link");
            rest.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
                .collect()
        };
        self.mails_to(recipient, count).await.iter().map(token).collect()
    }

    /// The text of the mail to `recipient`, once that is there.
    pub async fn mail_to(&self, recipient: &str) -> String {
        self.mails_to(recipient, 1).await.remove(0)
    }

    async fn mails_to(&self, recipient: &str, count: usize) -> Vec<String> {
        eventually("the e-mails", SOON, async || {
            let mut mails = read_all(self.mail.path());
            mails.retain(|mail| {
                let to = mail.lines().find(|line| line.starts_with("To: "));
                to.is_some_and(|to| to.contains(recipient))
            });
            (mails.len() >= count)
                .then_some(mails)
                .ok_or_else(|| format!("not {count} e-mails yet"))
        })
        .await
    }

    /// A way to the service for `caller`.
    pub fn signed(&self, caller: Caller) -> Signed {
        Signer::new(&self.config.common.access, caller).on(self.running.port.clone())
    }

    /// Moves the clock to `to`.
    pub fn wait_until(&self, to: Timestamp) {
        self.clock.set(to).expect("forwards");
    }

    /// Waits until nothing is set to happen but the timers of `kinds`.
    pub async fn until_only_timers(&self, kinds: &[&str]) {
        use sea_orm::{ConnectionTrait, Statement};
        eventually("the timers", SOON, async || {
            let query = Statement::from_string(self.db.backend(), "SELECT kind FROM timer ORDER BY kind");
            let rows = self
                .db
                .reader()
                .query_all_raw(query)
                .await
                .map_err(|error| error.to_string())?;
            let left: Vec<String> = rows
                .iter()
                .map(|row| row.try_get_by_index(0).expect("a kind"))
                .collect();
            if left == kinds {
                Ok(())
            } else {
                Err(format!("{left:?} are left"))
            }
        })
        .await;
    }

    /// Tells this service what another one would.
    pub async fn hear<M: Message + Name>(&self, source: &str, event: &M) {
        let envelope = Envelope {
            id: EventId::new(),
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

async fn run(config: &Config, bus: Arc<MemoryBus>, clock: Arc<TestClock>) -> (Running, Signed) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.expect("threads");
    let stop = CancellationToken::new();
    let (tell_address, address) = oneshot::channel();
    let (tell_end, ended) = oneshot::channel();
    let signer = Signer::new(&config.common.access, Caller::Operator("test".to_owned()));
    let (config, stopped) = (config.clone(), stop.clone());
    runtime.spawn(async move {
        let db = Db::connect(&config.common.database).await.expect("a database");
        let chassis = Chassis::with(NAME, &config.common, db, bus, ServiceClock::test(clock)).await;
        let service = Service::build_on(chassis.expect("a free port"), &config)
            .await
            .expect("a service");
        tell_address.send(service.address()).expect("somebody waits");
        service.run(stopped).await.expect("a good end");
        let _ = tell_end.send(());
    });
    let address = address.await.expect("a running service");
    let channel = Channel::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect_lazy();
    let running = Running {
        address,
        runtime: Some(runtime),
        stop,
        ended,
        port: channel.clone(),
    };
    (running, signer.on(channel))
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The messages, with soft line ends of their encoding taken out.
fn read_all(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    let mails = entries.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
    let text = |path| {
        std::fs::read_to_string(path)
            .expect("an e-mail")
            .replace("=\r\n", "")
            .replace("=3D", "=")
    };
    mails.map(text).collect()
}
