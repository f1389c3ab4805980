//! Names and values of OpenTelemetry's conventions for remote calls, in one place because they still change.

use opentelemetry::metrics::Histogram;
use tonic::Code;

pub(crate) const SYSTEM: &str = "rpc.system.name";
pub(crate) const GRPC: &str = "grpc";
pub(crate) const METHOD: &str = "rpc.method";
pub(crate) const STATUS: &str = "rpc.response.status_code";
pub(crate) const ERROR: &str = "error.type";

/// The boundaries that the convention asks for, in seconds.
const SECONDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// The end of a call that measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

impl Side {
    /// The kind of the span, as `tracing-opentelemetry` reads it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// How long calls take, in seconds, by method and status.
pub(crate) fn duration_histogram(side: Side) -> Histogram<f64> {
    let (name, description) = match side {
        Side::Server => ("rpc.server.call.duration", "how long incoming calls took"),
        Side::Client => ("rpc.client.call.duration", "how long outgoing calls took"),
    };
    opentelemetry::global::meter("vouch")
        .f64_histogram(name)
        .with_description(description)
        .with_unit("s")
        .with_boundaries(SECONDS.to_vec())
        .build()
}

/// Codes that speak of a fault of the server's, and not of the caller's.
pub(crate) fn is_server_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The code as the convention writes it.
pub(crate) fn status_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
