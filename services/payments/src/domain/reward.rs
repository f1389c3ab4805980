//! Rewards, as the referral programme releases them: a cumulative amount, of which the difference is posted.

use std::{collections::BTreeMap, fmt, str::FromStr};

use vouch_primitives::{AccountId, ClientId, Currency, Timestamp, Uuid};

/// What a reward is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RewardKey {
    /// The attribution or introduction.
    pub tie_id: Uuid,
    /// What is paid for.
    pub kind: RewardKind,
    /// In which currency; one total each.
    pub currency: Currency,
}

/// What a reward is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RewardKind {
    /// A share of the referee's earnings for life [R25].
    LifetimeShare,
    /// The additional share of what was earned in the first three months [R26].
    WindowBonus,
    /// What is paid once for a referee who has qualified [R6].
    SignUpBonus,
    /// A commission on what was earned by an introduction [R12, R36].
    IntroductionCommission,
    /// What a client pays once for an introduction to it [R32].
    ClientReward,
    /// What a referee gets in turn, at the moment of the sign-up bonus for them [R24].
    RefereeBenefit,
}

/// What a tie has come to: all that was released so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// For which total.
    pub key: RewardKey,
    /// The account that it is paid to.
    pub account_id: AccountId,
    /// All that was released so far, in minor units.
    pub cumulative_minor: i64,
    /// The life of the referral database, which counts anew in each.
    pub epoch: i64,
    /// The number within the epoch, from 1.
    pub sequence: i64,
    /// When it was released.
    pub released_at: Timestamp,
    /// The client that pays it, and owes it then [R32]; `None` where the programme does.
    pub funder: Option<ClientId>,
}

/// What was posted so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RewardTotal {
    /// For which total.
    pub key: RewardKey,
    /// The account that it was paid to.
    pub account_id: AccountId,
    /// The epoch of the last release that was posted; zero before the first.
    pub epoch: i64,
    /// The number of the last release that was posted; zero before the first.
    pub sequence: i64,
    /// All that was posted, in minor units.
    pub posted_minor: i64,
}

/// The difference that a release makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RewardPosting {
    /// The release that is posted.
    pub release: Release,
    /// What is paid, or taken back if negative, in minor units.
    pub difference_minor: i64,
}

/// What is wrong with a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewardError {
    /// A total never falls below zero, an epoch neither, and sequences count from 1.
    #[error("the release of tie {0} has a negative amount or epoch, or a sequence below 1")]
    OutOfRange(Uuid),
    /// The same (epoch, sequence) came with another amount.
    #[error("release {epoch}/{sequence} of tie {tie_id} came with two amounts")]
    TwoAmounts {
        /// The tie.
        tie_id: Uuid,
        /// The epoch.
        epoch: i64,
        /// The sequence.
        sequence: i64,
    },
    /// A total belongs to one account for ever.
    #[error("the rewards of tie {0} go to another account")]
    OtherAccount(Uuid),
}

/// The text is not the key of a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the key of a reward")]
pub struct InvalidKey;

impl fmt::Display for RewardKey {
    /// Such as `0190…/LIFETIME_SHARE/USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tie_id, self.kind.name(), self.currency)
    }
}

impl FromStr for RewardKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let mut parts = text.splitn(3, '/');
        let mut part = || parts.next().ok_or(InvalidKey);
        let (tie_id, kind, currency) = (part()?, part()?, part()?);
        let kind = RewardKind::ALL.into_iter().find(|known| known.name() == kind);
        Ok(Self {
            tie_id: tie_id.parse().map_err(|_| InvalidKey)?,
            kind: kind.ok_or(InvalidKey)?,
            currency: currency.parse().map_err(|_| InvalidKey)?,
        })
    }
}

impl RewardKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::LifetimeShare,
        Self::WindowBonus,
        Self::SignUpBonus,
        Self::IntroductionCommission,
        Self::ClientReward,
        Self::RefereeBenefit,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LifetimeShare => "LIFETIME_SHARE",
            Self::WindowBonus => "WINDOW_BONUS",
            Self::SignUpBonus => "SIGN_UP_BONUS",
            Self::IntroductionCommission => "INTRODUCTION_COMMISSION",
            Self::ClientReward => "CLIENT_REWARD",
            Self::RefereeBenefit => "REFEREE_BENEFIT",
        }
    }
}

impl Release {
    /// The total before the first release.
    #[must_use]
    pub const fn nothing_posted(&self) -> RewardTotal {
        RewardTotal {
            key: self.key,
            account_id: self.account_id,
            epoch: 0,
            sequence: 0,
            posted_minor: 0,
        }
    }

    fn check(&self) -> Result<(), RewardError> {
        if self.cumulative_minor < 0 || self.epoch < 0 || self.sequence < 1 {
            return Err(RewardError::OutOfRange(self.key.tie_id));
        }
        Ok(())
    }
}

/// The newest release of each total: a cumulative amount says all that the ones before it said.
///
/// # Errors
/// If a release is out of range, or two of them contradict each other.
pub fn newest(releases: impl IntoIterator<Item = Release>) -> Result<BTreeMap<RewardKey, Release>, RewardError> {
    let mut newest: BTreeMap<RewardKey, Release> = BTreeMap::new();
    for release in releases {
        release.check()?;
        let kept = newest.entry(release.key).or_insert(release);
        if is_newer(
            kept.account_id,
            (kept.epoch, kept.sequence),
            kept.cumulative_minor,
            &release,
        )? {
            *kept = release;
        }
    }
    Ok(newest)
}

impl RewardTotal {
    /// Moves the total to `release` if this is newer, and returns the difference, which may be zero. `None` if the
    /// release is known or older.
    ///
    /// # Errors
    /// If the release contradicts the total.
    pub fn post(&mut self, release: &Release) -> Result<Option<RewardPosting>, RewardError> {
        if !is_newer(self.account_id, (self.epoch, self.sequence), self.posted_minor, release)? {
            return Ok(None);
        }
        // Neither amount is negative, so the difference fits.
        let difference_minor = release.cumulative_minor - self.posted_minor;
        (self.epoch, self.sequence) = (release.epoch, release.sequence);
        self.posted_minor = release.cumulative_minor;
        Ok(Some(RewardPosting {
            release: *release,
            difference_minor,
        }))
    }
}

fn is_newer(
    account_id: AccountId,
    known: (i64, i64),
    amount_minor: i64,
    release: &Release,
) -> Result<bool, RewardError> {
    let tie_id = release.key.tie_id;
    let (epoch, sequence) = (release.epoch, release.sequence);
    if account_id != release.account_id {
        return Err(RewardError::OtherAccount(tie_id));
    }
    if known == (epoch, sequence) && amount_minor != release.cumulative_minor {
        return Err(RewardError::TwoAmounts {
            tie_id,
            epoch,
            sequence,
        });
    }
    Ok(known < (epoch, sequence))
}
