//! What vouches, earns and is paid.

/// What an account belongs to. A client has no account of its own: it stands under its own id, both as the account and as
/// the person, so that all that is said of referrers holds for it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// A person; the account is their own.
    Person,
    /// An agency of a person.
    Agency,
    /// A client.
    Client,
}

impl Party {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Person, Self::Agency, Self::Client];

    /// Its stable name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "PERSON",
            Self::Agency => "AGENCY",
            Self::Client => "CLIENT",
        }
    }

    /// The party of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|party| party.name() == name)
    }
}
