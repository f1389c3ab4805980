//! What can go wrong here, and what it means: to a caller, and to an event.

use std::{collections::BTreeSet, time::Duration};

use tonic::{Code, Status};
use vouch_mail::{MailError, NoRandomness};
use vouch_messaging::Verdict;
use vouch_primitives::MoneyError;
use vouch_proto::{Fields, Violations};
use vouch_runtime::grpc::status;
use vouch_storage::StorageError;

use crate::domain::{
    ClientProgrammeError, RaiseError, ScreeningError, SignalError, StatementError, Unfit, bond::IntroductionError,
};

/// When there may be more clicks.
const MINUTE: Duration = Duration::from_secs(60);

/// A failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("{resource} {id} does not exist")]
    NotFound {
        /// What kind of thing.
        resource: &'static str,
        /// Its id.
        id: String,
    },
    /// Consent is to the terms in force, and to no others.
    #[error("other terms are in force")]
    TermsNotInForce,
    /// The account has not been heard of; it may have registered a moment ago.
    #[error("account {0} has not been heard of yet")]
    AccountUnknown(String),
    /// The referrer has a code of their own choice already.
    #[error("the referrer has chosen another code before")]
    VanityCodeFinal,
    /// The code is somebody else's.
    #[error("the code is somebody else's")]
    CodeTaken,
    /// The referrer has as many links as there may be.
    #[error("the referrer has {0} links, and no more may be made")]
    LinkLimit(u64),
    /// Nobody invites themselves.
    #[error("the address is the referrer's own")]
    OwnAddress,
    /// The address is on the suppression list.
    #[error("the address wants or takes no invitations")]
    AddressSuppressed,
    /// The referrer has sent as many invitations today as they may.
    #[error("the referrer has sent as many invitations today as they may")]
    InvitationLimit(Duration),
    /// The address has got as many invitations this week as it may.
    #[error("the address has got as many invitations this week as it may")]
    AddressLimit(Duration),
    /// The referrer has made as many introductions today as they may.
    #[error("the referrer has made as many introductions today as they may")]
    IntroductionLimit(Duration),
    /// The token is nobody's, or its invitation is not open.
    #[error("there is no such open invitation")]
    NoOpenInvitation,
    /// A signal cannot be handled so.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// There were too many clicks in this minute.
    #[error("there were too many clicks in this minute")]
    TouchLimit,
    /// Clicks cannot be stored just now.
    #[error("clicks cannot be stored just now")]
    TouchesWait,
    /// A letter cannot be written.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The operating system gives no random bytes.
    #[error("no token can be made")]
    Token(#[from] NoRandomness),
    /// An event says something that cannot be.
    #[error("a bad event: {0}")]
    BadEvent(#[from] Violations),
    /// A total would pass what 64 bits hold.
    #[error("a total does not fit: {0}")]
    Total(#[from] MoneyError),
    /// Every code that was drawn is taken.
    #[error("no free referral code was found")]
    NoFreeCode,
    /// Something speaks against publishing these terms.
    #[error("the terms cannot be published: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    UnfitTerms(BTreeSet<Unfit>),
    /// Every version number that was tried is taken.
    #[error("no free version of the terms was found")]
    NoFreeVersion,
    /// An account cannot be introduced to a client.
    #[error(transparent)]
    Introduction(#[from] IntroductionError),
    /// The programme of a client cannot be changed so.
    #[error(transparent)]
    ClientProgramme(#[from] ClientProgrammeError),
    /// A budget cannot be raised so.
    #[error(transparent)]
    Raise(#[from] RaiseError),
    /// A change of standing lies in the future.
    #[error("the moment lies in the future")]
    NotYet,
    /// A screening case cannot be handled so.
    #[error(transparent)]
    Screening(#[from] ScreeningError),
    /// Payments cannot be asked.
    #[error("payments cannot be asked")]
    PaymentsUnavailable(#[source] Box<Status>),
    /// Payments says something that cannot be.
    #[error("payments tells of a posting that cannot be read")]
    PaymentsUnreadable,
    /// There is no key to sign statements with.
    #[error("no key to sign statements with is configured")]
    NoStatementKey,
    /// A statement would be too long.
    #[error("the statement has more than {0} lines: ask for a shorter period")]
    StatementTooLong(usize),
    /// The period of a statement has not ended.
    #[error("the period has not ended")]
    PeriodOpen,
    /// A statement cannot be made of what is in the books.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The published terms are not those that this program knows under the same version.
    #[error("terms version {version} are published with another content hash")]
    TermsChanged {
        /// The version.
        version: u32,
    },
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Error {
    /// There is no `resource` with this id.
    pub(crate) fn not_found(resource: &'static str, id: impl ToString) -> Self {
        Self::NotFound {
            resource,
            id: id.to_string(),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match &error {
            Error::NotFound { resource, id } => status::not_found(resource, id),
            Error::AccountUnknown(_) => status::with_reason(Code::NotFound, "ACCOUNT_UNKNOWN", error.to_string()),
            Error::TermsNotInForce => status::failed_precondition("TERMS_NOT_IN_FORCE", error.to_string()),
            Error::VanityCodeFinal => status::failed_precondition("VANITY_CODE_FINAL", error.to_string()),
            Error::CodeTaken => status::already_exists("CODE_TAKEN", error.to_string()),
            Error::LinkLimit(_) => status::failed_precondition("LINK_LIMIT_REACHED", error.to_string()),
            Error::OwnAddress => status::failed_precondition("OWN_ADDRESS", error.to_string()),
            Error::AddressSuppressed => status::failed_precondition("ADDRESS_SUPPRESSED", error.to_string()),
            Error::InvitationLimit(wait) => status::exhausted("INVITATION_LIMIT_REACHED", error.to_string(), *wait),
            Error::AddressLimit(wait) => status::exhausted("ADDRESS_LIMIT_REACHED", error.to_string(), *wait),
            Error::IntroductionLimit(wait) => status::exhausted("INTRODUCTION_LIMIT_REACHED", error.to_string(), *wait),
            Error::NoOpenInvitation => status::with_reason(Code::NotFound, "NO_OPEN_INVITATION", error.to_string()),
            Error::Signal(SignalError::Closed) => status::failed_precondition("SIGNAL_CLOSED", error.to_string()),
            Error::Signal(SignalError::AppealedBefore) => {
                status::failed_precondition("SIGNAL_APPEALED_BEFORE", error.to_string())
            }
            Error::TouchLimit => status::exhausted("TOUCH_LIMIT_REACHED", error.to_string(), MINUTE),
            Error::TouchesWait => status::unavailable(error.to_string(), status::OVERLOADED),
            Error::Mail(MailError::Storage(storage)) => status::storage(storage),
            Error::Mail(_) | Error::Token(_) => status::internal(&error),
            Error::BadEvent(violations) => status::invalid_argument(violations),
            Error::PaymentsUnavailable(_) => status::unavailable(error.to_string(), "PAYMENTS_UNAVAILABLE"),
            Error::Total(_)
            | Error::PaymentsUnreadable
            | Error::Statement(_)
            | Error::NoFreeCode
            | Error::NoFreeVersion
            | Error::TermsChanged { .. } => status::internal(&error),
            Error::UnfitTerms(unfit) => status::invalid_argument(&unfit_fields(unfit)),
            Error::Introduction(refused) => {
                status::failed_precondition(introduction_reason(*refused), error.to_string())
            }
            Error::ClientProgramme(refused) | Error::Raise(RaiseError::Programme(refused)) => {
                status::failed_precondition(client_programme_reason(*refused), error.to_string())
            }
            Error::Raise(RaiseError::Money(money)) => {
                let mut fields = Fields::new();
                let reason = match money {
                    MoneyError::Overflow => "OUT_OF_RANGE",
                    _ => "OTHER_CURRENCY",
                };
                fields.refuse("amount", reason, money.to_string());
                status::invalid_argument(&fields.into())
            }
            Error::NotYet => {
                let mut fields = Fields::new();
                fields.refuse("from_time", "IN_THE_FUTURE", "must not be after now");
                status::invalid_argument(&fields.into())
            }
            Error::PeriodOpen => {
                let mut fields = Fields::new();
                fields.refuse("until_time", "IN_THE_FUTURE", "must not be after now");
                status::invalid_argument(&fields.into())
            }
            Error::NoStatementKey => status::failed_precondition("NO_STATEMENT_KEY", error.to_string()),
            Error::StatementTooLong(_) => status::failed_precondition("STATEMENT_TOO_LONG", error.to_string()),
            Error::Screening(screening) => status::failed_precondition(screening_reason(*screening), error.to_string()),
            Error::Storage(storage) => status::storage(storage),
        }
    }
}

impl From<&Error> for Verdict {
    fn from(error: &Error) -> Self {
        match error {
            Error::Storage(storage) | Error::Mail(MailError::Storage(storage)) if storage.is_transient() => Self::Retry,
            Error::TouchesWait | Error::PaymentsUnavailable(_) => Self::Retry,
            Error::NotFound { .. }
            | Error::AccountUnknown(_)
            | Error::TermsNotInForce
            | Error::VanityCodeFinal
            | Error::CodeTaken
            | Error::LinkLimit(_)
            | Error::OwnAddress
            | Error::AddressSuppressed
            | Error::InvitationLimit(_)
            | Error::AddressLimit(_)
            | Error::IntroductionLimit(_)
            | Error::NoOpenInvitation
            | Error::Signal(_)
            | Error::TouchLimit
            | Error::Mail(_)
            | Error::Token(_)
            | Error::BadEvent(_)
            | Error::Total(_)
            | Error::NoFreeCode
            | Error::NoFreeVersion
            | Error::UnfitTerms(_)
            | Error::Introduction(_)
            | Error::ClientProgramme(_)
            | Error::Raise(_)
            | Error::NotYet
            | Error::Screening(_)
            | Error::PaymentsUnreadable
            | Error::NoStatementKey
            | Error::StatementTooLong(_)
            | Error::PeriodOpen
            | Error::Statement(_)
            | Error::TermsChanged { .. }
            | Error::Storage(_) => Self::Reject(vouch_storage::describe(error)),
        }
    }
}

fn unfit_fields(unfit: &BTreeSet<Unfit>) -> Violations {
    let mut fields = Fields::new();
    for why in unfit {
        let (field, reason) = unfit_reason(*why);
        fields.refuse(field, reason, why.to_string());
    }
    fields.into()
}

/// The field of the terms that is unfit, and the stable reason.
const fn unfit_reason(unfit: Unfit) -> (&'static str, &'static str) {
    match unfit {
        Unfit::ShareAboveFee => ("terms.lifetime_basis_points", "SHARE_ABOVE_FEE"),
        Unfit::SumAboveFee => ("terms.introduction_basis_points", "SUM_ABOVE_FEE"),
        Unfit::SignUpWithoutShare => ("terms.sign_up", "SIGN_UP_WITHOUT_SHARE"),
        Unfit::NoCapOrHold => ("terms.hold_days", "NO_CAP_OR_HOLD"),
        Unfit::BonusNotWhole => ("terms.bonus_basis_points", "BONUS_NOT_WHOLE"),
        Unfit::OutOfRange => ("terms.window_months", "OUT_OF_RANGE"),
        Unfit::BadAmount => ("terms.sign_up_bonuses", "BAD_AMOUNT"),
        Unfit::BadQualification => ("terms.qualifications", "BAD_QUALIFICATION"),
    }
}

const fn introduction_reason(refused: IntroductionError) -> &'static str {
    match refused {
        IntroductionError::OneSelf => "SELF_INTRODUCTION",
        IntroductionError::NotYourClient => "NOT_YOUR_CLIENT",
        IntroductionError::KnownAlready => "KNOWN_ALREADY",
        IntroductionError::IntroducedAlready => "INTRODUCED_ALREADY",
        IntroductionError::ReferrerNotAgency => "REFERRER_NOT_AGENCY",
        IntroductionError::AccountNotAgency => "ACCOUNT_NOT_AGENCY",
    }
}

const fn client_programme_reason(refused: ClientProgrammeError) -> &'static str {
    match refused {
        ClientProgrammeError::OpenAlready => "CLIENT_PROGRAMME_OPEN",
        ClientProgrammeError::Closed => "CLIENT_PROGRAMME_CLOSED",
    }
}

const fn screening_reason(refused: ScreeningError) -> &'static str {
    match refused {
        ScreeningError::ClaimedByOther => "SCREENING_CLAIMED",
        ScreeningError::Decided => "SCREENING_DECIDED",
        ScreeningError::NoAppeal => "NO_APPEAL",
    }
}
