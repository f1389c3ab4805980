//! What can go wrong, and what it means: to a caller, and to the consumer of events.

use std::time::Duration;

use tonic::{Code, Status};
use vouch_mail::MailError;
use vouch_messaging::Verdict;
use vouch_primitives::Timestamp;
use vouch_proto::{Fields, Violation, Violations};
use vouch_runtime::grpc::status;
use vouch_storage::{BoxError, StorageError, describe};

use crate::domain::{
    AccountRefusal, ArchiveFault, Counted, DocumentRefusal, ProfileRefusal, Refusal, TaskRefusal, Unfit,
    form::{Flaw, FlawKind},
    template::MAX_TEMPLATES,
};

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
    /// The payments service did not do what it was asked, and may later.
    #[error("the payments service is not available")]
    PaymentsUnavailable(#[source] Box<Status>),
    /// The token of a verification mail that was never sent, or is good no more: nobody is to tell these apart.
    #[error("the verification link is not known")]
    UnknownVerification,
    /// Another person has proved that the account e-mail is theirs.
    #[error("the account e-mail belongs to another account")]
    EmailTaken,
    /// The person has to verify their address first.
    #[error("the account e-mail has to be verified first")]
    EmailNotVerified,
    /// As much was done today as may be done in a day.
    #[error("no more {what} today")]
    UsedUp {
        /// Of what.
        what: Counted,
        /// How long until there is more.
        wait: Duration,
    },
    /// The account does not allow it.
    #[error(transparent)]
    Account(#[from] AccountRefusal),
    /// The case cannot take this step.
    #[error(transparent)]
    Step(#[from] Refusal),
    /// The task stays as it is.
    #[error(transparent)]
    Task(#[from] TaskRefusal),
    /// Tasks are done in open cases.
    #[error("the case has come to its end")]
    CaseClosed,
    /// The talent's tasks come after the contract or the profile.
    #[error("the case has not come to its tasks yet")]
    NotYetAtTasks,
    /// The template is out of use.
    #[error("the template is out of use: write another one")]
    TemplateRetired,
    /// The client, or the platform, has as many templates in use as it may.
    #[error("there are {MAX_TEMPLATES} templates in use: take one out of use first")]
    TooManyTemplates,
    /// An agency needs a name when it accepts an invitation [B30].
    #[error("the invitation is an agency's, and the agency needs a name")]
    AgencyNameRequired,
    /// The invitation is a freelancer's and makes no agency.
    #[error("the invitation is a freelancer's: it makes no agency")]
    NotAnAgency,
    /// The token of a final agency invitation is unknown or dead: nobody is to tell these apart.
    #[error("there is no open agency invitation")]
    NoAgencyInvitation,
    /// The case does not wait for its listing to be confirmed.
    #[error("the case does not wait for the agency's listing")]
    NoListingToConfirm,
    /// A final agency invitation was sent a moment ago.
    #[error("a final agency invitation was sent a moment ago; the next one may be sent from {0} on")]
    SentJustNow(Timestamp),
    /// The profile does not allow it.
    #[error(transparent)]
    Profile(#[from] ProfileRefusal),
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
        matches!(
            self,
            Self::NoOpenInvitation | Self::InvitationRefused { .. } | Self::AgencyNameRequired | Self::NotAnAgency
        )
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
            Error::UsedUp { what, wait } => status::exhausted(reason_of_count(*what), error.to_string(), *wait),
            Error::Account(why) => status::failed_precondition(reason_of_account(*why), error.to_string()),
            Error::Step(why) => status::failed_precondition(reason_of(*why), error.to_string()),
            Error::Unfit(why) => status::invalid_argument(&violations_of(*why)),
            Error::Document(why) => status::failed_precondition(reason_of_document(*why), error.to_string()),
            Error::FilesUnavailable(_) => {
                tracing::warn!(error = describe(&error), "a call has to wait");
                status::unavailable(error.to_string(), "FILES_UNAVAILABLE")
            }
            Error::Profile(why) => status::failed_precondition(reason_of_profile(*why), error.to_string()),
            Error::Task(TaskRefusal::Flawed(flaws)) => status::invalid_argument(&violations(flaws)),
            Error::Task(why) => status::failed_precondition(reason_of_task(why), error.to_string()),
            Error::CaseClosed => status::failed_precondition("CASE_CLOSED", error.to_string()),
            Error::NotYetAtTasks => status::failed_precondition("NOT_YET_AT_TASKS", error.to_string()),
            Error::TemplateRetired => status::failed_precondition("TASK_TEMPLATE_RETIRED", error.to_string()),
            Error::TooManyTemplates => status::failed_precondition("TOO_MANY_TASK_TEMPLATES", error.to_string()),
            Error::AgencyNameRequired => status::failed_precondition("AGENCY_NAME_REQUIRED", error.to_string()),
            Error::NotAnAgency => status::failed_precondition("NOT_AN_AGENCY", error.to_string()),
            Error::NoAgencyInvitation => status::with_reason(Code::NotFound, "NO_AGENCY_INVITATION", error.to_string()),
            Error::NoListingToConfirm => status::failed_precondition("NO_LISTING_TO_CONFIRM", error.to_string()),
            Error::SentJustNow(_) => status::failed_precondition("AGENCY_INVITATION_JUST_SENT", error.to_string()),
            // It is asked by timers alone.
            Error::PaymentsUnavailable(_)
            | Error::InvitationUnreadable(_)
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
            Error::InvitationUnavailable(_)
            | Error::PaymentsUnavailable(_)
            | Error::FilesUnavailable(_)
            | Error::NoRandomness(_) => Self::Retry,
            Error::Storage(storage) if storage.is_transient() => Self::Retry,
            Error::NotFound { .. }
            | Error::NoOpenInvitation
            | Error::InvitationRefused { .. }
            | Error::InvitationUnreadable(_)
            | Error::UnknownVerification
            | Error::EmailTaken
            | Error::EmailNotVerified
            | Error::UsedUp { .. }
            | Error::Account(_)
            | Error::Step(_)
            | Error::Profile(_)
            | Error::Task(_)
            | Error::CaseClosed
            | Error::NotYetAtTasks
            | Error::TemplateRetired
            | Error::TooManyTemplates
            | Error::AgencyNameRequired
            | Error::NotAnAgency
            | Error::NoAgencyInvitation
            | Error::NoListingToConfirm
            | Error::SentJustNow(_)
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

const fn reason_of_count(what: Counted) -> &'static str {
    match what {
        // An offer changes without a letter, too, so that nobody is refused for want of one.
        Counted::MailsAskedBy(_) | Counted::MailsTo(_) | Counted::MailsAskedTo(_) | Counted::LettersOfChanges(_) => {
            "VERIFICATION_LIMIT_REACHED"
        }
        Counted::NotesOf(..) => "NOTE_LIMIT_REACHED",
        Counted::TemplatesOf(_) => "TASK_TEMPLATE_LIMIT_REACHED",
        Counted::TaxFormsOf(_) => "TAX_FORM_LIMIT_REACHED",
    }
}

const fn reason_of_profile(why: ProfileRefusal) -> &'static str {
    match why {
        ProfileRefusal::HalfDone(_) => "SECTION_HALF_DONE",
        ProfileRefusal::ListingIsPublic => "AGENCY_LISTING_PUBLIC",
        ProfileRefusal::Incomplete => "PROFILE_INCOMPLETE",
    }
}

const fn reason_of(why: Refusal) -> &'static str {
    match why {
        Refusal::ContractNotReviewed => "CONTRACT_NOT_REVIEWED",
        Refusal::OfferAccepted => "OFFER_ALREADY_ACCEPTED",
        Refusal::OfferLapsed => "OFFER_LAPSED",
        Refusal::OfferDeclined => "OFFER_DECLINED",
        Refusal::TasksOpen => "TASKS_OPEN",
        Refusal::EmailNotVerified => "EMAIL_NOT_VERIFIED",
        Refusal::ListingNotConfirmed => "LISTING_NOT_CONFIRMED",
        Refusal::OfferChanged => "OFFER_CHANGED",
        Refusal::NoOffer => "NO_OFFER",
        Refusal::NoProfileStep => "NO_PROFILE_STEP",
    }
}

const fn reason_of_task(why: &TaskRefusal) -> &'static str {
    match why {
        TaskRefusal::NotYours(_) => "TASK_NOT_YOURS",
        TaskRefusal::NotStarted => "TASK_NOT_STARTED",
        TaskRefusal::UnderReview => "TASK_UNDER_REVIEW",
        TaskRefusal::Confirmed => "TASK_CONFIRMED",
        TaskRefusal::TooSoon(_) => "CLASSIFICATION_TOO_SOON",
        TaskRefusal::Flawed(_) => "INVALID_REQUEST",
        TaskRefusal::NotSubmitted => "TASK_NOT_SUBMITTED",
        TaskRefusal::ClaimedByAnother => "TASK_CLAIMED",
        TaskRefusal::NotClaimed => "TASK_NOT_CLAIMED",
    }
}

/// What is wrong with a submission, field by field.
fn violations(flaws: &[Flaw]) -> Violations {
    let violation = |flaw: &Flaw| {
        let (reason, description) = match flaw.why {
            FlawKind::Missing => ("REQUIRED", "is required"),
            FlawKind::NotAskedFor => ("NOT_ASKED_FOR", "is not asked for"),
            FlawKind::WrongKind => ("INVALID_FORMAT", "is not an answer of the kind that is asked for"),
            FlawKind::WrongNumber => ("OUT_OF_RANGE", "are more or fewer than are asked for"),
            FlawKind::Outdated => ("OUTDATED", "is not the version that has to be signed"),
            FlawKind::Unknown => ("UNKNOWN_DOCUMENT", "is no document of yours that can be handed in"),
            FlawKind::Repeated => ("DUPLICATE", "must be there once each"),
        };
        Violation {
            field: format!("submission.{}", flaw.field),
            reason,
            description: description.to_owned(),
        }
    };
    Violations(flaws.iter().map(violation).collect())
}

const fn reason_of_account(why: AccountRefusal) -> &'static str {
    match why {
        AccountRefusal::Closed => "ACCOUNT_CLOSED",
        AccountRefusal::Open => "ACCOUNT_OPEN",
        AccountRefusal::OpenContracts => "OPEN_CONTRACTS",
        AccountRefusal::NothingToVerify => "NOTHING_TO_VERIFY",
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
