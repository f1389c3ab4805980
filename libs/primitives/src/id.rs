//! The registry of typed ids: one line per kind, alphabetical, append-only.
//!
//! An id is a UUIDv7, so that rows which are made together lie together. No rule may depend on the time inside it.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// The text is not a UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID: {0:?}")]
pub struct InvalidId(pub String);

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id (UUIDv7).
            #[expect(clippy::new_without_default, reason = "a default id would suggest that there is a neutral one")]
            #[expect(clippy::disallowed_methods, reason = "this is the one place where ids are made")]
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id with this value, whatever its version.
            #[must_use]
            pub const fn from_uuid(value: Uuid) -> Self {
                Self(value)
            }

            /// The value, as databases store it.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }

            /// The id that follows from another one, always the same: for a thing that must get the same id when
            /// the work that makes it is done again after a crash. `name` tells siblings apart.
            #[must_use]
            pub fn derived(from: Uuid, name: &str) -> Self {
                Self(Uuid::new_v5(&from, name.as_bytes()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse().map(Self).map_err(|_| InvalidId(text.to_owned()))
            }
        }
    )+};
}

typed_ids! {
    /// Somebody's wish to do a client's project.
    ApplicationId,
    /// What money and rewards belong to: a person's freelancer account, an agency, or a client.
    AccountId,
    /// A way in which a client pays.
    BillingMethodId,
    /// Money of a client's that came otherwise than by a charge.
    ClientPaymentId,
    /// What a client gives beside what was agreed.
    BonusPaymentId,
    /// The permanent binding of a referee to a referrer.
    AttributionId,
    /// One person's way from acceptance to ready.
    CaseId,
    /// What a client is made to pay.
    ChargeId,
    /// One attempt at a charge, as the payment provider knows it.
    ChargeOrderId,
    /// A company that hires.
    ClientId,
    /// What a client pays for introductions to it.
    ClientProgrammeId,
    /// The work agreed between a client and talent.
    ContractId,
    /// A disagreement about money for work.
    DisputeId,
    /// Something that was said about a dispute.
    DisputeNoteId,
    /// A file that a person has uploaded.
    DocumentId,
    /// Money settled to talent for work.
    EarningId,
    /// A domain event; also its `Nats-Msg-Id`.
    EventId,
    /// A hiring manager of a client.
    HiringManagerId,
    /// A client's invitation to one e-mail address.
    InvitationId,
    /// What a client is told to pay for.
    InvoiceId,
    /// A group of transfers that belong together in the ledger.
    JournalEntryId,
    /// An outgoing e-mail.
    MailId,
    /// A submission of a milestone, or a request for changes.
    MilestoneEventId,
    /// A piece of fixed-price work.
    MilestoneId,
    /// A note in a project room.
    NoteId,
    /// The terms offered with a contract invitation.
    OfferId,
    /// Money of talent that leaves the house.
    PayoutId,
    /// Where talent's money goes.
    PayoutMethodId,
    /// One day's payouts by schedule.
    PayoutRunId,
    /// One human with one verified e-mail address.
    PersonId,
    /// Work that a client has to give.
    ProjectId,
    /// A link to a project that somebody shares.
    ProjectShareId,
    /// Somebody whom talent has recommended instead of themselves.
    RecommendationId,
    /// A referrer's invitation to a friend.
    ReferralInvitationId,
    /// A link by which a referrer vouches.
    ReferralLinkId,
    /// Who vouches.
    ReferrerId,
    /// Money that goes back to where a client paid from.
    RefundId,
    /// One attempt at giving it back, as the payment provider knows it.
    RefundOrderId,
    /// The idempotency id of a mutating request.
    RequestId,
    /// A refund, a chargeback: what takes back an earning or a part of it.
    ReversalId,
    /// A project room.
    RoomId,
    /// What makes a referral look wrong.
    SignalId,
    /// The bytes of a file, as their store names them: nobody else learns this name.
    StoredFileId,
    /// A client's private group of talent.
    TalentCloudId,
    /// Somebody in a talent cloud, or invited to it.
    TalentCloudMemberId,
    /// Something to be done and confirmed on the way from acceptance to ready.
    TaskId,
    /// Where tasks of cases come from.
    TaskTemplateId,
    /// A tax form that talent has signed.
    TaxFormId,
    /// Time that talent has worked.
    TimeEntryId,
    /// One movement of money between two ledger accounts.
    TransferId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_text_form_and_sort_by_age() {
        let (first, second) = (ClientId::new(), ClientId::new());
        assert!(first < second);
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!("nonsense".parse::<ClientId>(), Err(InvalidId("nonsense".to_owned())));
    }

    #[test]
    fn derived_ids_repeat_and_siblings_differ() {
        let request = RequestId::new().as_uuid();
        assert_eq!(
            PersonId::derived(request, "person"),
            PersonId::derived(request, "person")
        );
        assert_ne!(
            PersonId::derived(request, "person").as_uuid(),
            AccountId::derived(request, "account").as_uuid()
        );
    }
}
