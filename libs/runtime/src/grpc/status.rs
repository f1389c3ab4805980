//! The statuses this house answers with. Each carries `google.rpc` details with a stable reason in the domain
//! `vouch`, so that a client can decide without reading the message.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use vouch_proto::Violations;
use vouch_storage::StorageError;

/// The domain of all reasons.
pub const DOMAIN: &str = "vouch";
/// There are more calls than the service takes on.
pub const OVERLOADED: &str = "OVERLOADED";
/// The database cannot do the work just now.
pub const DATABASE_UNAVAILABLE: &str = "DATABASE_UNAVAILABLE";
/// The request id was used for another request before.
pub const REQUEST_ID_REUSED: &str = "REQUEST_ID_REUSED";
/// The service has no method of this name.
pub const METHOD_UNKNOWN: &str = "METHOD_UNKNOWN";
/// The call carries no token.
pub const TOKEN_MISSING: &str = "TOKEN_MISSING";
/// The token is malformed, from an unknown key, for another audience, or for somebody its key may not speak for.
pub const TOKEN_INVALID: &str = "TOKEN_INVALID";
/// The token was good once.
pub const TOKEN_EXPIRED: &str = "TOKEN_EXPIRED";
/// The method's policy does not name the caller.
pub const CALLER_NOT_ALLOWED: &str = "CALLER_NOT_ALLOWED";
/// The caller has nothing to do with this client or person.
pub const NOT_YOURS: &str = "NOT_YOURS";
/// The bytes are no message of the method's type.
pub const MALFORMED_REQUEST: &str = "MALFORMED_REQUEST";
/// The message is larger than the service takes.
pub const MESSAGE_TOO_LARGE: &str = "MESSAGE_TOO_LARGE";
/// The answer would come too late.
pub const DEADLINE_PASSED: &str = "DEADLINE_PASSED";
/// The service is about to end; another one takes the call.
pub const STOPPING: &str = "STOPPING";
/// The protocol was not kept: a stream, a header, a compression that the service does not have.
pub const PROTOCOL: &str = "PROTOCOL";
/// Something broke that the caller can do nothing about.
pub const INTERNAL: &str = "INTERNAL";

/// When a refused call may be tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// INVALID_ARGUMENT with every violation as a field of `BadRequest`.
pub fn invalid_argument(violations: &Violations) -> Status {
    let mut details = ErrorDetails::with_error_info("INVALID_REQUEST", DOMAIN, HashMap::new());
    for violation in &violations.0 {
        details.add_bad_request_violation(
            &violation.field,
            format!("{}: {}", violation.reason, violation.description),
        );
    }
    Status::with_error_details(Code::InvalidArgument, violations.to_string(), details)
}

/// NOT_FOUND of a resource such as (`client`, its id).
pub fn not_found(resource: &str, name: impl ToString) -> Status {
    let name = name.to_string();
    let message = format!("{resource} {name} does not exist");
    let mut details = ErrorDetails::with_error_info("NOT_FOUND", DOMAIN, HashMap::new());
    details.set_resource_info(resource, name, "", "");
    Status::with_error_details(Code::NotFound, message, details)
}

/// ALREADY_EXISTS with a stable reason.
pub fn already_exists(reason: &str, message: impl Into<String>) -> Status {
    with_reason(Code::AlreadyExists, reason, message)
}

/// FAILED_PRECONDITION with a stable reason: the same call cannot succeed until something else has changed.
pub fn failed_precondition(reason: &str, message: impl Into<String>) -> Status {
    with_reason(Code::FailedPrecondition, reason, message)
}

/// Any code with a stable reason.
pub fn with_reason(code: Code, reason: &str, message: impl Into<String>) -> Status {
    Status::with_error_details(
        code,
        message,
        ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new()),
    )
}

/// UNAVAILABLE with the time after which the call may be tried again.
pub fn unavailable(message: impl Into<String>, reason: &str) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::Unavailable, message, details)
}

/// RESOURCE_EXHAUSTED with a stable reason and the time after which there is more.
pub fn exhausted(reason: &str, message: impl Into<String>, retry_after: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.set_retry_info(Some(retry_after));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// DEADLINE_EXCEEDED.
pub fn deadline_exceeded(message: impl Into<String>) -> Status {
    with_reason(Code::DeadlineExceeded, DEADLINE_PASSED, message)
}

/// A refusal of the transport's, with a reason. Bytes that are no message are the caller's mistake.
pub(crate) fn explained(told: &Status) -> Status {
    match told.code() {
        Code::Internal if told.message().contains("decode Protobuf") => with_reason(
            Code::InvalidArgument,
            MALFORMED_REQUEST,
            "the request is no message of the method's type",
        ),
        Code::Unimplemented => with_reason(Code::Unimplemented, METHOD_UNKNOWN, told.message()),
        code => with_reason(code, PROTOCOL, told.message()),
    }
}

/// The status of a failed database: a reused request id is the caller's mistake, a passing trouble asks for a retry,
/// the rest is [`internal`].
pub fn storage(error: &StorageError) -> Status {
    match error {
        StorageError::RequestIdReused { .. } => with_reason(Code::AlreadyExists, REQUEST_ID_REUSED, error.to_string()),
        _ if error.is_transient() => {
            tracing::warn!(error = vouch_storage::describe(error), "the database is not available");
            unavailable("the service cannot do this just now", DATABASE_UNAVAILABLE)
        }
        _ => internal(error),
    }
}

/// INTERNAL. The whole chain of causes is logged here, once, and nothing of it is sent.
pub fn internal(error: &(dyn Error + 'static)) -> Status {
    tracing::error!(error = vouch_storage::describe(error), "a call failed");
    internal_silent()
}

/// INTERNAL for what has been logged already.
pub(crate) fn internal_silent() -> Status {
    with_reason(Code::Internal, INTERNAL, "internal error")
}
