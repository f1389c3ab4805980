//! The terms of the programme: immutable, versioned, told apart by the hash of their canonical text.

use std::collections::{BTreeMap, BTreeSet};

use vouch_primitives::{BasisPoints, Currency, Timestamp};

use super::ReferralKind;

/// The words by which an operator accepts terms that may pay more than the service fee brings in.
pub const LOSS_ACCEPTED: &str = "I accept that these terms may pay more than the service fee brings in.";

/// The longest window, in calendar months, and the longest hold, in days.
const MOST_MONTHS: u32 = 120;
const MOST_DAYS: u32 = 365;

/// What the additional share of [R26] is a share of; the seeds leave it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BonusBasis {
    /// What the referee earned inside the window.
    RefereeEarningsInWindow,
    /// The lifetime share of what the referee earned inside the window.
    AccruedCommission,
    /// What the referee earns after the window: the rate steps up.
    RateStep,
}

/// When a type of referral is good for a reward [R5, R9-R12, R36].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qualification {
    /// At sign-up, with the attribution.
    SignUp,
    /// With the first contract of the referee.
    FirstContract,
    /// With the contract between those who were introduced.
    Contract,
    /// Once the contract between those who were introduced has ended.
    ContractCompleted,
}

/// What is paid once for a referee, in one currency [R6].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignUpBonus {
    /// How much, in minor units.
    pub amount_minor: i64,
    /// What the referee has to have earned and settled, in minor units.
    pub qualifying_minor: i64,
    /// The most that a referrer ever gets of these; `None` without a cap.
    pub cap_minor: Option<i64>,
    /// What the referee gets at the same moment [R24]; zero for nothing.
    pub referee_minor: i64,
}

/// One version of the programme's terms. An attribution keeps the version under which it was made, unless its referrer
/// consents to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// From 1.
    pub version: u32,
    /// The share of the referee's earnings, for life [R25].
    pub lifetime: BasisPoints,
    /// The additional share [R26].
    pub bonus: BasisPoints,
    /// What it is a share of.
    pub bonus_basis: BonusBasis,
    /// The window, in calendar months from joining [R26].
    pub window_months: u32,
    /// The commission on what an agency earns from the client that was sent to it [R12].
    pub agency: BasisPoints,
    /// The commission on the contract of somebody who was introduced to a client [R9, R36].
    pub introduction: BasisPoints,
    /// What is paid once for a referee, by currency; none stated, none paid [R6].
    pub sign_up: BTreeMap<Currency, SignUpBonus>,
    /// For how many days after an earning settled its reward is pending. It is then released at the next midnight.
    pub hold_days: u32,
    /// Whether rewards are held until the person who was vouched for has passed screening [R21].
    pub screened: bool,
    /// When each type of referral qualifies.
    pub qualification: BTreeMap<ReferralKind, Qualification>,
    /// The service fee that funds the shares.
    pub fee: BasisPoints,
    /// Whether somebody accepted, in so many words, that the shares may be more than the fee.
    pub loss_accepted: bool,
}

/// Why terms cannot be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unfit {
    /// The lifetime share is more than the fee that funds it.
    #[error("the lifetime share is above the service fee that funds it")]
    ShareAboveFee,
    /// A share and a commission on the same earning are together more than the fee, counting all versions.
    #[error("the lifetime share and a commission on the same earning are together above the service fee")]
    SumAboveFee,
    /// Without a share nobody would be seen to qualify for the sign-up bonus.
    #[error("a sign-up bonus needs a lifetime share above zero")]
    SignUpWithoutShare,
    /// A bonus has neither a cap nor a hold.
    #[error("a one-off bonus needs a cap or a hold")]
    NoCapOrHold,
    /// The bonus on the commission would not be a whole number of basis points.
    #[error("lifetime share times bonus has to be a whole number of basis points")]
    BonusNotWhole,
    /// A window or a hold is longer than the programme knows.
    #[error("the window is at most 120 months, at least 1 if there is a bonus, and the hold at most 365 days")]
    OutOfRange,
    /// An amount is not above zero, or the cap is below the amount.
    #[error("amounts have to be above zero, and a cap at least the amount")]
    BadAmount,
    /// A type of referral has no rule, or one that it cannot have.
    #[error("each type of referral needs a rule: sign-up or first contract, or for introductions the contract")]
    BadQualification,
}

impl Terms {
    /// The terms that the programme began with: 5 % for life [R25], and 10 % of the first three months if the referee
    /// stays [R26], paid as soon as an earning settles.
    #[must_use]
    pub fn first() -> Self {
        Self::of_the_beginning(1, BasisPoints::of(500), BasisPoints::of(1_000), 3)
    }

    /// Terms that say no more than these three things.
    #[must_use]
    pub fn of_the_beginning(version: u32, lifetime: BasisPoints, bonus: BasisPoints, window_months: u32) -> Self {
        Self {
            version,
            lifetime,
            bonus,
            bonus_basis: BonusBasis::RefereeEarningsInWindow,
            window_months,
            agency: BasisPoints::of(0),
            introduction: BasisPoints::of(0),
            sign_up: BTreeMap::new(),
            hold_days: 0,
            screened: false,
            qualification: Qualification::standard(),
            fee: BasisPoints::of(1_000),
            loss_accepted: false,
        }
    }

    /// The standard terms: those of the beginning, 5 % for introductions, USD 100 for each referee who passed screening
    /// and has settled USD 500, up to USD 5,000 [R6], all of it pending for 14 days.
    #[must_use]
    pub fn standard() -> Self {
        let sign_up = SignUpBonus {
            amount_minor: 10_000,
            qualifying_minor: 50_000,
            cap_minor: Some(500_000),
            referee_minor: 0,
        };
        Self {
            version: 2,
            agency: BasisPoints::of(500),
            introduction: BasisPoints::of(500),
            sign_up: BTreeMap::from([(Currency::USD, sign_up)]),
            hold_days: 14,
            screened: true,
            ..Self::first()
        }
    }

    /// When the bonus window of somebody who joined then ends. The window is half open: what is earned at this very
    /// moment lies outside it [R26].
    #[must_use]
    pub fn window_end(&self, joined: Timestamp) -> Timestamp {
        joined.add_months_clamped(self.window_months)
    }

    /// When a reward for something that settled then is released: the first midnight after the hold, as rewards are
    /// released in daily batches; at once without a hold.
    #[must_use]
    pub fn released_from(&self, settled_at: Timestamp) -> Timestamp {
        released_after(self.hold_days, settled_at)
    }

    /// Until when a reward for something that settled then is pending; `None` without a hold, whatever the clocks say.
    #[must_use]
    pub fn pending_until(&self, settled_at: Timestamp) -> Option<Timestamp> {
        (self.hold_days > 0).then(|| self.released_from(settled_at))
    }

    /// The rate of the additional share: a share of the lifetime share is a rate of its own.
    #[must_use]
    pub fn bonus_rate(&self) -> BasisPoints {
        match self.bonus_basis {
            BonusBasis::RefereeEarningsInWindow | BonusBasis::RateStep => self.bonus,
            BonusBasis::AccruedCommission => {
                BasisPoints::try_new(self.lifetime.get() * self.bonus.get() / 10_000).unwrap_or(BasisPoints::WHOLE)
            }
        }
    }

    /// The rule by which a type of referral qualifies.
    #[must_use]
    pub fn qualification(&self, kind: ReferralKind) -> Qualification {
        self.qualification.get(&kind).copied().unwrap_or(Qualification::SignUp)
    }

    /// The commission of a type of introduction.
    #[must_use]
    pub fn commission(&self, kind: ReferralKind) -> BasisPoints {
        match kind {
            ReferralKind::Agency => self.agency,
            _ => self.introduction,
        }
    }

    /// All that speaks against publishing these terms beside those that are there. An earning may pay a share under one
    /// version and a commission under another, so that the sum is bounded over all of them.
    #[must_use]
    pub fn unfit(&self, published: &[Self]) -> BTreeSet<Unfit> {
        let mut unfit = BTreeSet::new();
        let mut refuse = |wrong: bool, why| wrong.then(|| unfit.insert(why));
        if !self.loss_accepted {
            let commission = |terms: &Self| terms.agency.max(terms.introduction).get();
            let binding = published.iter().filter(|terms| !terms.loss_accepted);
            let (mut share, mut paid) = (self.highest_share(), commission(self));
            for terms in binding {
                share = share.max(terms.highest_share());
                paid = paid.max(commission(terms));
            }
            refuse(self.highest_share() > self.fee.get(), Unfit::ShareAboveFee);
            let sum = (self.highest_share() + paid).max(share + commission(self));
            refuse(sum > self.fee.get(), Unfit::SumAboveFee);
        }
        // Who has earned enough for the bonus is told by what the share is of.
        refuse(
            self.lifetime.get() == 0 && !self.sign_up.is_empty(),
            Unfit::SignUpWithoutShare,
        );
        let uncapped = self.sign_up.values().any(|bonus| bonus.cap_minor.is_none());
        let bonus = self.bonus.get() > 0;
        refuse(self.hold_days == 0 && (uncapped || bonus), Unfit::NoCapOrHold);
        let product = self.lifetime.get() * self.bonus.get();
        let of_commission = self.bonus_basis == BonusBasis::AccruedCommission;
        refuse(of_commission && !product.is_multiple_of(10_000), Unfit::BonusNotWhole);
        let window = u32::from(bonus)..=MOST_MONTHS;
        refuse(
            !window.contains(&self.window_months) || self.hold_days > MOST_DAYS,
            Unfit::OutOfRange,
        );
        let bad = |bonus: &SignUpBonus| {
            let cap = bonus.cap_minor.is_some_and(|cap| cap < bonus.amount_minor);
            bonus.amount_minor <= 0 || bonus.qualifying_minor <= 0 || bonus.referee_minor < 0 || cap
        };
        refuse(self.sign_up.values().any(bad), Unfit::BadAmount);
        let good = |kind: ReferralKind| self.qualification.get(&kind).is_some_and(|rule| rule.fits(kind));
        refuse(!ReferralKind::ALL.into_iter().all(good), Unfit::BadQualification);
        unfit
    }

    /// The highest share of an earning that lasts: with a step, both rates.
    fn highest_share(&self) -> u32 {
        match self.bonus_basis {
            BonusBasis::RateStep => self.lifetime.get() + self.bonus.get(),
            _ => self.lifetime.get(),
        }
    }

    /// The text whose hash identifies the terms: a name and a value on each line. It never changes for a version,
    /// whatever the program becomes; those that the programme began with have a text of their own.
    #[must_use]
    pub fn canonical(&self) -> String {
        if self.is_of_the_beginning() {
            return format!(
                "vouch referral terms\nversion {}\nlifetime {} basis points of settled earnings less reversals\n\
                 bonus {} basis points of what was earned within {} calendar months of joining\n\
                 rounding down on the running total\n",
                self.version,
                self.lifetime.get(),
                self.bonus.get(),
                self.window_months
            );
        }
        let mut text = format!("vouch referral terms\nversion {}\n", self.version);
        for (name, value) in self.lines() {
            text.push_str(&format!("{name} {value}\n"));
        }
        text
    }

    /// Whether they say no more than those that the programme began with.
    #[must_use]
    pub fn is_of_the_beginning(&self) -> bool {
        *self == Self::of_the_beginning(self.version, self.lifetime, self.bonus, self.window_months)
    }

    /// What these terms say, a name and a value for each thing, without their version.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, String)> {
        let mut lines = vec![
            ("lifetime_basis_points".to_owned(), self.lifetime.get().to_string()),
            ("bonus_basis_points".to_owned(), self.bonus.get().to_string()),
            ("bonus_basis".to_owned(), self.bonus_basis.name().to_owned()),
            ("window_months".to_owned(), self.window_months.to_string()),
            ("agency_basis_points".to_owned(), self.agency.get().to_string()),
            (
                "introduction_basis_points".to_owned(),
                self.introduction.get().to_string(),
            ),
            ("hold_days".to_owned(), self.hold_days.to_string()),
            ("screened".to_owned(), self.screened.to_string()),
            ("service_fee_basis_points".to_owned(), self.fee.get().to_string()),
            ("loss_accepted".to_owned(), self.loss_accepted.to_string()),
        ];
        for (kind, rule) in &self.qualification {
            lines.push((format!("qualification.{}", kind.name()), rule.name().to_owned()));
        }
        for (currency, bonus) in &self.sign_up {
            let cap = bonus.cap_minor.map_or_else(|| "none".to_owned(), |cap| cap.to_string());
            for (name, value) in [
                ("amount", bonus.amount_minor.to_string()),
                ("qualifying", bonus.qualifying_minor.to_string()),
                ("cap", cap),
                ("referee", bonus.referee_minor.to_string()),
            ] {
                lines.push((format!("sign_up.{}.{name}", currency.code()), value));
            }
        }
        lines
    }

    /// The terms of a version that a canonical text tells; `None` if it is none.
    #[must_use]
    pub fn of_text(version: u32, text: &str) -> Option<Self> {
        let lines: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        let number = |name: &str| lines.get(name)?.parse::<u32>().ok();
        let rate = |name: &str| BasisPoints::try_new(number(name)?).ok();
        let truth = |name: &str| lines.get(name)?.parse::<bool>().ok();
        let minor = |name: String| lines.get(name.as_str())?.parse::<i64>().ok();
        let mut sign_up = BTreeMap::new();
        for name in lines.keys() {
            let Some(code) = name
                .strip_prefix("sign_up.")
                .and_then(|rest| rest.strip_suffix(".amount"))
            else {
                continue;
            };
            let bonus = SignUpBonus {
                amount_minor: minor(format!("sign_up.{code}.amount"))?,
                qualifying_minor: minor(format!("sign_up.{code}.qualifying"))?,
                cap_minor: minor(format!("sign_up.{code}.cap")),
                referee_minor: minor(format!("sign_up.{code}.referee"))?,
            };
            sign_up.insert(code.parse().ok()?, bonus);
        }
        let rule = |kind: ReferralKind| {
            let name = lines.get(format!("qualification.{}", kind.name()).as_str())?;
            Some((kind, Qualification::of_name(name)?))
        };
        let terms = Self {
            version,
            lifetime: rate("lifetime_basis_points")?,
            bonus: rate("bonus_basis_points")?,
            bonus_basis: BonusBasis::of_name(lines.get("bonus_basis")?)?,
            window_months: number("window_months")?,
            agency: rate("agency_basis_points")?,
            introduction: rate("introduction_basis_points")?,
            sign_up,
            hold_days: number("hold_days")?,
            screened: truth("screened")?,
            qualification: ReferralKind::ALL.into_iter().map(rule).collect::<Option<_>>()?,
            fee: rate("service_fee_basis_points")?,
            loss_accepted: truth("loss_accepted")?,
        };
        // What does not come to the same text again is not all that the text says.
        (terms.canonical() == text).then_some(terms)
    }
}

/// The first midnight after a hold of so many days; at once without a hold.
#[must_use]
pub fn released_after(hold_days: u32, since: Timestamp) -> Timestamp {
    if hold_days == 0 {
        return since;
    }
    let free = since.add_days(hold_days);
    let midnight = free.start_of_day();
    if midnight == free { free } else { midnight.add_days(1) }
}

impl BonusBasis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::RefereeEarningsInWindow, Self::AccruedCommission, Self::RateStep];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RefereeEarningsInWindow => "REFEREE_EARNINGS_IN_WINDOW",
            Self::AccruedCommission => "ACCRUED_COMMISSION",
            Self::RateStep => "RATE_STEP",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|basis| basis.name() == name)
    }
}

impl Qualification {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::SignUp,
        Self::FirstContract,
        Self::Contract,
        Self::ContractCompleted,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignUp => "SIGN_UP",
            Self::FirstContract => "FIRST_CONTRACT",
            Self::Contract => "CONTRACT",
            Self::ContractCompleted => "CONTRACT_COMPLETED",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The rules of the standard terms.
    #[must_use]
    pub fn standard() -> BTreeMap<ReferralKind, Self> {
        BTreeMap::from([
            (ReferralKind::Friend, Self::SignUp),
            (ReferralKind::Freelancer, Self::SignUp),
            (ReferralKind::ThirdPartySite, Self::SignUp),
            (ReferralKind::Affiliate, Self::FirstContract),
            (ReferralKind::Agency, Self::Contract),
            (ReferralKind::ClientIntroduction, Self::ContractCompleted),
        ])
    }

    /// Whether a type of referral can qualify so.
    #[must_use]
    pub const fn fits(self, kind: ReferralKind) -> bool {
        kind.attributes() == matches!(self, Self::SignUp | Self::FirstContract)
    }
}
