//! Streams read once more from their beginning, beside the work and without a part in it.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
};
use futures::StreamExt;
use tokio::time::timeout;
use vouch_primitives::{Clock, SystemClock, Timestamp};

use super::{ANSWER, AUDITOR, JetStream, delivery};
use crate::{BusError, Delivery, Subscription};

/// How long the server keeps a consumer that nobody asks.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// What a stream holds, piece by piece.
pub struct Replay {
    consumer: PullConsumer,
    /// How many messages there were in the beginning.
    messages: u64,
    /// The last place that was read.
    read: u64,
    /// The last place of the stream in the beginning.
    end: u64,
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
        // Looked at afterwards: what has gone by then is not counted on.
        let stream = self.context.get_stream(&of.stream).await;
        let stream = stream.map_err(|error| BusError::failed("cannot look up the stream")(error.into()))?;
        let (info, state) = (stream.cached_info(), &stream.cached_info().state);
        let at = |nanos: i128| Timestamp::from_micros(i64::try_from(nanos / 1_000).unwrap_or(0));
        let held_since = match (state.first_sequence, state.messages) {
            // A stream that has lost nothing yet holds all since it was made.
            (0 | 1, _) => at(info.created.unix_timestamp_nanos()),
            (_, 0) => SystemClock.now(),
            _ => at(state.first_timestamp.unix_timestamp_nanos()),
        };
        Ok(Replay {
            messages: consumer.cached_info().num_pending,
            consumer,
            read: 0,
            end: state.last_sequence,
            held_since,
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
    /// How many messages there were in the beginning.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.messages
    }

    /// Since when the stream has lost nothing.
    #[must_use]
    pub const fn held_since(&self) -> Timestamp {
        self.held_since
    }

    /// The next messages, in the order of the stream; none when all were read that were there in the beginning. What expires
    /// meanwhile is left out.
    ///
    /// # Errors
    /// If the server does not answer, what comes is no delivery, or somebody else has begun to read the stream.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        let mut read = Vec::new();
        if self.read >= self.end {
            return Ok(read);
        }
        let failed = |error| BusError::failed("cannot read the stream")(error);
        // The server answers at once with what there is.
        let fetch = self.consumer.fetch().max_messages(max);
        let mut messages = fetch.messages().await.map_err(|error| failed(error.into()))?;
        loop {
            let message = match timeout(ANSWER, messages.next()).await {
                Ok(Some(message)) => delivery(message.map_err(failed)?)?,
                Ok(None) => break,
                Err(_) => return Err(BusError::TimedOut),
            };
            if message.sequence <= self.read {
                return Err(failed("somebody else has begun to read it".into()));
            }
            self.read = message.sequence;
            if message.sequence <= self.end {
                read.push(message);
            }
        }
        Ok(read)
    }
}
