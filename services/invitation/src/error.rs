//! What can go wrong, and what it means: to a caller, and to the consumer of events.

use tonic::{Code, Status};
use vouch_mail::MailError;
use vouch_messaging::Verdict;
use vouch_primitives::{InvitationId, TalentCloudId};
use vouch_proto::Violations;
use vouch_runtime::grpc::status;
use vouch_storage::{StorageError, describe};

use crate::domain::{Answered, Limit, ProjectClosed, Refusal, Unsendable};

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
    /// The invitation may not be sent.
    #[error(transparent)]
    Unsendable(#[from] Unsendable),
    /// The client has another talent cloud of this name.
    #[error("the client has another talent cloud of this name")]
    CloudNameTaken,
    /// The talent cloud takes nobody any more.
    #[error("talent cloud {0} is archived")]
    CloudArchived(TalentCloudId),
    /// Nobody has accepted the invitation of whoever is to be added to a talent cloud.
    #[error("nobody has accepted invitation {0}, so that it is not known who it is")]
    NotAccepted(InvitationId),
    /// Whoever is to be removed has only been invited.
    #[error("nobody has answered yet: withdraw invitation {0}")]
    StillInvited(InvitationId),
    /// The project is closed and stays so.
    #[error(transparent)]
    ProjectClosed(#[from] ProjectClosed),
    /// The application does not wait any more.
    #[error(transparent)]
    Answered(#[from] Answered),
    /// The person has applied for the project before.
    #[error("the person has applied for this project")]
    AppliedBefore,
    /// The address is not one that the person has verified.
    #[error("the address is not the verified one of the person's account")]
    AddressNotVerified,
    /// The person is no referrer.
    #[error("the person is not enrolled in the referral programme")]
    NotEnrolled,
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
            Error::Unsendable(why) => unsendable(*why),
            Error::CloudNameTaken => status::already_exists("TALENT_CLOUD_NAME_TAKEN", error.to_string()),
            Error::CloudArchived(id) => unsendable(Unsendable::CloudArchived(*id)),
            Error::NotAccepted(_) => status::failed_precondition("INVITATION_NOT_ACCEPTED", error.to_string()),
            Error::StillInvited(_) => status::failed_precondition("MEMBER_STILL_INVITED", error.to_string()),
            Error::ProjectClosed(why) => status::failed_precondition("PROJECT_CLOSED", why.to_string()),
            Error::Answered(why) => status::failed_precondition("APPLICATION_ANSWERED", why.to_string()),
            Error::AppliedBefore => status::already_exists("APPLICATION_EXISTS", error.to_string()),
            Error::AddressNotVerified => status::failed_precondition("ADDRESS_NOT_VERIFIED", error.to_string()),
            Error::NotEnrolled => status::failed_precondition("REFERRER_NOT_ENROLLED", error.to_string()),
            Error::Mail(_) | Error::NeverAccepted(_) | Error::Unreadable(_) | Error::NoRandomness(_) => {
                status::internal(&error)
            }
            Error::Storage(error) => status::storage(error),
        }
    }
}

/// The stable reason why an invitation may not be sent.
#[must_use]
pub const fn reason_of(why: Unsendable) -> &'static str {
    match why {
        Unsendable::NoCloud(_) => "NOT_FOUND",
        Unsendable::CloudArchived(_) => "TALENT_CLOUD_ARCHIVED",
        Unsendable::Suppressed => "ADDRESS_SUPPRESSED",
        Unsendable::Repeated => "ADDRESS_REPEATED",
        Unsendable::Over { limit: Limit::Plan, .. } => "INVITATION_LIMIT_REACHED",
        Unsendable::Over {
            limit: Limit::Address, ..
        } => "ADDRESS_LIMIT_REACHED",
    }
}

fn unsendable(why: Unsendable) -> Status {
    let reason = reason_of(why);
    match why {
        Unsendable::NoCloud(id) => status::not_found("talent cloud", id),
        Unsendable::Over { wait, .. } => status::exhausted(reason, why.to_string(), wait),
        Unsendable::CloudArchived(_) | Unsendable::Suppressed | Unsendable::Repeated => {
            status::failed_precondition(reason, why.to_string())
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
            | Error::Unsendable(_)
            | Error::CloudNameTaken
            | Error::CloudArchived(_)
            | Error::NotAccepted(_)
            | Error::StillInvited(_)
            | Error::ProjectClosed(_)
            | Error::Answered(_)
            | Error::AppliedBefore
            | Error::AddressNotVerified
            | Error::NotEnrolled
            | Error::Mail(_)
            | Error::NeverAccepted(_)
            | Error::Unreadable(_)
            | Error::Storage(_) => Self::Reject(describe(error)),
        }
    }
}
