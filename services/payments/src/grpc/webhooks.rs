//! What the payment provider tells by itself: the one door that is not gRPC. What comes in is checked for whose it is, and then
//! makes the service ask; whoever sent it is told whether to send it again.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry::{KeyValue, global, metrics::Counter};
use tokio::{sync::Semaphore, time::timeout};
use vouch_primitives::{Clock, SystemClock};
use vouch_storage::describe;

use crate::app::{App, gateway::Unheard, hints::Followed};

/// The largest message that is read.
const MOST_BYTES: usize = 256 * 1024;
/// How many messages are followed at a time; the provider sends the others again.
const AT_ONCE: usize = 32;
/// How long one is followed at most: providers hang up soon after.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of a message, as it is counted.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Followed,
    Ignored,
    Refused,
    Unanswered,
    Busy,
    Failed,
}

#[derive(Clone)]
struct Door {
    app: App,
    places: Arc<Semaphore>,
    messages: Counter<u64>,
}

/// `POST /webhooks/stripe`, and nothing else.
pub fn webhooks(app: App) -> Router {
    let messages = global::meter("vouch")
        .u64_counter("vouch.gateway.messages")
        .with_unit("{message}")
        .with_description("messages that came from the payment provider, or pretended to")
        .build();
    let door = Door {
        app,
        places: Arc::new(Semaphore::new(AT_ONCE)),
        messages,
    };
    Router::new()
        .route("/webhooks/stripe", post(take))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(door)
}

async fn take(State(door): State<Door>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> StatusCode {
    let (outcome, status) = match body {
        Ok(body) => {
            let outcome = door.follow(&headers, &body).await;
            (outcome, outcome.status())
        }
        Err(rejection) => (Outcome::Refused, rejection.status()),
    };
    door.messages.add(1, &[KeyValue::new("outcome", outcome.name())]);
    status
}

impl Door {
    async fn follow(&self, headers: &HeaderMap, body: &[u8]) -> Outcome {
        let Ok(_place) = self.places.try_acquire() else {
            return Outcome::Busy;
        };
        // The provider's clock is the one on the wall, whatever the service's own one is.
        let hint = match self.app.gateway().hear(headers, body, SystemClock.now()) {
            Ok(hint) => hint,
            Err(reason @ (Unheard::Stale | Unheard::Unreadable)) => {
                tracing::warn!(%reason, "a message of the payment provider is refused");
                return Outcome::Refused;
            }
            // Anybody can send those, as often as they like.
            Err(reason) => {
                tracing::debug!(%reason, "a message that is not the payment provider's is refused");
                return Outcome::Refused;
            }
        };
        match timeout(PATIENCE, self.app.follow_hint(&hint)).await {
            Ok(Ok(Followed::Asked)) => Outcome::Followed,
            Ok(Ok(Followed::Nothing)) => Outcome::Ignored,
            Ok(Ok(Followed::Unanswered)) | Err(_) => Outcome::Unanswered,
            Ok(Err(error)) => {
                tracing::error!(
                    ?hint,
                    error = describe(&error),
                    "a message of the payment provider cannot be followed"
                );
                Outcome::Failed
            }
        }
    }
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Followed => "followed",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Followed | Self::Ignored => StatusCode::OK,
            Self::Refused => StatusCode::BAD_REQUEST,
            Self::Unanswered | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
