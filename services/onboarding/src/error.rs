//! What can go wrong, and what it means: to a caller, and to the consumer of events.

use tonic::{Code, Status};
use vouch_mail::MailError;
use vouch_messaging::Verdict;
use vouch_proto::{Fields, Violations};
use vouch_runtime::grpc::status;
use vouch_storage::{BoxError, StorageError, describe};

use crate::domain::{ArchiveFault, DocumentRefusal, Refusal, Unfit};

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
    /// The invitation is unknown, used, expired, or not for whoever asks: nobody is to tell these apart.
    #[error("there is no open invitation")]
    NoOpenInvitation,
    /// The invitation service refuses for good, for its own stable reason.
    #[error("the invitation cannot be accepted")]
    InvitationRefused {
        /// The reason, such as `INVITATION_TAKEN`.
        reason: String,
    },
    /// The invitation service did not do what it was asked, and may later.
    #[error("the invitation service is not available")]
    InvitationUnavailable(#[source] Box<Status>),
    /// The invitation service gave an answer that cannot be read.
    #[error("the answer of the invitation service cannot be read")]
    InvitationUnreadable(#[source] Violations),
    /// The token of a verification mail that was never sent.
    #[error("the verification link is not known")]
    UnknownVerification,
    /// Another person has proved that the account e-mail is theirs.
    #[error("the account e-mail belongs to another account")]
    EmailTaken,
    /// The person has to verify their address first.
    #[error("the account e-mail has to be verified first")]
    EmailNotVerified,
    /// The case cannot take this step.
    #[error(transparent)]
    Step(#[from] Refusal),
    /// The file is not taken.
    #[error("the file {0}")]
    Unfit(#[from] Unfit),
    /// The document cannot take this step.
    #[error(transparent)]
    Document(#[from] DocumentRefusal),
    /// The store of files did not do what it was asked, and may later.
    #[error("the store of files is not available")]
    FilesUnavailable(#[source] BoxError),
    /// The store of files has not what was put there.
    #[error("a stored file is lost")]
    FileLost(#[source] BoxError),
    /// An event tells of contracts that no offer began.
    #[error("an event tells of a contract that no offer began")]
    UnknownContract,
    /// An event lacks what it must say.
    #[error("the event cannot be read: {0}")]
    Unreadable(#[from] Violations),
    /// A mail cannot be written, although texts and addresses were checked long before.
    #[error("a mail cannot be written")]
    Mail(#[source] MailError),
    /// The operating system gives no random bytes.
    #[error("no token can be made")]
    NoRandomness(#[from] vouch_mail::NoRandomness),
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

    /// Whether the invitation service has refused for good, so that asking again is of no use.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::NoOpenInvitation | Self::InvitationRefused { .. })
    }
}

impl From<MailError> for Error {
    fn from(error: MailError) -> Self {
        match error {
            MailError::Storage(error) => Self::Storage(error),
            error => Self::Mail(error),
        }
    }
}

/// The reason of an invitation of a type that has no way here yet.
pub(crate) const INVITATION_NOT_SUPPORTED: &str = "INVITATION_NOT_SUPPORTED";

/// To a caller.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match &error {
            Error::NotFound { resource, name } => status::not_found(resource, name),
            Error::NoOpenInvitation => status::with_reason(Code::NotFound, "NO_OPEN_INVITATION", error.to_string()),
            Error::InvitationRefused { reason } => status::failed_precondition(reason, error.to_string()),
            Error::InvitationUnavailable(_) => {
                tracing::warn!(error = describe(&error), "a call has to wait");
                status::unavailable(error.to_string(), "INVITATION_UNAVAILABLE")
            }
            Error::UnknownVerification => {
                status::with_reason(Code::NotFound, "UNKNOWN_VERIFICATION", error.to_string())
            }
            Error::EmailTaken => status::already_exists("EMAIL_TAKEN", error.to_string()),
            Error::EmailNotVerified => status::failed_precondition("EMAIL_NOT_VERIFIED", error.to_string()),
            Error::Step(why) => status::failed_precondition(reason_of(*why), error.to_string()),
            Error::Unfit(why) => status::invalid_argument(&violations_of(*why)),
            Error::Document(why) => status::failed_precondition(reason_of_document(*why), error.to_string()),
            Error::FilesUnavailable(_) => {
                tracing::warn!(error = describe(&error), "a call has to wait");
                status::unavailable(error.to_string(), "FILES_UNAVAILABLE")
            }
            Error::InvitationUnreadable(_)
            | Error::FileLost(_)
            | Error::UnknownContract
            | Error::Unreadable(_)
            | Error::Mail(_)
            | Error::NoRandomness(_) => status::internal(&error),
            Error::Storage(error) => status::storage(error),
        }
    }
}

/// To the consumer: whether the events are tried again or one of them is set aside.
impl From<&Error> for Verdict {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvitationUnavailable(_) | Error::FilesUnavailable(_) | Error::NoRandomness(_) => Self::Retry,
            Error::Storage(storage) if storage.is_transient() => Self::Retry,
            Error::NotFound { .. }
            | Error::NoOpenInvitation
            | Error::InvitationRefused { .. }
            | Error::InvitationUnreadable(_)
            | Error::UnknownVerification
            | Error::EmailTaken
            | Error::EmailNotVerified
            | Error::Step(_)
            | Error::Unfit(_)
            | Error::Document(_)
            | Error::FileLost(_)
            | Error::UnknownContract
            | Error::Unreadable(_)
            | Error::Mail(_)
            | Error::Storage(_) => Self::Reject(describe(error)),
        }
    }
}

const fn reason_of(why: Refusal) -> &'static str {
    match why {
        Refusal::ContractNotReviewed => "CONTRACT_NOT_REVIEWED",
        Refusal::OfferAccepted => "OFFER_ALREADY_ACCEPTED",
        Refusal::OfferLapsed => "OFFER_LAPSED",
        Refusal::OfferDeclined => "OFFER_DECLINED",
    }
}

const fn reason_of_document(why: DocumentRefusal) -> &'static str {
    match why {
        DocumentRefusal::Released => "DOCUMENT_RELEASED",
        DocumentRefusal::Rejected => "DOCUMENT_REJECTED",
        DocumentRefusal::InUse => "DOCUMENT_IN_USE",
        DocumentRefusal::TooMany => "TOO_MANY_DOCUMENTS",
    }
}

/// A file that is not taken is a field that is wrong: `data`, or the name that says another type.
fn violations_of(why: Unfit) -> Violations {
    let (field, reason) = match why {
        Unfit::Empty => ("data", "REQUIRED"),
        Unfit::TooLarge(_) => ("data", "OUT_OF_RANGE"),
        Unfit::UnknownType => ("data", "TYPE_NOT_TAKEN"),
        Unfit::OtherType(_) => ("file_name", "OTHER_TYPE"),
        Unfit::NoEnd(_) => ("data", "INCOMPLETE"),
        Unfit::Polyglot => ("data", "UNSAFE_FILE"),
        Unfit::Archive(fault) => match fault {
            ArchiveFault::NoDirectory => ("data", "INCOMPLETE"),
            ArchiveFault::NoDocument => ("data", "TYPE_NOT_TAKEN"),
            ArchiveFault::Broken
            | ArchiveFault::TooManyEntries
            | ArchiveFault::Bomb
            | ArchiveFault::PathTrick
            | ArchiveFault::Encrypted
            | ArchiveFault::Macros => ("data", "UNSAFE_FILE"),
        },
    };
    let mut fields = Fields::new();
    fields.refuse(field, reason, why.to_string());
    fields.into()
}
