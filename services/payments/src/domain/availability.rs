//! Why money is not available yet: every amount with its date, and the rule that has set it [F6].

use std::{fmt, str::FromStr};

use vouch_primitives::{DisputeId, EarningId, InvoiceId, Money, Timestamp, Uuid};

use super::{Dispute, Earning, EarningSource, EarningState, Invoice, Part, week};

/// The rule that decides when an amount becomes available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Hourly work, or work that is paid per period: ten days after the last day of the week, which is a Wednesday, or of the
    /// period.
    WeekEnd,
    /// The same, of a client that paid late: five days after the charge succeeded.
    Charge,
    /// A milestone: five days after it was approved.
    Approval,
    /// A bonus: five days after it was paid.
    Bonus,
    /// Not before the dispute about it ends.
    Dispute(DisputeId),
    /// Nothing is earned before the client has paid the invoice.
    Unpaid,
}

/// An amount that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// What it is paid for.
    pub source: EarningSource,
    /// The earning; there is none before the client has paid.
    pub earning_id: Option<EarningId>,
    /// In which balance it is; in none before the client has paid.
    pub part: Option<Part>,
    /// How much: after the service fee where it is earned, before it where it is not.
    pub amount: Money,
    /// When it becomes available, if that is known.
    pub available_at: Option<Timestamp>,
    /// Why then.
    pub rule: Rule,
}

/// Orders what is waited for: earnings, then invoices that are not paid, each by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AwaitedPosition {
    /// An earning, of which more than one amount may wait.
    Earning(EarningId),
    /// An invoice.
    Invoice(InvoiceId),
}

/// The text is not the position of something that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the position of something that is waited for")]
pub struct InvalidPosition;

impl fmt::Display for AwaitedPosition {
    /// Such as `earning/0190…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earning(id) => write!(f, "earning/{id}"),
            Self::Invoice(id) => write!(f, "invoice/{id}"),
        }
    }
}

impl FromStr for AwaitedPosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (kind, id) = text.split_once('/').ok_or(InvalidPosition)?;
        let id: Uuid = id.parse().map_err(|_| InvalidPosition)?;
        match kind {
            "earning" => Ok(Self::Earning(EarningId::from_uuid(id))),
            "invoice" => Ok(Self::Invoice(InvoiceId::from_uuid(id))),
            _ => Err(InvalidPosition),
        }
    }
}

impl Awaited {
    /// What of an earning is pending, and what an open dispute about it holds.
    #[must_use]
    pub fn of_earning(earning: &Earning, dispute: Option<&Dispute>) -> Vec<Self> {
        let amount = |part, minor, available_at, rule| Self {
            source: earning.source,
            earning_id: Some(earning.id),
            part: Some(part),
            amount: Money::new(minor, earning.gross.currency),
            available_at,
            rule,
        };
        let mut amounts = Vec::new();
        if let EarningState::Pending { held_minor: held @ 1.. } = earning.state {
            let at = Some(earning.available_at);
            amounts.push(amount(Part::Pending, held, at, rule_of(earning)));
        }
        if let Some(dispute) = dispute.filter(|dispute| dispute.held_minor > 0) {
            amounts.push(amount(Part::Held, dispute.held_minor, None, Rule::Dispute(dispute.id)));
        }
        amounts
    }

    /// What an invoice will bring, before the service fee, once it is paid.
    #[must_use]
    pub const fn of_invoice(invoice: &Invoice) -> Self {
        Self {
            source: EarningSource::Invoice(invoice.id),
            earning_id: None,
            part: None,
            amount: invoice.amount,
            available_at: None,
            rule: Rule::Unpaid,
        }
    }

    /// Where it stands in lists.
    #[must_use]
    pub fn position(&self) -> AwaitedPosition {
        let invoice = InvoiceId::from_uuid(self.source.id());
        self.earning_id
            .map_or(AwaitedPosition::Invoice(invoice), AwaitedPosition::Earning)
    }
}

/// The rule that has set the date of an earning.
fn rule_of(earning: &Earning) -> Rule {
    match earning.source {
        EarningSource::Milestone(_) => Rule::Approval,
        EarningSource::Bonus(_) => Rule::Bonus,
        EarningSource::Invoice(_) if week::is_by_calendar(earning.review_until, earning.available_at) => Rule::WeekEnd,
        EarningSource::Invoice(_) => Rule::Charge,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vouch_primitives::{AccountId, BonusPaymentId, ClientId, ContractId, Currency, MilestoneId, PersonId};

    use super::*;
    use crate::domain::{DisputeReason, DisputeState};

    fn earning(source: EarningSource, held_minor: i64, occurred_at: Timestamp, available_at: Timestamp) -> Earning {
        Earning {
            id: EarningId::new(),
            contract_id: ContractId::new(),
            source,
            client_id: ClientId::new(),
            person_id: PersonId::new(),
            account_id: AccountId::new(),
            gross: Money::new(1_000, Currency::USD),
            fee_minor: 100,
            refunded_minor: 0,
            disputed_minor: 0,
            state: EarningState::Pending { held_minor },
            occurred_at,
            approved_at: occurred_at,
            available_at,
            review_until: week::review_until(occurred_at.add_days(7), None),
        }
    }

    // F6
    #[test]
    fn each_kind_of_work_has_its_rule() {
        let monday: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        let wednesday: Timestamp = "2026-03-18T00:00:00Z".parse().unwrap();
        let late = wednesday.add_days(3);
        let invoice = EarningSource::Invoice(InvoiceId::new());
        for (source, available_at, rule) in [
            (invoice, wednesday, Rule::WeekEnd),
            (invoice, late, Rule::Charge),
            (EarningSource::Milestone(MilestoneId::new()), late, Rule::Approval),
            (EarningSource::Bonus(BonusPaymentId::new()), late, Rule::Bonus),
        ] {
            let told = Awaited::of_earning(&earning(source, 900, monday, available_at), None);
            let told: Vec<_> = told
                .iter()
                .map(|of| (of.amount.minor, of.available_at, of.rule))
                .collect();
            assert_eq!(told, [(900, Some(available_at), rule)]);
        }
    }

    proptest! {
        #[test]
        fn what_is_told_adds_up_to_what_is_there(pending in 0..1_000_i64, held in 0..1_000_i64, settled: bool) {
            let at = Timestamp::EPOCH;
            let mut earning = earning(EarningSource::Milestone(MilestoneId::new()), pending, at, at);
            if settled {
                earning.state = EarningState::Settled { settled_at: at };
            }
            let dispute = Dispute {
                id: DisputeId::new(),
                earning_id: earning.id,
                contract_id: earning.contract_id,
                amount: earning.gross,
                held_minor: held,
                reason: DisputeReason::Other,
                description: String::new(),
                opened_at: at,
                state: DisputeState::Open,
            };
            let told = Awaited::of_earning(&earning, Some(&dispute));
            let sum = |part| told.iter().filter(|of| of.part == Some(part)).map(|of| of.amount.minor).sum::<i64>();
            prop_assert_eq!((sum(Part::Pending), sum(Part::Held)), (if settled { 0 } else { pending }, held));
            prop_assert!(told.iter().all(|of| of.amount.minor > 0));
        }
    }

    #[test]
    fn a_position_reads_as_it_is_written() {
        for position in [
            AwaitedPosition::Earning(EarningId::new()),
            AwaitedPosition::Invoice(InvoiceId::new()),
        ] {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        assert_eq!("earning/7".parse::<AwaitedPosition>(), Err(InvalidPosition));
        assert!(AwaitedPosition::Earning(EarningId::new()) < AwaitedPosition::Invoice(InvoiceId::new()));
    }
}
