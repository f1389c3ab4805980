//! Streams read once more from their beginning, beside the work and without a part in it.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
};
use futures::StreamExt;
use tokio::time::timeout;
use vouch_primitives::Timestamp;

use super::{ANSWER, AUDITOR, JetStream, delivery};
use crate::{BusError, Delivery, Subscription};

/// How long the server keeps a consumer that nobody asks.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// What a stream holds, piece by piece.
pub struct Replay {
    consumer: PullConsumer,
    left: u64,
    held_since: Timestamp,
}

impl JetStream {
    /// Begins to read all that a stream holds by now of what the subscription wants. Needs the permissions of [`AUDITOR`];
    /// one at a time reads a stream.
    ///
    /// # Errors
    /// If there is no connection within 10 s, no such stream, or the server refuses.
    pub async fn replay(&self, of: &Subscription) -> Result<Replay, BusError> {
        self.connected().await?;
        let stream = self.context.get_stream(&of.stream).await;
        let stream = stream.map_err(|error| BusError::failed("cannot look up the stream")(error.into()))?;
        let info = stream.cached_info();
        // A stream that has lost nothing yet holds all since it was made.
        let since = match info.state.first_sequence {
            0 | 1 => info.created,
            _ => info.state.first_timestamp,
        };
        let micros = i64::try_from(since.unix_timestamp_nanos() / 1_000).unwrap_or(0);
        self.end_replay(of).await?;
        let config = pull::Config {
            name: Some(AUDITOR.to_owned()),
            filter_subjects: of.subjects.clone(),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGOTTEN_AFTER,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let made = self.context.create_consumer_on_stream(config, &of.stream).await;
        let consumer = made.map_err(|error| BusError::failed("cannot make a consumer to read with")(error.into()))?;
        Ok(Replay {
            left: consumer.cached_info().num_pending,
            consumer,
            held_since: Timestamp::from_micros(micros),
        })
    }

    /// Ends a replay, or what a dead one has left behind.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn end_replay(&self, of: &Subscription) -> Result<(), BusError> {
        use async_nats::jetstream::stream::ConsumerErrorKind::JetStream as Refused;
        match self.context.delete_consumer_from_stream(AUDITOR, &of.stream).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), Refused(ref it) if it.error_code() == ErrorCode::CONSUMER_NOT_FOUND) => {
                Ok(())
            }
            Err(error) => Err(BusError::failed("cannot end the reading of a stream")(error.into())),
        }
    }
}

impl Replay {
    /// How many messages are still to come.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Since when the stream has lost nothing.
    #[must_use]
    pub const fn held_since(&self) -> Timestamp {
        self.held_since
    }

    /// The next messages, in the order of the stream; none when all were read that were there in the beginning.
    ///
    /// # Errors
    /// If the server does not answer, or what comes is no delivery.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(max);
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let failed = |error| BusError::failed("cannot read the stream")(error);
        let fetch = self.consumer.fetch().max_messages(wanted).expires(ANSWER);
        let mut messages = fetch.messages().await.map_err(|error| failed(error.into()))?;
        let mut read = Vec::with_capacity(wanted);
        while read.len() < wanted {
            match timeout(ANSWER, messages.next()).await {
                Ok(Some(message)) => read.push(delivery(message.map_err(failed)?)?),
                Ok(None) => break,
                Err(_) => return Err(BusError::TimedOut),
            }
        }
        if read.is_empty() {
            return Err(BusError::TimedOut);
        }
        self.left -= u64::try_from(read.len()).unwrap_or(u64::MAX).min(self.left);
        Ok(read)
    }
}
