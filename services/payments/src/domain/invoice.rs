//! What a client is told to pay: for a week, from the time entries to the earning [F5, B6], or for a period [B2].

use std::{fmt, str::FromStr};

use vouch_primitives::{
    AccountId, ClientId, ContractId, EarningId, InvoiceId, Money, PersonId, TimeEntryId, Timestamp,
};

use super::{
    Contract, ContractError, Earned, Earning, EarningSource, Pause, Pay, Span, TimeEntry, Week, WorkPeriod,
    earning::AVAILABILITY_DAYS,
    week::{self, STEP},
};

/// An invoice; one for each contract and week, or each contract and period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Its id, which follows from the contract and the week or period.
    pub id: InvoiceId,
    /// The contract that it is for.
    pub contract_id: ContractId,
    /// Who pays.
    pub client_id: ClientId,
    /// Who worked.
    pub person_id: PersonId,
    /// The account that is paid.
    pub account_id: AccountId,
    /// The week that was worked, or that the period ended with.
    pub week: Week,
    /// The period, if it is not for a week; then there are neither minutes nor a rate.
    pub period: Option<WorkPeriod>,
    /// The rate for one hour.
    pub rate: Money,
    /// The weekly limit that was in force in the week, in minutes.
    pub limit_minutes: u32,
    /// Minutes that are invoiced, at most the limit, and at least one of a week.
    pub minutes: u32,
    /// Minutes that were worked over the limit, and are left out.
    pub minutes_over: u32,
    /// What the client pays, above zero.
    pub amount: Money,
    /// Where it stands.
    pub state: InvoiceState,
}

/// What an invoice says of one time entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceLine {
    /// The entry.
    pub entry_id: TimeEntryId,
    /// From when to when.
    pub span: Span,
    /// What was done.
    pub description: String,
    /// Minutes that are invoiced.
    pub minutes: u32,
    /// Minutes that are over the weekly limit, and left out.
    pub minutes_over: u32,
    /// Its share of the invoice's amount, in minor units.
    pub amount_minor: i64,
    /// Whether it is under payment protection.
    pub protection: Protection,
}

/// The life of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceState {
    /// Issued; the charge is not settled yet.
    Open,
    /// The client has paid; the earning exists.
    Paid {
        /// When.
        paid_at: Timestamp,
    },
    /// Charging the client was given up.
    Unpaid,
}

/// Whether a line is under payment protection [F4, B8]: all of it must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// A tracker has measured the time.
    pub tracked: bool,
    /// Something of it is invoiced; what is over the limit has no money to protect.
    pub within_limit: bool,
    /// It says what was done.
    pub described: bool,
    /// The client's way of billing was verified when the invoice was made.
    pub billing_verified: bool,
}

/// Orders invoices: by their weeks, then by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InvoicePosition {
    /// The week.
    pub week: Week,
    /// The invoice.
    pub id: InvoiceId,
}

/// The text is not the position of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the position of an invoice")]
pub struct InvalidPosition;

impl fmt::Display for InvoicePosition {
    /// Such as `1772409600000000/0190…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.week.start().as_micros(), self.id)
    }
}

impl FromStr for InvoicePosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (week, id) = text.split_once('/').ok_or(InvalidPosition)?;
        let week = week.parse().map_err(|_| InvalidPosition)?;
        Ok(Self {
            week: Week::of(Timestamp::from_micros(week)),
            id: id.parse().map_err(|_| InvalidPosition)?,
        })
    }
}

/// What minutes at a rate for one hour come to, **rounded down** once: `floor(minutes × rate / 60)`, or as much as fits 64 bits.
pub(super) fn worth_rounded_down(minutes: u64, rate: Money) -> Money {
    let minor = (i128::from(minutes) * i128::from(rate.minor)).div_euclid(60);
    Money::new(i64::try_from(minor).unwrap_or(i64::MAX), rate.currency)
}

impl Invoice {
    /// The id of the invoice for a week, which it has before there is one.
    #[must_use]
    pub fn id_of(contract: ContractId, week: Week) -> InvoiceId {
        InvoiceId::derived(contract.as_uuid(), &week.start().to_string())
    }

    /// The invoice for the entries of one week of an hourly contract, whose client's way of billing is verified or not, and its
    /// lines in the order of time. Minutes up to the
    /// limit are invoiced, in that order; those over it are left out, and named. The amount is rounded once, on all minutes
    /// of the week; each line has what it adds to that, so that the lines sum up to it. `None` if it would come to nothing.
    ///
    /// # Errors
    /// If the contract is not hourly.
    pub fn of_week(
        contract: &Contract,
        week: Week,
        limit_minutes: u32,
        billing_verified: bool,
        entries: &[TimeEntry],
    ) -> Result<Option<(Self, Vec<InvoiceLine>)>, ContractError> {
        let Pay::Hourly { rate, .. } = contract.pay else {
            return Err(ContractError::NotHourly);
        };
        let mut entries: Vec<&TimeEntry> = entries.iter().collect();
        entries.sort_by_key(|entry| entry.span);
        let (mut minutes, mut minutes_over, mut amount_minor) = (0, 0, 0);
        let mut lines = Vec::with_capacity(entries.len());
        for entry in entries {
            let invoiced = entry.span.minutes().min(limit_minutes - minutes);
            let over = entry.span.minutes() - invoiced;
            minutes += invoiced;
            minutes_over += over;
            let sum = worth_rounded_down(minutes.into(), rate).minor;
            lines.push(InvoiceLine {
                entry_id: entry.id,
                span: entry.span,
                description: entry.description.clone(),
                minutes: invoiced,
                minutes_over: over,
                amount_minor: sum - amount_minor,
                protection: Protection::of(entry.tracked, invoiced, &entry.description, billing_verified),
            });
            amount_minor = sum;
        }
        if amount_minor == 0 {
            return Ok(None);
        }
        let invoice = Self {
            id: Self::id_of(contract.id, week),
            contract_id: contract.id,
            client_id: contract.client_id,
            person_id: contract.person_id,
            account_id: contract.account_id,
            week,
            period: None,
            rate,
            limit_minutes,
            minutes,
            minutes_over,
            amount: Money::new(amount_minor, rate.currency),
            state: InvoiceState::Open,
        };
        Ok(Some((invoice, lines)))
    }

    /// The invoice for a period of a recurring contract, which was paused at these times. `None` if it would come to nothing.
    ///
    /// # Errors
    /// If the contract is not recurring.
    pub fn of_period(contract: &Contract, period: WorkPeriod, pauses: &[Pause]) -> Result<Option<Self>, ContractError> {
        let Pay::Recurring { amount, .. } = contract.pay else {
            return Err(ContractError::NotRecurring);
        };
        let amount = period.cost_rounded_down(contract, amount, pauses);
        let invoice = Self {
            id: InvoiceId::derived(contract.id.as_uuid(), &format!("period/{}", period.start)),
            contract_id: contract.id,
            client_id: contract.client_id,
            person_id: contract.person_id,
            account_id: contract.account_id,
            week: Week::of(period.end.saturating_sub(STEP)),
            period: Some(period),
            rate: Money::new(0, amount.currency),
            limit_minutes: 0,
            minutes: 0,
            minutes_over: 0,
            amount,
            state: InvoiceState::Open,
        };
        Ok((amount.minor > 0).then_some(invoice))
    }

    /// The moment after what it is for.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.period.map_or(self.week.end(), |period| period.end)
    }

    /// The last moment in which the client may review it, and dispute it.
    #[must_use]
    pub fn review_until(&self) -> Timestamp {
        week::review_until(self.ends_at(), self.state.paid_at())
    }

    /// Where it stands in lists.
    #[must_use]
    pub const fn position(&self) -> InvoicePosition {
        InvoicePosition {
            week: self.week,
            id: self.id,
        }
    }

    /// When it was issued, however late that was carried out.
    #[must_use]
    pub fn issued_at(&self) -> Timestamp {
        self.period.map_or(self.week.closes_at(), |period| period.end)
    }

    /// The client has paid: it becomes the earning `earning_id`, which occurred on the Monday that the week began with, or when
    /// the contract began within the week, as nothing of it was worked before; for a period it occurred when that began. It is
    /// available at the later of the week's Wednesday and five days after the payment [F6]. `None` if it was paid before.
    ///
    /// # Errors
    /// If the contract's total would not fit.
    pub fn pay(
        &mut self,
        contract: &mut Contract,
        earning_id: EarningId,
        at: Timestamp,
    ) -> Result<Option<Earning>, ContractError> {
        if let InvoiceState::Paid { .. } = self.state {
            return Ok(None);
        }
        let earned = Earned {
            source: EarningSource::Invoice(self.id),
            gross: self.amount,
            occurred_at: self
                .period
                .map_or(self.week.start(), |period| period.start)
                .max(contract.begins_at()),
            approved_at: at,
            available_at: week::available_at(self.ends_at()).max(at.add_days(AVAILABILITY_DAYS)),
            review_until: week::review_until(self.ends_at(), Some(at)),
        };
        let earning = Earning::of(contract, earning_id, earned)?;
        self.state = InvoiceState::Paid { paid_at: at };
        Ok(Some(earning))
    }
}

impl Invoice {
    /// Charging the client was given up; whether that has changed anything. One that is paid stays so.
    pub const fn give_up(&mut self) -> bool {
        let open = matches!(self.state, InvoiceState::Open);
        if open {
            self.state = InvoiceState::Unpaid;
        }
        open
    }
}

impl Protection {
    /// What a line comes to of which so many minutes are invoiced.
    #[must_use]
    pub const fn of(tracked: bool, minutes: u32, description: &str, billing_verified: bool) -> Self {
        Self {
            tracked,
            within_limit: minutes > 0,
            described: !description.is_empty(),
            billing_verified,
        }
    }
}

impl InvoiceState {
    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Paid { .. } => "PAID",
            Self::Unpaid => "UNPAID",
        }
    }

    /// When the client has paid.
    #[must_use]
    pub const fn paid_at(self) -> Option<Timestamp> {
        match self {
            Self::Paid { paid_at } => Some(paid_at),
            Self::Open | Self::Unpaid => None,
        }
    }
}
