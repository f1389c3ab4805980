//! The service as its callers see it, and what a test says to it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use prost::{Message, Name};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};
use vouch_messaging::{Bus, Envelope, MemoryBus};
use vouch_payments::{
    Config, DEFAULTS, Migrator, NAME, Service,
    app::{
        App,
        gateway::{PaymentGateway, sandbox::Sandbox},
    },
};
use vouch_primitives::{
    AccountId, ClientId, Clock, ContractId, EventId, InvitationId, OfferId, PersonId, RequestId, TestClock, Timestamp,
    Uuid,
};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    onboarding::v1::{OfferAccepted, offer_accepted},
    payments::v1::{
        self as pb, audit_service_client::AuditServiceClient, billing_service_client::BillingServiceClient,
        bonus_service_client::BonusServiceClient, charge_service_client::ChargeServiceClient,
        contract_service_client::ContractServiceClient, dispute_service_client::DisputeServiceClient,
        earning_service_client::EarningServiceClient, invoice_service_client::InvoiceServiceClient,
        ledger_service_client::LedgerServiceClient, payout_service_client::PayoutServiceClient,
        report_service_client::ReportServiceClient, tax_service_client::TaxServiceClient,
        time_service_client::TimeServiceClient,
    },
    referral::v1::{RewardKind, RewardReleased},
};
use vouch_runtime::{
    Chassis, ChassisError, Commands, ServiceClock,
    access::{Caller, Gate, Signed, Signer},
    config::{AccessConfig, Common, Layers},
};
use vouch_storage::{DatabaseConfig, Db};
use vouch_testkit::{TestDatabase, eventually};

pub use vouch_testkit::answers::{refusal, violations};

/// The keys of all tests here, made by the first of them.
const KEYS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/keys");

/// How long anything may take that happens by itself.
pub const SOON: Duration = Duration::from_secs(30);

/// A running service.
pub struct World {
    pub contracts: ContractServiceClient<Signed>,
    pub billing: BillingServiceClient<Signed>,
    pub bonuses: BonusServiceClient<Signed>,
    pub charges: ChargeServiceClient<Signed>,
    pub disputes: DisputeServiceClient<Signed>,
    pub earnings: EarningServiceClient<Signed>,
    pub ledger: LedgerServiceClient<Signed>,
    pub payouts: PayoutServiceClient<Signed>,
    pub reports: ReportServiceClient<Signed>,
    pub audits: AuditServiceClient<Signed>,
    pub taxes: TaxServiceClient<Signed>,
    pub times: TimeServiceClient<Signed>,
    pub invoices: InvoiceServiceClient<Signed>,
    pub db: Db,
    pub clock: Arc<TestClock>,
    pub webhooks: SocketAddr,
    bus: Arc<MemoryBus>,
    access: AccessConfig,
    unsigned: Channel,
    stop: CancellationToken,
    service: JoinHandle<Result<(), ChassisError>>,
    _database: TestDatabase,
}

/// All that a service needs, and that outlives it.
#[derive(Clone)]
pub struct Place {
    access: DatabaseConfig,
    pub db: Db,
    pub clock: Arc<TestClock>,
    bus: Arc<MemoryBus>,
    gateway: Arc<dyn PaymentGateway>,
    default_instrument: &'static str,
}

impl Place {
    pub async fn new(database: &TestDatabase, bus: MemoryBus, gateway: Arc<dyn PaymentGateway>) -> Self {
        let access = DatabaseConfig {
            url: database.url().to_owned(),
            max_connections: 8,
        };
        let db = Db::connect(&access).await.expect("a database");
        vouch_storage::migrate::<Migrator>(&db).await.expect("tables");
        Self {
            access,
            db,
            clock: Arc::new(TestClock::new(start())),
            bus: Arc::new(bus),
            gateway,
            default_instrument: "sandbox-accepts",
        }
    }

    /// A service that shares no connection with any other.
    pub async fn another_service(&self) -> Service {
        let db = Db::connect(&self.access).await.expect("a database");
        self.service(db).await.0
    }

    /// A service on this database, and its configuration.
    pub async fn service(&self, db: Db) -> (Service, Common) {
        let loaded = Layers::new(NAME, DEFAULTS).load(Config::validate);
        let mut config = loaded.expect("good defaults").config;
        config.common.server.listen.set_port(0);
        config.common.access.keys = KEYS.to_owned();
        config.gateway.default_instrument = self.default_instrument.to_owned();
        // The tracker is no service of this house, and has a key all the same.
        Gate::open(&config.common.access, "tracker").expect("keys");
        let test_clock = ServiceClock::test(self.clock.clone());
        let chassis = Chassis::with(NAME, &config.common, db, self.bus.clone(), test_clock);
        config.gateway.webhook_listen = "127.0.0.1:0".to_owned();
        let service = Service::build_with(chassis.await.expect("a free port"), &config, self.gateway.clone());
        (service.expect("another free port"), config.common)
    }
}

/// When the clock begins.
pub fn start() -> Timestamp {
    at("2026-03-02T09:00:00Z")
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

/// The use cases on a database, at a moment of their own.
pub fn app_at(db: &Db, moment: Timestamp) -> App {
    let clock = Arc::new(TestClock::new(moment));
    App::new(Commands::new(db.clone(), clock), Arc::new(Sandbox), "sandbox-accepts")
}

pub fn request_id() -> String {
    RequestId::new().to_string()
}

impl World {
    pub async fn new(database: TestDatabase) -> Self {
        Self::on(database, MemoryBus::faultless()).await
    }

    /// A service on this bus.
    pub async fn on(database: TestDatabase, bus: MemoryBus) -> Self {
        Self::with(database, bus, Arc::new(Sandbox)).await
    }

    /// A service on this bus, with this payment provider.
    pub async fn with(database: TestDatabase, bus: MemoryBus, gateway: Arc<dyn PaymentGateway>) -> Self {
        let place = Place::new(&database, bus, gateway).await;
        Self::at(place, database).await
    }

    /// A service that charges nothing of clients that have no billing method.
    pub async fn without_default_instrument(database: TestDatabase) -> Self {
        let mut place = Place::new(&database, MemoryBus::faultless(), Arc::new(Sandbox)).await;
        place.default_instrument = "";
        Self::at(place, database).await
    }

    /// A service where everything else is there already.
    pub async fn at(place: Place, database: TestDatabase) -> Self {
        let (service, access) = place.service(place.db.clone()).await;
        let address = format!("http://{}", service.address());
        let webhooks = service.webhook_address().expect("a door for them");
        let stop = CancellationToken::new();
        let service = tokio::spawn(service.run(stop.clone()));
        let unsigned = Channel::from_shared(address).expect("an address").connect_lazy();
        let channel = unsigned.clone();
        let channel = Signer::new(&access.access, Caller::Operator("test".to_owned())).on(channel);
        Self {
            contracts: ContractServiceClient::new(channel.clone()),
            billing: BillingServiceClient::new(channel.clone()),
            bonuses: BonusServiceClient::new(channel.clone()),
            charges: ChargeServiceClient::new(channel.clone()),
            disputes: DisputeServiceClient::new(channel.clone()),
            earnings: EarningServiceClient::new(channel.clone()),
            ledger: LedgerServiceClient::new(channel.clone()),
            payouts: PayoutServiceClient::new(channel.clone()),
            reports: ReportServiceClient::new(channel.clone()),
            audits: AuditServiceClient::new(channel.clone()),
            taxes: TaxServiceClient::new(channel.clone()),
            times: TimeServiceClient::new(channel.clone()),
            invoices: InvoiceServiceClient::new(channel),
            db: place.db,
            clock: place.clock,
            webhooks,
            bus: place.bus,
            access: access.access,
            unsigned,
            stop,
            service,
            _database: database,
        }
    }

    /// The way to the service for somebody else than an operator.
    pub fn channel(&self, caller: Caller) -> Signed {
        Signer::new(&self.access, caller).on(self.unsigned.clone())
    }

    /// Checks the books and stops the service, which must end in good order.
    pub async fn stop(self) {
        for total in self.trial_balance().await {
            assert_eq!(
                total.imbalance.map(|money| money.minor_units),
                Some(0),
                "the books balance"
            );
            assert_eq!(total.wrong_balances, 0, "every balance is the sum of its transfers");
        }
        self.stop.cancel();
        self.service.await.expect("no panic").expect("a good end");
    }

    /// Tells this service what another one would; until it is taken, if the bus fails.
    pub async fn hear<M: Message + Name>(&self, id: EventId, event: &M) {
        let envelope = Envelope {
            id,
            event_type: M::full_name(),
            source: "/vouch/test".to_owned(),
            time: self.clock.now(),
            aggregate_id: Uuid::nil(),
            payload: event.encode_to_vec().into(),
            traceparent: None,
        };
        while self
            .bus
            .publish(std::slice::from_ref(&envelope))
            .await
            .iter()
            .any(Result::is_err)
        {}
    }

    /// A contract of one milestone, begun by an accepted offer.
    pub async fn contract(&self, account: AccountId, amount: common::Money) -> pb::Contract {
        let offer = fixed_offer(account, &[("Translation", amount)]);
        self.hear(EventId::new(), &offer).await;
        self.contract_of(&offer.contract_id).await
    }

    /// The contract, once it has begun.
    pub async fn contract_of(&self, id: &str) -> pb::Contract {
        eventually("the contract", SOON, async || {
            let request = pb::GetContractRequest {
                contract_id: id.to_owned(),
            };
            let answer = self.contracts.clone().get_contract(request).await;
            let answer = answer.map_err(|status| status.to_string())?.into_inner();
            answer.contract.ok_or_else(|| "no contract".to_owned())
        })
        .await
    }

    /// A new milestone of the contract.
    pub async fn milestone(&self, contract: &str, amount: common::Money) -> Result<pb::Milestone, Status> {
        let request = pb::CreateMilestoneRequest {
            request_id: request_id(),
            contract_id: contract.to_owned(),
            title: "More".to_owned(),
            amount: Some(amount),
        };
        let answer = self.contracts.clone().create_milestone(request).await?;
        Ok(answer.into_inner().milestone.expect("a milestone"))
    }

    /// The service dies like a process that is killed; its database stays, and so does the rest.
    pub async fn killed(self) -> TestDatabase {
        self.service.abort();
        let ended = self.service.await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "killed");
        self._database
    }

    pub async fn submit(&self, milestone: &str) -> Result<pb::Milestone, Status> {
        let request = pb::SubmitMilestoneRequest {
            request_id: request_id(),
            milestone_id: milestone.to_owned(),
            message: "Done".to_owned(),
        };
        let answer = self.contracts.clone().submit_milestone(request).await?;
        Ok(answer.into_inner().milestone.expect("a milestone"))
    }

    pub async fn approve(&self, milestone: &str) -> Result<pb::Milestone, Status> {
        let request = pb::ApproveMilestoneRequest {
            request_id: request_id(),
            milestone_id: milestone.to_owned(),
        };
        let answer = self.contracts.clone().approve_milestone(request).await?;
        Ok(answer.into_inner().milestone.expect("a milestone"))
    }

    /// Funds, submits and approves, and returns the earning.
    pub async fn earn(&self, milestone: &str) -> pb::Earning {
        self.fund(milestone).await.expect("funded");
        self.submit(milestone).await.expect("submitted");
        let approved = self.approve(milestone).await.expect("approved");
        self.earning(&approved.earning_id).await
    }

    /// An approved earning of a contract of its own.
    pub async fn earning_of(&self, account: AccountId, amount: common::Money) -> pb::Earning {
        let contract = self.contract(account, amount).await;
        self.earn(&milestones(&contract)[0].id).await
    }

    pub async fn earning(&self, id: &str) -> pb::Earning {
        let request = pb::GetEarningRequest {
            earning_id: id.to_owned(),
        };
        let answer = self.earnings.clone().get_earning(request).await.expect("an earning");
        answer.into_inner().earning.expect("an earning")
    }

    pub async fn refund(&self, earning: &str, amount: common::Money) -> Result<pb::Earning, Status> {
        let request = pb::RefundEarningRequest {
            request_id: request_id(),
            earning_id: earning.to_owned(),
            amount: Some(amount),
        };
        let answer = self.earnings.clone().refund_earning(request).await?;
        Ok(answer.into_inner().earning.expect("an earning"))
    }

    /// Pending, available and receivable in one currency, in minor units.
    pub async fn balances(&self, account: AccountId, currency: &str) -> [i64; 3] {
        let minor = |money: Option<common::Money>| money.filter(|m| m.currency_code == currency).map(|m| m.minor_units);
        let found = self.all_balances(account).await.into_iter().find_map(|balance| {
            Some([
                minor(balance.pending)?,
                minor(balance.available)?,
                minor(balance.receivable)?,
            ])
        });
        found.unwrap_or_default()
    }

    /// What is held in one currency, in minor units.
    pub async fn held(&self, account: AccountId, currency: &str) -> i64 {
        let held = self.all_balances(account).await.into_iter();
        let mut held = held.filter_map(|balance| balance.held);
        held.find(|held| held.currency_code == currency)
            .map_or(0, |held| held.minor_units)
    }

    pub async fn all_balances(&self, account: AccountId) -> Vec<pb::Balance> {
        let request = pb::GetBalancesRequest {
            account_id: account.to_string(),
            as_of_time: None,
        };
        let answer = self.ledger.clone().get_balances(request).await;
        answer.expect("balances").into_inner().balances
    }

    /// Waits until pending, available and receivable are these.
    pub async fn until_balances(&self, account: AccountId, currency: &str, expected: [i64; 3]) {
        eventually("the balances", SOON, async || {
            let now = self.balances(account, currency).await;
            (now == expected)
                .then_some(())
                .ok_or_else(|| format!("{now:?}, not {expected:?}"))
        })
        .await;
    }

    pub async fn trial_balance(&self) -> Vec<pb::CurrencyTotal> {
        let answer = self
            .ledger
            .clone()
            .get_trial_balance(pb::GetTrialBalanceRequest {})
            .await;
        answer.expect("a trial balance").into_inner().totals
    }

    /// The whole statement, read in pages of this size.
    pub async fn statement(&self, account: AccountId, currency: &str, page_size: u32) -> Vec<pb::StatementLine> {
        let mut lines = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListStatementLinesRequest {
                account_id: account.to_string(),
                currency_code: currency.to_owned(),
                page_size,
                page_token,
            };
            let page = self
                .ledger
                .clone()
                .list_statement_lines(request)
                .await
                .expect("lines")
                .into_inner();
            assert!(page_size == 0 || page.lines.len() <= usize::try_from(page_size).expect("small"));
            lines.extend(page.lines);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return lines;
            }
        }
    }

    pub async fn reward_postings(&self, account: AccountId) -> Vec<pb::RewardPosting> {
        let (mut postings, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListRewardPostingsRequest {
                account_id: account.to_string(),
                page_size: 2,
                page_token,
            };
            let answer = self.ledger.clone().list_reward_postings(request).await;
            let page = answer.expect("reward postings").into_inner();
            assert!(page.postings.len() <= 2);
            postings.extend(page.postings);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                let mut sums = std::collections::BTreeMap::new();
                let rewards = postings.iter().filter(|posting| posting.kind != "REFEREE_BENEFIT");
                for posted in rewards.filter_map(|posting| posting.posted.clone()) {
                    *sums.entry(posted.currency_code).or_insert(0) += posted.minor_units;
                }
                let sums: Vec<_> = sums.iter().map(|(code, minor)| money(code, *minor)).collect();
                assert_eq!(page.totals, sums, "the totals are whole on every page");
                return postings;
            }
        }
    }
}

pub fn milestones(contract: &pb::Contract) -> &[pb::Milestone] {
    match &contract.pay {
        Some(pb::contract::Pay::Fixed(fixed)) => &fixed.milestones,
        other => panic!("not a fixed price: {other:?}"),
    }
}

/// An accepted offer of these milestones.
pub fn fixed_offer(account: AccountId, milestones: &[(&str, common::Money)]) -> OfferAccepted {
    let milestones = milestones.iter().map(|(title, amount)| common::MilestoneTerms {
        title: (*title).to_owned(),
        amount: Some(amount.clone()),
    });
    let pay = offer_accepted::Pay::Fixed(common::FixedPay {
        milestones: milestones.collect(),
    });
    offer(account, pay)
}

pub fn offer(account: AccountId, pay: offer_accepted::Pay) -> OfferAccepted {
    OfferAccepted {
        offer_id: OfferId::new().to_string(),
        contract_id: ContractId::new().to_string(),
        invitation_id: InvitationId::new().to_string(),
        client_id: ClientId::new().to_string(),
        person_id: PersonId::new().to_string(),
        account_id: account.to_string(),
        start_time: Some(to_wire_time(at("2026-03-09T00:00:00Z"))),
        accept_time: Some(to_wire_time(start())),
        pay: Some(pay),
    }
}

/// What a tie has come to.
pub fn released(tie: Uuid, account: AccountId, cumulative: common::Money, number: (i64, i64)) -> RewardReleased {
    RewardReleased {
        tie_id: tie.to_string(),
        kind: RewardKind::LifetimeShare.into(),
        account_id: account.to_string(),
        cumulative: Some(cumulative),
        epoch: number.0,
        sequence: number.1,
        release_time: Some(to_wire_time(start())),
        funding_client_id: String::new(),
    }
}

pub fn money(currency_code: &str, minor_units: i64) -> common::Money {
    common::Money {
        currency_code: currency_code.to_owned(),
        minor_units,
    }
}

pub fn usd(minor_units: i64) -> common::Money {
    money("USD", minor_units)
}
