//! Streams and durable consumers. Only `migrate` makes them, with a credential of its own: running services use them
//! and may neither make nor delete any.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    consumer::{AckPolicy, DeliverPolicy, pull},
    context::{CreateStreamError, CreateStreamErrorKind, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};

use vouch_storage::describe;

use super::{ANSWER, JetStream};
use crate::{BusError, Subscription, envelope::stream_of};

/// The largest event, headers included.
const MAX_MESSAGE: i32 = 64 * 1024;

/// How long JetStream remembers a `Nats-Msg-Id`.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// How long to wait for the connection.
const PATIENCE: Duration = Duration::from_secs(10);

impl JetStream {
    /// Makes or updates the stream of `own_service` (e.g. `payments`) and its durable consumers on the streams of
    /// others. A stream that another service has not made yet is made for it, so that the order in which services are
    /// installed does not matter. Repeating it changes nothing.
    ///
    /// # Errors
    /// If there is no connection within 10 s, or the server refuses.
    pub async fn provision(&self, own_service: &str, subscriptions: &[Subscription]) -> Result<(), BusError> {
        self.connected().await?;
        self.context
            .create_or_update_stream(self.stream(&format!("vouch.{own_service}")))
            .await
            .map_err(|error| self.refused("cannot make the stream", error))?;
        for subscription in subscriptions {
            self.ensure_stream(subscription).await?;
            self.context
                .create_consumer_on_stream(self.durable(subscription), &subscription.stream)
                .await
                .map_err(|error| BusError::failed("cannot make the consumer")(error.into()))?;
        }
        Ok(())
    }

    pub(super) async fn connected(&self) -> Result<(), BusError> {
        // Whatever is asked for is done once the connection stands.
        match tokio::time::timeout(PATIENCE, self.client.flush()).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(self.unreachable().await),
        }
    }

    /// The connection that comes back by itself keeps its reasons to itself; one that is tried once tells them.
    async fn unreachable(&self) -> BusError {
        let once = async {
            let options = self.config.options().await.map_err(|error| describe(&error))?;
            let connected = options.connect(self.config.addresses()).await;
            connected.map(drop).map_err(|error| describe(&error))
        };
        let why = match tokio::time::timeout(ANSWER, once).await {
            Ok(Err(why)) => why,
            _ => "no answer in time".to_owned(),
        };
        BusError::Unreachable {
            at: self.config.redacted_url(),
            why,
        }
    }

    /// Another service's stream is its own to change: it is only made if it is not there.
    async fn ensure_stream(&self, subscription: &Subscription) -> Result<(), BusError> {
        match self.context.get_stream(&subscription.stream).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), GetStreamErrorKind::JetStream(ref e) if e.code() == 404) => self
                .context
                .create_stream(self.stream(&subscription.producer))
                .await
                .map(drop)
                .map_err(|error| self.refused("cannot make the stream of a producer", error)),
            Err(error) => Err(BusError::failed("cannot look up the stream of a producer")(
                error.into(),
            )),
        }
    }

    /// JetStream promises each stream the whole of its size limit, and makes none for which it has not as much left.
    fn refused(&self, doing: &'static str, error: CreateStreamError) -> BusError {
        let CreateStreamErrorKind::JetStream(told) = error.kind() else {
            return BusError::failed(doing)(error.into());
        };
        if ![ErrorCode::STORAGE_RESOURCES_EXCEEDED, ErrorCode::INSUFFICIENT_RESOURCES].contains(&told.error_code()) {
            return BusError::failed(doing)(error.into());
        }
        let room = self.config.max_bytes;
        let what_to_do = format!(
            "{told}; nats-server sets {room} bytes (nats.max_bytes) aside for each stream and has not as many left: give it \
            more room (its disk, max_file_store, the limits of the account), or lower nats.max_bytes for every service"
        );
        BusError::failed(doing)(what_to_do.into())
    }

    fn stream(&self, producer: &str) -> Config {
        Config {
            name: stream_of(producer),
            subjects: vec![format!("{producer}.>")],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            // A full stream refuses: dropping the oldest would lose facts that somebody may not have read.
            discard: DiscardPolicy::New,
            max_bytes: self.config.max_bytes,
            max_age: self.config.max_age(),
            max_message_size: MAX_MESSAGE,
            num_replicas: self.config.replicas.into(),
            duplicate_window: DUPLICATE_WINDOW,
            deny_delete: true,
            deny_purge: true,
            ..Config::default()
        }
    }

    fn durable(&self, subscription: &Subscription) -> pull::Config {
        pull::Config {
            durable_name: Some(subscription.durable.clone()),
            filter_subjects: subscription.subjects.clone(),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(self.config.ack_wait_seconds.into()),
            // Never given up: what cannot be applied becomes a dead letter in the consumer's database instead.
            max_deliver: -1,
            max_ack_pending: self.config.max_ack_pending.into(),
            ..pull::Config::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::NatsConfig;

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let config = NatsConfig {
            url: format!("nats://joe:s3cret@{address}"),
            ..NatsConfig::default()
        };
        let bus = JetStream::connect(&config, "test")
            .await
            .expect("a connection in the making");
        let error = bus.unreachable().await.to_string();
        let beginning = format!("cannot reach nats at nats://{address}: ");
        assert!(error.starts_with(&beginning) && error.contains("refused"), "{error}");
    }
}
