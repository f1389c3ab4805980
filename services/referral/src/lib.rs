//! The referral service: people vouch for one another, and are paid for it as long as the others earn.
//!
//! | folder | holds |
//! |---|---|
//! | [`domain`] | the rules, pure: the programme, its terms, codes |
//! | [`app`] | the use cases, one file per resource; where transactions open |
//! | [`grpc`], [`events`], [`timers`] | what comes in: commands, facts, due moments |
//! | [`store`], [`migration`] | the tables and the queries over them |
//! | [`error`] | what can go wrong, for callers and for events |
//!
//! `domain/programme.rs` is the place to begin.

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
use vouch_proto::referral::v1::{
    attribution_service_server::AttributionServiceServer, books_service_server::BooksServiceServer,
    client_programme_service_server::ClientProgrammeServiceServer, dashboard_service_server::DashboardServiceServer,
    link_service_server::LinkServiceServer, programme_service_server::ProgrammeServiceServer,
    referral_invitation_service_server::ReferralInvitationServiceServer,
    referral_service_server::ReferralServiceServer, screening_service_server::ScreeningServiceServer,
    signal_service_server::SignalServiceServer, statement_service_server::StatementServiceServer,
};
use vouch_runtime::{Chassis, ChassisError, chassis};
use vouch_storage::{BoxError, timers::Worker};

pub use config::{Config, DEFAULTS};

use self::{
    app::{App, audit::Audit},
    migration::Migrator,
};

/// The name of the service: of its stream, its consumers and its settings.
pub const NAME: &str = "referral";

/// The service, built and not running yet.
#[derive(Debug)]
pub struct Service(Chassis);

impl Service {
    /// Connects to everything that the configuration names.
    ///
    /// # Errors
    /// If something cannot be reached, or the published terms are not those of this program.
    pub async fn build(config: &Config) -> Result<Self, BoxError> {
        let chassis = Chassis::connect::<Migrator>(NAME, &config.common).await?;
        Self::build_on(chassis, config).await
    }

    /// The service on parts that are there already.
    ///
    /// # Errors
    /// If payments has no address, or the published terms are not those of this program.
    pub async fn build_on(chassis: Chassis, config: &Config) -> Result<Self, BoxError> {
        let app = App::new(
            chassis.commands(),
            chassis.peer("payments")?,
            &config.links.public_url,
            config.limits.into(),
        )
        .signing_by(chassis.notary("statement-referral", &config.statements.private_key)?);
        app.prepare().await?;
        let worker = Worker::new(chassis.db().clone(), chassis.clock(), timers::handler(app.clone()));
        let audit = Audit::new(app.clone());
        let server = ReferralServiceServer::new(grpc::ReferralService::new(app.clone()));
        let links = LinkServiceServer::new(grpc::Links(app.clone()));
        let programme = ProgrammeServiceServer::new(grpc::ProgrammeService::new(app.clone()));
        let client_programmes = ClientProgrammeServiceServer::new(grpc::ClientProgrammes(app.clone()));
        let dashboard = DashboardServiceServer::new(grpc::Dashboard(app.clone()));
        let screening = ScreeningServiceServer::new(grpc::ScreeningService::new(app.clone()));
        let attributions = AttributionServiceServer::new(grpc::Attributions(app.clone()));
        let invitations = ReferralInvitationServiceServer::new(grpc::Invitations(app.clone()));
        let signals = SignalServiceServer::new(grpc::Signals(app.clone()));
        let statements = StatementServiceServer::new(grpc::Statements(app.clone()));
        let books = BooksServiceServer::new(grpc::Books::new(app.clone()));
        let (on_bounce, recheck) = (app.clone(), app.clone());
        Ok(Self(
            chassis
                .grpc(server)
                .grpc(links)
                .grpc(programme)
                .grpc(screening)
                .grpc(client_programmes)
                .grpc(dashboard)
                .grpc(attributions)
                .grpc(invitations)
                .grpc(signals)
                .grpc(statements)
                .grpc(books)
                .mail()
                .on_bounce(Arc::new(move |txn, addresses| {
                    let app = on_bounce.clone();
                    Box::pin(async move { app.note_bounces(&txn, &addresses).await })
                }))
                .recheck_mail(Arc::new(move |leaving| {
                    let app = recheck.clone();
                    Box::pin(async move { app.recheck_mail(&leaving).await })
                }))
                .facts(events::router(), Arc::new(app))
                .timers(worker)
                .looks_at(move || {
                    let audit = audit.clone();
                    async move { Ok(audit.check().await?) }
                }),
        ))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Serves until `shutdown`, then stops in order.
    ///
    /// # Errors
    /// If a part of it fails.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), BoxError> {
        Ok(self.0.run(shutdown).await?)
    }

    /// Makes the tables, the stream and its consumers.
    ///
    /// # Errors
    /// If the database or the bus cannot be reached or refuses.
    pub async fn migrate(config: &Config) -> Result<(), ChassisError> {
        chassis::migrate::<Migrator>(NAME, &config.common, &events::router().subscriptions()).await
    }
}
