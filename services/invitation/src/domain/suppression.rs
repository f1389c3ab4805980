//! What is known of addresses: who gets no invitation and no referral mail, who has an account.

use vouch_primitives::{PersonId, Timestamp};

/// The SHA-256 of an address, by which the suppression list knows it: the list outlives the erasure of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressHash(pub [u8; 32]);

/// The last word about an address: that it belongs to the account of a person, who has proved it, or does no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountAddress {
    /// Which.
    pub hash: AddressHash,
    /// Whose it is, or was.
    pub person_id: PersonId,
    /// Whether it was given up.
    pub released: bool,
    /// Since when.
    pub since: Timestamp,
}

/// Onboarding has erased a person: what is kept of them here is erased, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Who.
    pub person_id: PersonId,
    /// When.
    pub erased_at: Timestamp,
}

/// Why and since when an address gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Why.
    pub reason: SuppressionReason,
    /// Since when.
    pub since: Timestamp,
}

/// Why an address gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionReason {
    /// Its reader wants no more.
    Unsubscribed,
    /// There is no such mailbox.
    Bounced,
    /// Its reader has called an e-mail spam.
    Complained,
}
