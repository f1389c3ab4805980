//! How many invitations may be sent: on a client's plan in a day, to one address in a week [default].

use vouch_primitives::Timestamp;

use super::Plan;

/// How many invitations may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// By a client of the free plan, in a day.
    pub basic_per_day: u32,
    /// By a client of the plan of teams, in a day.
    pub business_plus_per_day: u32,
    /// By a client of the plan of large companies, in a day.
    pub enterprise_per_day: u32,
    /// To one address, by all clients together, in a week.
    pub address_per_week: u32,
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The client's plan, from midnight to midnight, UTC.
    Plan,
    /// The invited address, from Monday to Monday, UTC.
    Address,
}

impl Limits {
    /// How many invitations a client of this plan may send in a day.
    #[must_use]
    pub const fn per_day(&self, plan: Plan) -> u32 {
        match plan {
            Plan::Basic => self.basic_per_day,
            Plan::BusinessPlus => self.business_plus_per_day,
            Plan::Enterprise => self.enterprise_per_day,
        }
    }
}

impl Limit {
    /// When the period began that counts at `now`.
    #[must_use]
    pub const fn begun(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Plan => now.start_of_day(),
            Self::Address => now.start_of_week(),
        }
    }

    /// When the period after it begins: somebody who has reached the limit may go on.
    #[must_use]
    pub fn begins_anew(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Plan => self.begun(now).add_days(1),
            Self::Address => self.begun(now).add_days(7),
        }
    }
}
