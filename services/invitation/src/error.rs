//! What can go wrong, and what it means: to a caller, and to the consumer of events.

use tonic::{Code, Status};
use vouch_mail::MailError;
use vouch_messaging::Verdict;
use vouch_primitives::InvitationId;
use vouch_proto::Violations;
use vouch_runtime::grpc::status;
use vouch_storage::{StorageError, describe};

use crate::domain::Refusal;

/// The reason of a token that opens nothing: unknown, used, dead or expired, which nobody is to tell apart.
const NO_OPEN_INVITATION: &str = "NO_OPEN_INVITATION";

/// A failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("{resource} {name} does not exist")]
    NotFound {
        /// What kind of thing.
        resource: &'static str,
        /// Its id.
        name: String,
    },
    /// The token opens nothing.
    #[error("there is no open invitation of this token")]
    NoOpenInvitation,
    /// The invitation does not stand where it would have to.
    #[error("this cannot be done with invitation {id}")]
    Refused {
        /// Which.
        id: InvitationId,
        /// Why.
        #[source]
        why: Refusal,
    },
    /// An event tells of a hire by an invitation that nobody has accepted.
    #[error("nobody has accepted invitation {0}")]
    NeverAccepted(InvitationId),
    /// An event lacks what it must say.
    #[error("the event cannot be read: {0}")]
    Unreadable(#[from] Violations),
    /// The operating system gives no random bytes.
    #[error("no token can be made")]
    NoRandomness(#[from] vouch_mail::NoRandomness),
    /// The e-mail cannot be written.
    #[error("the e-mail cannot be written")]
    Mail(#[source] MailError),
    /// The database failed, or what is kept in it.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Error {
    /// There is no `resource` with this id.
    pub fn not_found(resource: &'static str, id: impl ToString) -> Self {
        Self::NotFound {
            resource,
            name: id.to_string(),
        }
    }
}

impl From<MailError> for Error {
    fn from(error: MailError) -> Self {
        match error {
            MailError::Storage(error) => Self::Storage(error),
            other => Self::Mail(other),
        }
    }
}

/// To a caller.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match &error {
            Error::NotFound { resource, name } => status::not_found(resource, name),
            Error::NoOpenInvitation => status::with_reason(Code::NotFound, NO_OPEN_INVITATION, error.to_string()),
            Error::Refused { id, why } => match why {
                // As if it did not exist: whoever has no proof must not learn that it does.
                Refusal::WrongProof => status::not_found("invitation", id),
                Refusal::Taken => status::failed_precondition("INVITATION_TAKEN", why.to_string()),
                Refusal::Expired => status::failed_precondition("INVITATION_EXPIRED", why.to_string()),
                Refusal::Closed => status::failed_precondition("INVITATION_CLOSED", why.to_string()),
            },
            Error::Mail(_) | Error::NeverAccepted(_) | Error::Unreadable(_) | Error::NoRandomness(_) => {
                status::internal(&error)
            }
            Error::Storage(error) => status::storage(error),
        }
    }
}

/// To the consumer: whether the events are tried again or one of them is set aside.
impl From<&Error> for Verdict {
    fn from(error: &Error) -> Self {
        match error {
            Error::NoRandomness(_) => Self::Retry,
            Error::Storage(storage) if storage.is_transient() => Self::Retry,
            Error::NotFound { .. }
            | Error::NoOpenInvitation
            | Error::Refused { .. }
            | Error::Mail(_)
            | Error::NeverAccepted(_)
            | Error::Unreadable(_)
            | Error::Storage(_) => Self::Reject(describe(error)),
        }
    }
}
