//! The wires of a system: who calls a service, NATS or PostgreSQL does so through a proxy.

use vouch_testkit::{NatsServer, PostgresServer};

use crate::{Error, SERVICES, proxy::Proxy};

/// One proxy before each server of a system.
#[derive(Debug)]
pub struct Network {
    /// Before the services, in the order of [`SERVICES`]: for whoever calls them, each other too.
    pub services: [Proxy; SERVICES.len()],
    /// Before NATS.
    pub nats: Proxy,
    /// Before PostgreSQL, if it is the engine.
    pub postgres: Option<Proxy>,
}

impl Network {
    pub(crate) async fn before(
        ports: [u16; SERVICES.len()],
        nats: &NatsServer,
        postgres: Option<&PostgresServer>,
        seed: u64,
    ) -> Result<Self, Error> {
        let [invitation, onboarding, payments, referral] = ports;
        Ok(Self {
            services: [
                Proxy::to(invitation, seed).await?,
                Proxy::to(onboarding, seed + 1).await?,
                Proxy::to(payments, seed + 2).await?,
                Proxy::to(referral, seed + 3).await?,
            ],
            nats: Proxy::to(nats.port(), seed + 4).await?,
            postgres: match postgres {
                Some(server) => Some(Proxy::to(server.port(), seed + 5).await?),
                None => None,
            },
        })
    }
}
