//! To the wire.

use vouch_primitives::{Money, terms::RecurringPay};
use vouch_proto::{common::v1 as common, convert::to_wire_time, payments::v1 as pb};

use crate::{
    app::contracts::ContractView,
    domain::{
        Author, Balances, ContractState, CurrencyTotal, Earning, EarningSource, EarningState, Milestone,
        MilestoneState, Part, Pay, RewardTotal, StatementLine, Week,
    },
};

impl From<ContractView> for pb::Contract {
    fn from(view: ContractView) -> Self {
        use pb::contract::{Author as Halter, Pay as Wire, State};
        let (contract, limits) = (view.contract, view.limits.unwrap_or_default());
        let pay = match contract.pay {
            Pay::Hourly { rate, .. } => Wire::Hourly(common::HourlyPay {
                rate: Some(rate.into()),
                weekly_limit_minutes: limits.in_week(Week::of(view.at)),
            }),
            Pay::Recurring { amount, every } => Wire::Recurring(RecurringPay { amount, every }.into()),
            Pay::Fixed { currency } => Wire::Fixed(pb::FixedPriceContract {
                currency_code: currency.code().to_owned(),
                milestones: view.milestones.into_iter().map(Into::into).collect(),
            }),
        };
        let state = match contract.state {
            ContractState::Active if contract.unpaid_since.is_some() => State::Paused,
            ContractState::Active => State::Active,
            ContractState::Paused(_) => State::Paused,
            ContractState::Ended(_) => State::Ended,
        };
        let halt = contract.state.halt();
        Self {
            id: contract.id.to_string(),
            offer_id: contract.offer_id.to_string(),
            client_id: contract.client_id.to_string(),
            person_id: contract.person_id.to_string(),
            account_id: contract.account_id.to_string(),
            pay: Some(pay),
            fee_terms: Some(pb::FeeTerms {
                version: contract.fee_terms.version,
                talent_basis_points: contract.fee_terms.talent.get(),
            }),
            start_time: Some(to_wire_time(contract.start_at)),
            create_time: Some(to_wire_time(contract.created_at)),
            state: state.into(),
            state_time: halt.map(|halt| to_wire_time(halt.at)),
            state_reason: halt.map_or_else(String::new, |halt| halt.reason.clone()),
            state_author: halt
                .and_then(|halt| halt.by)
                .map_or(Halter::Unspecified, |by| match by {
                    Author::Client => Halter::Client,
                    Author::Talent => Halter::Talent,
                    Author::Operator => Halter::Operator,
                })
                .into(),
            next_weekly_limit: limits.waiting(view.at).map(|(from, minutes)| pb::WeeklyLimit {
                from_time: Some(to_wire_time(from.start())),
                minutes,
            }),
            unpaid_time: contract.unpaid_since.map(to_wire_time),
        }
    }
}

impl From<Milestone> for pb::Milestone {
    fn from(milestone: Milestone) -> Self {
        use pb::milestone::State;
        let (state, approval) = match milestone.state {
            MilestoneState::Agreed => (State::Agreed, None),
            MilestoneState::Funding => (State::Funding, None),
            MilestoneState::Funded => (State::Funded, None),
            MilestoneState::Submitted { .. } => (State::Submitted, None),
            MilestoneState::Approved {
                approved_at,
                earning_id,
                ..
            } => (State::Approved, Some((approved_at, earning_id))),
            MilestoneState::Cancelled => (State::Cancelled, None),
            MilestoneState::ChargedBack { .. } => (State::ChargedBack, None),
        };
        Self {
            id: milestone.id.to_string(),
            contract_id: milestone.contract_id.to_string(),
            title: milestone.title.clone(),
            amount: Some(milestone.amount.into()),
            state: state.into(),
            submit_time: milestone.state.submitted_at().map(to_wire_time),
            auto_approve_time: milestone.auto_approve_at().map(to_wire_time),
            approve_time: approval.map(|(at, _)| to_wire_time(at)),
            earning_id: approval.map_or_else(String::new, |(_, id)| id.to_string()),
            charged_back: (milestone.taken_minor > 0)
                .then(|| Money::new(milestone.taken_minor, milestone.amount.currency).into()),
        }
    }
}

impl From<Earning> for pb::Earning {
    fn from(earning: Earning) -> Self {
        use pb::earning::State;
        let state = match earning.state {
            EarningState::Pending { .. } => State::Pending,
            EarningState::Settled { .. } => State::Settled,
        };
        let money = |minor| Some(Money::new(minor, earning.gross.currency).into());
        let source = match earning.source {
            EarningSource::Milestone(id) => pb::earning::Source::MilestoneId(id.to_string()),
            EarningSource::Invoice(id) => pb::earning::Source::InvoiceId(id.to_string()),
            EarningSource::Bonus(id) => pb::earning::Source::BonusPaymentId(id.to_string()),
        };
        Self {
            id: earning.id.to_string(),
            contract_id: earning.contract_id.to_string(),
            client_id: earning.client_id.to_string(),
            account_id: earning.account_id.to_string(),
            gross: Some(earning.gross.into()),
            fee: money(earning.fee_minor),
            refunded: money(earning.refunded_minor),
            disputed: money(earning.disputed_minor),
            state: state.into(),
            occur_time: Some(to_wire_time(earning.occurred_at)),
            available_time: Some(to_wire_time(earning.available_at)),
            source: Some(source),
        }
    }
}

impl From<Balances> for pb::Balance {
    fn from(balances: Balances) -> Self {
        let money = |minor| Some(Money::new(minor, balances.currency).into());
        Self {
            pending: money(balances.pending_minor),
            held: money(balances.held_minor),
            available: money(balances.available_minor),
            in_transit: money(balances.in_transit_minor),
            receivable: money(balances.receivable_minor),
        }
    }
}

impl From<Part> for pb::statement_line::Part {
    fn from(part: Part) -> Self {
        match part {
            Part::Pending => Self::Pending,
            Part::Held => Self::Held,
            Part::Available => Self::Available,
            Part::InTransit => Self::InTransit,
            Part::Receivable => Self::Receivable,
        }
    }
}

impl From<StatementLine> for pb::StatementLine {
    fn from(line: StatementLine) -> Self {
        Self {
            transfer_id: line.transfer_id.to_string(),
            time: Some(to_wire_time(line.at)),
            book_time: Some(to_wire_time(line.position.booked_at)),
            part: pb::statement_line::Part::from(line.part).into(),
            amount: Some(line.amount.into()),
            balance_after: Some(line.balance_after.into()),
            kind: line.kind,
            source_id: line.source_id.to_string(),
        }
    }
}

impl From<RewardTotal> for pb::RewardPosting {
    fn from(total: RewardTotal) -> Self {
        Self {
            tie_id: total.key.tie_id.to_string(),
            kind: total.key.kind.name().to_owned(),
            posted: Some(Money::new(total.posted_minor, total.key.currency).into()),
            epoch: total.epoch,
            sequence: total.sequence,
            account_id: total.account_id.to_string(),
        }
    }
}

impl From<CurrencyTotal> for pb::CurrencyTotal {
    fn from(total: CurrencyTotal) -> Self {
        Self {
            imbalance: Some(total.imbalance.into()),
            wrong_balances: total.wrong_balances,
            transfers: total.transfers,
        }
    }
}
