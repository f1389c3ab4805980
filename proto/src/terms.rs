//! The terms of a contract, from the wire and back.

use vouch_primitives::terms::{
    ContractTerms, EXPECTED_WEEKLY_HOURS, FixedPay, HourlyPay, MilestoneTerms, PAYMENT_TERMS_LENGTH, Pay, PayError,
    PayPeriod, RecurringPay, SCOPE_LENGTH, Schedule, TITLE_LENGTH, WEEKLY_LIMIT_MINUTES,
};

use crate::{
    Fields, Violations,
    common::v1::{self as common, contract_terms::Pay as WirePay},
    convert::to_wire_time,
};

impl TryFrom<common::ContractTerms> for ContractTerms {
    type Error = Violations;

    fn try_from(terms: common::ContractTerms) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(terms) = contract_terms(&mut fields, &terms) else {
            return Err(fields.into());
        };
        fields.finish(terms)
    }
}

/// Reads the terms of a contract; `None` if a violation was noted.
#[must_use]
pub fn contract_terms(fields: &mut Fields, terms: &common::ContractTerms) -> Option<ContractTerms> {
    let project_name = fields.line("project_name", &terms.project_name, TITLE_LENGTH);
    let pay = match &terms.pay {
        Some(WirePay::Hourly(hourly)) => fields
            .within("hourly", |fields| hourly_pay(fields, hourly))
            .map(Pay::Hourly),
        Some(WirePay::Fixed(fixed)) => fields
            .within("fixed", |fields| fixed_pay(fields, fixed))
            .map(Pay::Fixed),
        Some(WirePay::Recurring(recurring)) => fields
            .within("recurring", |fields| recurring_pay(fields, recurring))
            .map(Pay::Recurring),
        None => {
            fields.refuse("pay", "REQUIRED", "is required: hourly, fixed or recurring");
            None
        }
    };
    let scope_of_work = fields.text("scope_of_work", &terms.scope_of_work, SCOPE_LENGTH);
    let schedule = match &terms.schedule {
        Some(wire) => fields.within("schedule", |fields| schedule(fields, wire)),
        None => {
            fields.refuse("schedule", "REQUIRED", "is required");
            None
        }
    };
    let payment_terms = fields.text("payment_terms", &terms.payment_terms, PAYMENT_TERMS_LENGTH);
    Some(ContractTerms {
        project_name: project_name?,
        pay: pay?,
        scope_of_work: scope_of_work?,
        schedule: schedule?,
        payment_terms: payment_terms?,
    })
}

fn hourly_pay(fields: &mut Fields, hourly: &common::HourlyPay) -> Option<HourlyPay> {
    let rate = fields.positive_money("rate", hourly.rate.as_ref());
    let weekly_limit_minutes = hourly.weekly_limit_minutes;
    if !WEEKLY_LIMIT_MINUTES.contains(&weekly_limit_minutes) {
        fields.refuse("weekly_limit_minutes", "OUT_OF_RANGE", "must be 1 to 10,080");
        return None;
    }
    rate.map(|rate| HourlyPay {
        rate,
        weekly_limit_minutes,
    })
}

fn fixed_pay(fields: &mut Fields, fixed: &common::FixedPay) -> Option<FixedPay> {
    let read: Vec<_> = fixed
        .milestones
        .iter()
        .enumerate()
        .map(|(index, wire)| fields.within(&format!("milestones[{index}]"), |fields| milestone(fields, wire)))
        .collect();
    let milestones = read.into_iter().collect::<Option<Vec<_>>>()?;
    let reason = |error: &PayError| match error {
        PayError::MilestoneCount(0) => "REQUIRED",
        PayError::MilestoneCount(_) | PayError::AmountTooLarge(_) => "OUT_OF_RANGE",
        PayError::NoSum(_) => "NO_SUM",
    };
    FixedPay::try_new(milestones)
        .map_err(|error| fields.refuse("milestones", reason(&error), error.to_string()))
        .ok()
}

/// Reads what is paid per period; `None` if a violation was noted.
#[must_use]
pub fn recurring_pay(fields: &mut Fields, recurring: &common::RecurringPay) -> Option<RecurringPay> {
    let amount = fields.positive_money("amount", recurring.amount.as_ref());
    let every = match recurring.every() {
        common::PayPeriod::Week => Some(PayPeriod::Week),
        common::PayPeriod::TwoWeeks => Some(PayPeriod::TwoWeeks),
        common::PayPeriod::Month => Some(PayPeriod::Month),
        common::PayPeriod::Quarter => Some(PayPeriod::Quarter),
        common::PayPeriod::Unspecified => {
            fields.refuse(
                "every",
                "REQUIRED",
                "is required: a week, two weeks, a month or a quarter",
            );
            None
        }
    };
    Some(RecurringPay {
        amount: amount?,
        every: every?,
    })
}

impl From<RecurringPay> for common::RecurringPay {
    fn from(pay: RecurringPay) -> Self {
        let every = match pay.every {
            PayPeriod::Week => common::PayPeriod::Week,
            PayPeriod::TwoWeeks => common::PayPeriod::TwoWeeks,
            PayPeriod::Month => common::PayPeriod::Month,
            PayPeriod::Quarter => common::PayPeriod::Quarter,
        };
        Self {
            amount: Some(pay.amount.into()),
            every: every.into(),
        }
    }
}

fn milestone(fields: &mut Fields, milestone: &common::MilestoneTerms) -> Option<MilestoneTerms> {
    let title = fields.line("title", &milestone.title, TITLE_LENGTH);
    let amount = fields.positive_money("amount", milestone.amount.as_ref());
    Some(MilestoneTerms {
        title: title?,
        amount: amount?,
    })
}

fn schedule(fields: &mut Fields, schedule: &common::Schedule) -> Option<Schedule> {
    let start = fields.time("start_time", schedule.start_time.as_ref());
    let hours = schedule.expected_weekly_hours;
    if !EXPECTED_WEEKLY_HOURS.contains(&hours) {
        fields.refuse("expected_weekly_hours", "OUT_OF_RANGE", "must be at most 168");
        return None;
    }
    start.map(|start| Schedule {
        start,
        expected_weekly_hours: (hours > 0).then_some(hours),
    })
}

impl From<&ContractTerms> for common::ContractTerms {
    fn from(terms: &ContractTerms) -> Self {
        Self {
            project_name: terms.project_name.clone(),
            scope_of_work: terms.scope_of_work.clone(),
            schedule: Some(common::Schedule {
                start_time: Some(to_wire_time(terms.schedule.start)),
                expected_weekly_hours: terms.schedule.expected_weekly_hours.unwrap_or(0),
            }),
            payment_terms: terms.payment_terms.clone(),
            pay: Some(match &terms.pay {
                Pay::Hourly(pay) => WirePay::Hourly(common::HourlyPay {
                    rate: Some(pay.rate.into()),
                    weekly_limit_minutes: pay.weekly_limit_minutes,
                }),
                Pay::Fixed(pay) => WirePay::Fixed(common::FixedPay {
                    milestones: wire_milestones(pay),
                }),
                Pay::Recurring(pay) => WirePay::Recurring((*pay).into()),
            }),
        }
    }
}

fn wire_milestones(pay: &FixedPay) -> Vec<common::MilestoneTerms> {
    let wire = |milestone: &MilestoneTerms| common::MilestoneTerms {
        title: milestone.title.clone(),
        amount: Some(milestone.amount.into()),
    };
    pay.milestones().iter().map(wire).collect()
}
