//! The service `onboarding`: people, and their way from an invitation to an accepted offer.
//!
//! A person activates an account from the token of an invitation, or registers directly, verifies the address, and
//! finds the offer waiting. They review the contract, do what the client requires, and accept the offer with a message,
//! which goes to the hiring manager's e-mail and, as the first note, to the project room. An offer lapses after thirty
//! days. An invitation to a talent cloud leads past an optional profile to being ready. `docs/onboarding.md` draws the ways.
//!
//! Freelancers and agencies may have a talent profile, by which others find them, once they have said so.
//!
//! | module | holds |
//! |---|---|
//! | [`grpc`] | commands in: the gRPC services, and the boundary between wire and domain |
//! | [`events`] | facts in: which event of another service is taken by which function |
//! | [`timers`] | time in: which due moment is taken by which function |
//! | [`app`] | the use cases; transactions open here |
//! | [`domain`] | the rules, pure |
//! | [`store`] | entities and queries |
//! | [`migration`] | the tables |
//! | [`error`] | what can go wrong, for callers and for the consumer of events |
//! | [`config`] | the settings; every one stands in `config.default.toml` |
//!
//! A person may change what they said of themselves, close the account, and have themselves erased.
//!
//! Events out: `AccountRegistered`, `AgencyRegistered`, `EmailVerified`, `EmailReleased`, `AccountClosed`, `AccountReopened`, `PersonErased`,
//! `OfferAccepted`, `OfferDeclined`, `OfferLapsed`, `TalentReady`. Events in: payments' `ContractStarted` and `ContractEnded`,
//! invitation's `InvitationAccepted`, of which only those count that went straight into an account, `TalentCloudMemberChanged`
//! and `TalentCloudArchived`, referral's `MatchSignalChanged`. Whether
//! somebody has an invitation, the invitation service decides; accepting one spans both, see [`app::acceptances`].
//!
//! The bytes of documents are kept in a directory or a bucket, see [`app::documents`].

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
use vouch_proto::onboarding::v1::{
    account_service_server::AccountServiceServer, case_service_server::CaseServiceServer,
    document_service_server::DocumentServiceServer, profile_service_server::ProfileServiceServer,
    task_service_server::TaskServiceServer, task_template_service_server::TaskTemplateServiceServer,
    tax_service_server::TaxServiceServer,
};
use vouch_runtime::{Chassis, ChassisError, chassis};
use vouch_storage::timers::Worker;

pub use config::{Config, DEFAULTS};
pub use migration::Migrator;

use crate::app::{App, Files, Invitations, Payments};

/// The name of the service: of its stream, its durable consumers and its variables.
pub const NAME: &str = "onboarding";

/// The service, ready to run.
#[derive(Debug)]
pub struct Service {
    chassis: Chassis,
}

impl Service {
    /// Connects to everything that `config` names, and listens. The invitation service may be away.
    ///
    /// # Errors
    /// When the database, the bus configuration or an address cannot be used.
    pub async fn build(config: &Config) -> Result<Self, ChassisError> {
        let chassis = Chassis::connect::<Migrator>(NAME, &config.common).await?;
        Self::build_on(chassis, config).await
    }

    /// The service on a chassis that is there already: with a database, a bus and a clock of the caller's choice.
    ///
    /// # Errors
    /// When the configuration has no usable address of the invitation or the payments service, or the store of files cannot be
    /// set up.
    pub async fn build_on(chassis: Chassis, config: &Config) -> Result<Self, ChassisError> {
        let invitations = Invitations::new(chassis.peer("invitation")?);
        let payments = Payments::new(chassis.peer("payments")?);
        let files = Files::open(&config.documents).map_err(|error| ChassisError::Part {
            part: "the store of files",
            source: error.into(),
        })?;
        let app = App::new(
            chassis.commands(),
            invitations,
            payments,
            files,
            &config.links.public_url,
        );
        let (in_transaction, as_task) = (app.clone(), app.clone());
        let worker = Worker::new(
            chassis.db().clone(),
            chassis.clock(),
            Arc::new(move |txn, due| Box::pin(timers::fire(in_transaction.clone(), txn, due))),
        )
        .with_tasks(
            timers::TASKS,
            Arc::new(move |timer, _now| Box::pin(timers::run(as_task.clone(), timer))),
        );
        let seal = chassis.seal();
        let chassis = chassis
            .grpc(AccountServiceServer::new(grpc::Accounts(app.clone())))
            .grpc(CaseServiceServer::new(grpc::Cases(app.clone())))
            .grpc(TaskServiceServer::new(grpc::Tasks(app.clone())))
            .grpc(TaskTemplateServiceServer::new(grpc::TaskTemplates(app.clone())))
            .grpc(TaxServiceServer::new(grpc::Taxes(app.clone(), seal)))
            .grpc(ProfileServiceServer::new(grpc::Profiles(app.clone())))
            .grpc(DocumentServiceServer::new(grpc::Documents::new(app.clone())))
            .facts(events::router(), Arc::new(app))
            .timers(worker)
            .mail();
        Ok(Self { chassis })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.chassis.address()
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
