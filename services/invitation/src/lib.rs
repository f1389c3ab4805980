//! The service `invitation`: clients bring talent that they already know.
//!
//! A client invites a freelancer or an agency by e-mail, to a contract or to one of its talent clouds. The e-mail carries
//! a token, which is stored nowhere else; whoever has it, or has verified the invited address, may accept the invitation,
//! once. An offer to somebody who has an account goes straight there. The client may send an invitation again or take it
//! back, whoever has the token may decline it. Who has not answered is reminded after seven and after twenty-one days;
//! after thirty the invitation expires. Addresses on the suppression list get nothing, and nobody
//! may send more than the limits allow.
//!
//! Clients publish projects, too: talent finds and shares them, applies, or recommends somebody else, and an offer to an
//! applicant is an invitation that goes straight into the account.
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
//! Events out: `InvitationSent`, `InvitationResent`, `InvitationAccepted`, `InvitationDeclined`, `InvitationWithdrawn`,
//! `InvitationExpired`, `TalentCloudMemberChanged`, `TalentCloudArchived`, `ProjectChanged`, `ApplicationChanged`, `TalentRecommended`,
//! `AddressSuppressed`, `AddressReinstated`. Events in: onboarding's `EmailVerified`, `EmailReleased`, `TalentReady`, `OfferAccepted`,
//! `OfferDeclined`, `OfferLapsed` and
//! `PersonErased`, referral's `ReferrerEnrolled`, `RefereeAttributed` and `AddressRefused`.

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
use vouch_proto::invitation::v1::{
    application_service_server::ApplicationServiceServer, client_service_server::ClientServiceServer,
    invitation_service_server::InvitationServiceServer, project_service_server::ProjectServiceServer,
    suppression_service_server::SuppressionServiceServer, talent_cloud_service_server::TalentCloudServiceServer,
};
use vouch_runtime::{Chassis, ChassisError, chassis};
use vouch_storage::timers::Worker;

pub use config::{Config, DEFAULTS};
pub use migration::Migrator;

use crate::app::App;

/// The name of the service: of its stream, its durable consumers and its variables.
pub const NAME: &str = "invitation";

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
    /// None here.
    pub async fn build_on(chassis: Chassis, config: &Config) -> Result<Self, ChassisError> {
        let app = App::new(chassis.commands(), &config.links.public_url, config.limits.into());
        let (on_time, on_bounce, recheck) = (app.clone(), app.clone(), app.clone());
        let worker = Worker::new(
            chassis.db().clone(),
            chassis.clock(),
            Arc::new(move |txn, due| Box::pin(timers::fire(on_time.clone(), txn, due))),
        );
        let chassis = chassis
            .grpc(ApplicationServiceServer::new(grpc::Applications(app.clone())))
            .grpc(ClientServiceServer::new(grpc::Clients(app.clone())))
            .grpc(InvitationServiceServer::new(grpc::Invitations::new(app.clone())))
            .grpc(ProjectServiceServer::new(grpc::Projects(app.clone())))
            .grpc(SuppressionServiceServer::new(grpc::Suppressions(app.clone())))
            .grpc(TalentCloudServiceServer::new(grpc::TalentClouds(app.clone())))
            .facts(events::router(), Arc::new(app))
            .timers(worker)
            .mail()
            .on_bounce(Arc::new(move |txn, addresses| {
                let app = on_bounce.clone();
                Box::pin(async move { app.note_bounces(&txn, &addresses).await })
            }))
            .recheck_mail(Arc::new(move |leaving| {
                let app = recheck.clone();
                Box::pin(async move { app.recheck_mail(&leaving).await })
            }));
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
