//! The types of referral.

/// How somebody was referred. Each type has its own rule of when it qualifies, and for what it pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferralKind {
    /// A friend, somebody of the family, anybody was invited to join [R5].
    Friend,
    /// A freelancer recommends a fellow freelancer to their clients [R9].
    Freelancer,
    /// A job or a link was shared on a named site [R10].
    ThirdPartySite,
    /// Sign-up through an affiliate link; qualifies once the person is hired [R11].
    Affiliate,
    /// One agency sends its client to another [R12].
    Agency,
    /// A person introduces somebody to their client [R36].
    ClientIntroduction,
}

impl ReferralKind {
    /// All types.
    pub const ALL: [Self; 6] = [
        Self::Friend,
        Self::Freelancer,
        Self::ThirdPartySite,
        Self::Affiliate,
        Self::Agency,
        Self::ClientIntroduction,
    ];

    /// Its stable name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Friend => "FRIEND",
            Self::Freelancer => "FREELANCER",
            Self::ThirdPartySite => "THIRD_PARTY_SITE",
            Self::Affiliate => "AFFILIATE",
            Self::Agency => "AGENCY",
            Self::ClientIntroduction => "CLIENT_INTRODUCTION",
        }
    }

    /// The type of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it binds an attribution of the person who joins; the others bind an introduction.
    #[must_use]
    pub const fn attributes(self) -> bool {
        matches!(
            self,
            Self::Friend | Self::Freelancer | Self::ThirdPartySite | Self::Affiliate
        )
    }
}
