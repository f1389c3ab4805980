//! Tax forms on their way to payments [B46, B53].

use vouch_primitives::{AccountId, PersonId, TaxFormId, TaxFormKind, Timestamp};

/// That a tax form was handed in. What it says, payments alone keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaxInformation {
    /// The form's id.
    pub id: TaxFormId,
    /// The account that it is about.
    pub account_id: AccountId,
    /// Whose account that is.
    pub person_id: PersonId,
    /// Which form.
    pub kind: TaxFormKind,
    /// When it was handed in.
    pub submitted_at: Timestamp,
    /// When payments had it; `None` as long as it waits here.
    pub recorded_at: Option<Timestamp>,
}
