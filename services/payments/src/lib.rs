//! The service `payments`: where all money is booked.
//!
//! An accepted offer begins a contract, bound to its fee terms for life. Clients pay through a payment provider, which charges
//! what they have chosen for it; who cannot be charged is tried again, and nothing is anybody's before it is paid. A client
//! funds a milestone into escrow, the
//! talent submits the work, and the client, or two weeks of silence, approves it: it is an earning, pending for five
//! days and then available, less the service fee. Time that is worked by the hour is invoiced week by week, each Monday at
//! noon, charged at once, and available ten days after the week. Refunds are the exact inverse; so are disputes that are
//! decided for the client, and chargebacks, which may be won back. What is available is paid out, when asked for or by schedule. What the referral programme releases is
//! posted to the referrer's balance, once. Every movement is a transfer from one ledger account to another.
//!
//! | module | holds |
//! |---|---|
//! | [`grpc`] | commands in: the gRPC services, and the boundary between wire and domain |
//! | [`events`] | facts in: which event of another service is taken by which function |
//! | [`timers`] | time in: which due moment is taken by which function |
//! | [`app`] | the use cases; transactions open here |
//! | [`domain`] | the rules, pure; all of the ledger's arithmetic |
//! | [`store`] | entities and queries |
//! | [`migration`] | the tables |
//! | [`error`] | what can go wrong, for callers and for the consumer of events |
//! | [`config`] | the settings; every one stands in `config.default.toml` |
//!
//! Events out: `ContractStarted`, `ContractChanged`, `ContractEnded`, `InvoiceIssued`, `InvoicePaid`, `InvoiceUnpaid`, `EarningSettled`,
//! `EarningReversed`, `EarningReinstated`, `ChargeFailed`, `PayoutMethodAdded`, `PayoutRequested`, `PayoutDispatched`, `PayoutPaid`, `PayoutFailed`.
//! Events in: onboarding's `AccountRegistered`, `OfferAccepted`, `PersonErased`, referral's `RewardReleased`.

pub mod app;
pub mod config;
pub mod domain;
pub mod error;
pub mod events;
pub mod grpc;
pub mod migration;
pub mod store;
pub mod timers;

use std::{net::SocketAddr, sync::Arc};

use tokio_util::sync::CancellationToken;
use vouch_proto::payments::v1::{
    audit_service_server::AuditServiceServer, billing_service_server::BillingServiceServer,
    bonus_service_server::BonusServiceServer, charge_service_server::ChargeServiceServer,
    contract_service_server::ContractServiceServer, dispute_service_server::DisputeServiceServer,
    earning_service_server::EarningServiceServer, invoice_service_server::InvoiceServiceServer,
    ledger_service_server::LedgerServiceServer, payout_service_server::PayoutServiceServer,
    report_service_server::ReportServiceServer, tax_service_server::TaxServiceServer,
    time_service_server::TimeServiceServer,
};
use vouch_runtime::{Chassis, ChassisError, chassis};
use vouch_storage::timers::Worker;

pub use config::{Config, DEFAULTS};
pub use migration::Migrator;

use crate::app::{
    App,
    audit::Audit,
    gateway::{self, PaymentGateway},
};

/// The name of the service: of its stream, its durable consumers and its variables.
pub const NAME: &str = "payments";

/// The service, ready to run.
#[derive(Debug)]
pub struct Service {
    chassis: Chassis,
}

impl Service {
    /// Connects to everything that `config` names, and listens.
    ///
    /// # Errors
    /// When the database, the bus configuration or the address cannot be used.
    pub async fn build(config: &Config) -> Result<Self, ChassisError> {
        let chassis = Chassis::connect::<Migrator>(NAME, &config.common).await?;
        Self::build_on(chassis, config).await
    }

    /// The service on a chassis that is there already: with a database, a bus and a clock of the caller's choice. It has
    /// the same form in all four services, though not each of them has to wait or can fail.
    ///
    /// # Errors
    /// When the payment provider's settings are none, or the address for its webhooks cannot be used.
    #[expect(clippy::unused_async, reason = "other services wait here")]
    pub async fn build_on(chassis: Chassis, config: &Config) -> Result<Self, ChassisError> {
        let gateway = gateway::open(&config.gateway).map_err(|source| ChassisError::Part {
            part: "the payment provider",
            source,
        })?;
        Self::build_with(chassis, config, gateway)
    }

    /// As above, with a payment provider of the caller's choice.
    ///
    /// # Errors
    /// When the address for its webhooks cannot be used.
    pub fn build_with(
        mut chassis: Chassis,
        config: &Config,
        gateway: Arc<dyn PaymentGateway>,
    ) -> Result<Self, ChassisError> {
        let app = App::new(chassis.commands(), gateway, config.gateway.fallback());
        if let Ok(address) = config.gateway.webhook_listen.parse() {
            chassis = chassis.http("webhooks", address, grpc::webhooks(app.clone()))?;
        }
        let (on_time, as_task, in_batches) = (app.clone(), app.clone(), app.clone());
        let audit = Audit::new(app.clone());
        let worker = Worker::new(
            chassis.db().clone(),
            chassis.clock(),
            Arc::new(move |txn, due| Box::pin(timers::fire(on_time.clone(), txn, due))),
        )
        .with_tasks(
            timers::TASKS,
            Arc::new(move |timer, now| Box::pin(timers::run(as_task.clone(), timer, now))),
        )
        .with_batches(
            timers::BATCHES,
            Arc::new(move |due| Box::pin(timers::run_batch(in_batches.clone(), due))),
        );
        let seal = chassis.seal();
        let chassis = chassis
            .grpc(ContractServiceServer::new(grpc::Contracts(app.clone())))
            .grpc(AuditServiceServer::new(grpc::Audits(app.clone())))
            .grpc(BillingServiceServer::new(grpc::Billing(app.clone())))
            .grpc(BonusServiceServer::new(grpc::Bonuses(app.clone())))
            .grpc(ChargeServiceServer::new(grpc::Charges(app.clone())))
            .grpc(DisputeServiceServer::new(grpc::Disputes(app.clone())))
            .grpc(EarningServiceServer::new(grpc::Earnings(app.clone())))
            .grpc(LedgerServiceServer::new(grpc::Ledger(app.clone())))
            .grpc(PayoutServiceServer::new(grpc::Payouts(app.clone())))
            .grpc(ReportServiceServer::new(grpc::Reports::new(app.clone())))
            .grpc(TaxServiceServer::new(grpc::Taxes(app.clone(), seal)))
            .grpc(TimeServiceServer::new(grpc::Times(app.clone())))
            .grpc(InvoiceServiceServer::new(grpc::Invoices(app.clone())))
            .facts(events::router(), Arc::new(app))
            .timers(worker)
            .looks_at(move || {
                let audit = audit.clone();
                async move { Ok(audit.check().await?) }
            });
        Ok(Self { chassis })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.chassis.address()
    }

    /// Where the payment provider's webhooks are taken; `None` if they are not.
    #[must_use]
    pub fn webhook_address(&self) -> Option<SocketAddr> {
        self.chassis.http_address()
    }

    /// Runs until `shutdown`, then drains and stops.
    ///
    /// # Errors
    /// When a part cannot start, or ends by itself.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ChassisError> {
        self.chassis.run(shutdown).await
    }

    /// Makes the tables, the event stream and its consumers.
    ///
    /// # Errors
    /// When the database or the bus cannot be used.
    pub async fn migrate(config: &Config) -> Result<(), ChassisError> {
        let subscriptions = events::router().subscriptions();
        chassis::migrate::<Migrator>(NAME, &config.common, &subscriptions).await
    }
}
