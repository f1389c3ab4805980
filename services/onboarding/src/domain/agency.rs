//! Agencies.

use vouch_primitives::{AccountId, PersonId};

/// An agency, as far as search has to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// The account that money for its work belongs to.
    pub id: AccountId,
    /// Whose agency it is.
    pub person_id: PersonId,
    /// Its name.
    pub name: String,
    /// Whether it can be found.
    pub listing: Listing,
}

/// The listing of an agency; none is ever private [B36].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Not searchable yet [B34].
    Provisional,
    /// Everybody finds it [B35].
    Public,
}
