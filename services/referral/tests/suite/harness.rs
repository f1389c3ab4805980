//! The service with its surroundings played: who registers, earns, and asks.

mod playing;

pub use playing::Job;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use prost::{Message, Name};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt;
use vouch_messaging::{Bus, Envelope, MemoryBus, Subscription};
use vouch_primitives::{
    AccountId, Currency, EarningId, EventId, Money, PersonId, RequestId, ReversalId, TestClock, Timestamp, Uuid,
};
use vouch_proto::{
    common::v1 as common,
    convert::{from_wire_time, to_wire_time},
    onboarding::v1::{AccountRegistered, AgencyRegistered},
    operations::v1::{GetTestClockRequest, SetTestClockRequest, operations_service_client::OperationsServiceClient},
    payments::v1::{EarningReinstated, EarningReversed, EarningSettled},
    referral::v1::{
        self as pb, attribution_service_client::AttributionServiceClient, link_service_client::LinkServiceClient,
        referral_invitation_service_client::ReferralInvitationServiceClient,
        referral_service_client::ReferralServiceClient, signal_service_client::SignalServiceClient,
    },
};
use vouch_referral::{Config, DEFAULTS, Service, migration::Migrator};
use vouch_runtime::{
    Chassis, ServiceClock,
    access::{Caller, Signed, Signer},
    config::Layers,
};
use vouch_storage::Db;
use vouch_testkit::{SmtpSink, TestDatabase, eventually, tables};

use crate::played::{self, Posted};

/// The keys of all tests here, made by the first of them.
const KEYS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/keys");

/// Where letters go that no test reads.
const MAILS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/mails");

/// A running referral service and what plays its surroundings.
pub struct House {
    channel: Signed,
    db: Db,
    bus: Arc<MemoryBus>,
    releases: Subscription,
    stop: CancellationToken,
    service: JoinHandle<()>,
    posted: Posted,
}

/// Somebody with an account.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub account: String,
}

/// Somebody who vouches.
pub struct Rosa {
    pub id: String,
    pub person: String,
    pub account: String,
    pub code: String,
}

/// An earning that payments may tell of.
pub struct Earning {
    id: String,
    person: Person,
    amount: i64,
    occurred_at: Timestamp,
    job: Job,
}

impl Person {
    pub fn new() -> Self {
        Self {
            id: PersonId::new().to_string(),
            account: AccountId::new().to_string(),
        }
    }
}

impl House {
    pub async fn start(database: &TestDatabase, now: &str) -> Self {
        Self::start_with(database, now, &[]).await
    }

    /// A house whose letters go to a mail server.
    pub async fn mailing_to(database: &TestDatabase, now: &str, sink: &SmtpSink) -> Self {
        let settings = [
            ("MAIL__TRANSPORT", "smtp".to_owned()),
            ("MAIL__HOST", "localhost".to_owned()),
            ("MAIL__PORT", sink.port().to_string()),
            ("MAIL__TLS", "none".to_owned()),
        ];
        Self::start_with(database, now, &settings).await
    }

    pub async fn start_with(database: &TestDatabase, now: &str, settings: &[(&str, String)]) -> Self {
        let bus = Arc::new(MemoryBus::faultless());
        let posted = Posted::default();
        let env = [
            ("VOUCH_REFERRAL__SERVER__LISTEN", "127.0.0.1:0".to_owned()),
            ("VOUCH_REFERRAL__DATABASE__URL", database.url().to_owned()),
            ("VOUCH_REFERRAL__PEERS__PAYMENTS", played::payments(&posted).await),
            ("VOUCH_REFERRAL__CLOCK__TEST", "true".to_owned()),
            ("VOUCH_REFERRAL__LINKS__PUBLIC_URL", "https://vouch.example/".to_owned()),
            ("VOUCH_REFERRAL__MAIL__DIRECTORY", MAILS.to_owned()),
            ("VOUCH_REFERRAL__ACCESS__KEYS", KEYS.to_owned()),
        ];
        let settings = settings
            .iter()
            .map(|(key, value)| (format!("VOUCH_REFERRAL__{key}"), value.clone()));
        let env = env
            .map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .chain(settings);
        let config = Layers::new("referral", DEFAULTS)
            .env(env)
            .load(Config::validate)
            .expect("good")
            .config;
        let db = Db::connect(&config.common.database).await.expect("a database");
        vouch_storage::migrate::<Migrator>(&db).await.expect("migrated");
        let clock = ServiceClock::test(Arc::new(TestClock::new(at(now))));
        let dyn_bus: Arc<dyn Bus> = bus.clone();
        let chassis = Chassis::with("referral", &config.common, db.clone(), dyn_bus, clock)
            .await
            .expect("a chassis");
        let service = Service::build_on(chassis, &config).await.expect("a service");
        let address = format!("http://{}", service.address());
        let stop = CancellationToken::new();
        let token = stop.clone();
        let running = tokio::spawn(async move { service.run(token).await.expect("a good end") });
        let channel = Channel::from_shared(address).expect("an address").connect_lazy();
        let channel = Signer::new(&config.common.access, Caller::Operator("test".to_owned())).on(channel);
        let releases = Subscription {
            producer: "vouch.referral".to_owned(),
            stream: "VOUCH_REFERRAL".to_owned(),
            durable: "payments".to_owned(),
            subjects: vec![pb::RewardReleased::full_name()],
        };
        Self {
            channel,
            db,
            bus,
            releases,
            stop,
            service: running,
            posted,
        }
    }

    pub fn channel(&self) -> Signed {
        self.channel.clone()
    }

    /// The service ends.
    pub async fn end(mut self) {
        self.stop.cancel();
        (&mut self.service).await.expect("a good end");
    }

    pub fn client(&self) -> ReferralServiceClient<Signed> {
        ReferralServiceClient::new(self.channel.clone())
    }

    pub fn attributing(&self) -> AttributionServiceClient<Signed> {
        AttributionServiceClient::new(self.channel.clone())
    }

    pub fn signals(&self) -> SignalServiceClient<Signed> {
        SignalServiceClient::new(self.channel.clone())
    }

    pub fn inviting(&self) -> ReferralInvitationServiceClient<Signed> {
        ReferralInvitationServiceClient::new(self.channel.clone())
    }

    pub fn links(&self) -> LinkServiceClient<Signed> {
        LinkServiceClient::new(self.channel.clone())
    }

    /// A new person who has enrolled.
    pub async fn referrer(&self) -> Rosa {
        self.enrolled(&Person::new()).await
    }

    /// This person registers and enrols.
    pub async fn enrolled(&self, person: &Person) -> Rosa {
        self.registered(person, "").await;
        self.quiet().await;
        let referrer = self.enrol(&person.account).await.expect("enrolled");
        Rosa {
            id: referrer.id,
            person: person.id.clone(),
            account: person.account.clone(),
            code: referrer.code,
        }
    }

    pub async fn enrol(&self, account: &str) -> Result<pb::Referrer, Status> {
        let request = pb::EnrolReferrerRequest {
            request_id: RequestId::new().to_string(),
            account_id: account.to_owned(),
            ..Default::default()
        };
        Ok(self
            .client()
            .enrol_referrer(request)
            .await?
            .into_inner()
            .referrer
            .expect("a referrer"))
    }

    /// This person makes an agency.
    pub async fn agency(&self, person: &Person) -> String {
        let account_id = AccountId::new().to_string();
        let event = AgencyRegistered {
            account_id: account_id.clone(),
            person_id: person.id.clone(),
            register_time: Some(to_wire_time(at(super::JOINED))),
        };
        self.publish(&[envelope(&event)]).await;
        self.quiet().await;
        account_id
    }

    pub fn registration(&self, person: &Person, code: &str) -> Envelope {
        self.registration_at(at(super::JOINED), person, code)
    }

    /// Registers now, by the service's clock.
    pub async fn registered(&self, person: &Person, code: &str) {
        let mut operations = OperationsServiceClient::new(self.channel.clone());
        let state = operations
            .get_test_clock(GetTestClockRequest {})
            .await
            .expect("the clock")
            .into_inner();
        let event = AccountRegistered {
            person_id: person.id.clone(),
            account_id: person.account.clone(),
            register_time: state.now,
            referral_code: code.to_owned(),
            ..AccountRegistered::default()
        };
        self.publish(&[envelope(&event)]).await;
    }

    pub fn earning(&self, person: &Person, amount: i64, occurred_at: &str) -> Earning {
        let id = EarningId::new().to_string();
        Earning {
            id,
            person: person.clone(),
            amount,
            occurred_at: at(occurred_at),
            job: Job::new(),
        }
    }

    pub fn settlement(&self, earning: &Earning) -> Envelope {
        envelope(&EarningSettled {
            earning_id: earning.id.clone(),
            contract_id: earning.job.contract.to_string(),
            client_id: earning.job.client.to_string(),
            person_id: earning.person.id.clone(),
            account_id: earning.person.account.clone(),
            amount: usd(earning.amount),
            occur_time: Some(to_wire_time(earning.occurred_at)),
            settle_time: Some(to_wire_time(earning.occurred_at.add_days(5))),
        })
    }

    pub fn reversal(&self, earning: &Earning, amount: i64) -> Envelope {
        envelope(&EarningReversed {
            reversal_id: ReversalId::new().to_string(),
            earning_id: earning.id.clone(),
            contract_id: earning.job.contract.to_string(),
            client_id: earning.job.client.to_string(),
            person_id: earning.person.id.clone(),
            account_id: earning.person.account.clone(),
            amount: usd(amount),
            occur_time: Some(to_wire_time(earning.occurred_at)),
            reverse_time: Some(to_wire_time(earning.occurred_at.add_days(9))),
        })
    }

    pub fn reinstatement(&self, earning: &Earning, amount: i64) -> Envelope {
        envelope(&EarningReinstated {
            reinstatement_id: ReversalId::new().to_string(),
            reversal_id: ReversalId::new().to_string(),
            earning_id: earning.id.clone(),
            contract_id: earning.job.contract.to_string(),
            client_id: earning.job.client.to_string(),
            person_id: earning.person.id.clone(),
            account_id: earning.person.account.clone(),
            amount: usd(amount),
            occur_time: Some(to_wire_time(earning.occurred_at)),
            reinstate_time: Some(to_wire_time(earning.occurred_at.add_days(20))),
        })
    }

    pub async fn settled(&self, person: &Person, amount: i64, occurred_at: &str) {
        self.publish(&[self.settlement(&self.earning(person, amount, occurred_at))])
            .await;
    }

    pub async fn publish(&self, events: &[Envelope]) {
        for outcome in self.bus.publish(events).await {
            outcome.expect("published");
        }
    }

    /// Waits until all that was published is applied, and what follows from it is published: quiet twice in a row with
    /// the same count of commits, as an event may be applied between the reading of the outbox and that of the bus.
    pub async fn quiet(&self) {
        let mut operations = OperationsServiceClient::new(self.channel.clone());
        let mut before = None;
        eventually("quiet", Duration::from_secs(20), async || {
            let state = operations
                .get_test_clock(GetTestClockRequest {})
                .await
                .map_err(|e| e.to_string())?
                .into_inner();
            let backlog = state.backlog.unwrap_or_default();
            let rests = (backlog == Default::default()).then_some(state.commits);
            if rests.is_some() && rests == before {
                return Ok(());
            }
            before = rests;
            Err(format!("{backlog:?} after {} commits", state.commits))
        })
        .await;
    }

    pub async fn move_clock(&self, to: &str) {
        let mut operations = OperationsServiceClient::new(self.channel.clone());
        let request = SetTestClockRequest {
            time: Some(to_wire_time(at(to))),
        };
        operations.set_test_clock(request).await.expect("moved");
        self.quiet().await;
    }

    pub async fn next_due(&self) -> Option<Timestamp> {
        let mut operations = OperationsServiceClient::new(self.channel.clone());
        let state = operations
            .get_test_clock(GetTestClockRequest {})
            .await
            .expect("the clock")
            .into_inner();
        state.next_due_time.as_ref().and_then(from_wire_time)
    }

    pub async fn attributions(&self, rosa: &Rosa) -> Vec<pb::Attribution> {
        let request = pb::ListAttributionsRequest {
            referrer_id: rosa.id.clone(),
            page_size: 100,
            page_token: String::new(),
        };
        self.client()
            .list_attributions(request)
            .await
            .expect("a page")
            .into_inner()
            .attributions
    }

    /// Earnings, lifetime share and bonus of one referee, in cents.
    pub async fn total(&self, rosa: &Rosa, person: &Person) -> (i64, i64, i64) {
        let total = self.only_total(rosa, person).await;
        (
            minor(&total.earnings),
            minor(&total.lifetime_share),
            minor(&total.bonus),
        )
    }

    pub async fn window_earnings(&self, rosa: &Rosa, person: &Person) -> i64 {
        minor(&self.only_total(rosa, person).await.window_earnings)
    }

    async fn only_total(&self, rosa: &Rosa, person: &Person) -> pb::AttributionTotal {
        let all = self.attributions(rosa).await;
        let attribution = all
            .into_iter()
            .find(|a| a.referee_person_id == person.id)
            .expect("an attribution");
        let [total] = attribution.totals.as_slice() else {
            panic!("one currency, not {:?}", attribution.totals)
        };
        total.clone()
    }

    /// How many rows a table has.
    pub async fn count(&self, table: &str) -> i64 {
        tables::count(&self.db, table).await
    }

    /// All that is in the database, as text.
    pub async fn everything(&self) -> String {
        tables::everything(&self.db).await
    }

    /// What this service has told, of one kind.
    pub async fn told<M: Message + Name + Default>(&self) -> Vec<M> {
        tables::told(&self.db).await
    }

    /// The releases that payments would hear of, each once.
    pub async fn releases(&self) -> Vec<pb::RewardReleased> {
        let deliveries = self
            .bus
            .pull(&self.releases, 1_000, Duration::ZERO)
            .await
            .expect("pulled");
        let receipts: Vec<_> = deliveries.iter().map(|delivery| delivery.receipt.clone()).collect();
        self.bus.ack(&self.releases, &receipts).await.expect("settled");
        let events = deliveries
            .into_iter()
            .map(|delivery| delivery.event.expect("well formed"));
        events
            .map(|event| pb::RewardReleased::decode(event.payload).expect("decodes"))
            .collect()
    }

    pub fn reason(&self, status: &Status) -> String {
        status
            .get_details_error_info()
            .map(|info| info.reason)
            .unwrap_or_default()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

pub fn minor(money: &Option<common::Money>) -> i64 {
    money.as_ref().expect("an amount").minor_units
}

/// The fields that a status complains of, in order.
pub fn fields(status: &Status) -> Vec<String> {
    let violations = status
        .get_details_bad_request()
        .expect("a bad request")
        .field_violations;
    violations.into_iter().map(|violation| violation.field).collect()
}

pub fn under_a_new_id(event: &Envelope) -> Envelope {
    Envelope {
        id: EventId::new(),
        ..event.clone()
    }
}

pub fn usd(amount: i64) -> Option<common::Money> {
    Some(Money::new(amount, Currency::USD).into())
}

pub fn envelope<M: Message + Name>(event: &M) -> Envelope {
    Envelope {
        id: EventId::new(),
        event_type: M::full_name(),
        source: "/vouch/test".to_owned(),
        time: Timestamp::EPOCH,
        aggregate_id: Uuid::nil(),
        payload: Bytes::from(event.encode_to_vec()),
        traceparent: None,
    }
}
