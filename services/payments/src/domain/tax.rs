//! Tax forms, without which nothing is withdrawn.

use vouch_primitives::{AccountId, TaxFormId, TaxFormKind, Timestamp};

/// A tax form, without what it says. The newest of an account counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxForm {
    /// Its id, given by whoever took it.
    pub id: TaxFormId,
    /// The account that it is about.
    pub account_id: AccountId,
    /// Which form.
    pub kind: TaxFormKind,
    /// The last four characters of its number, all that is ever shown of it; empty if it has none.
    pub tin_last_four: String,
    /// When it was handed in.
    pub submitted_at: Timestamp,
}
