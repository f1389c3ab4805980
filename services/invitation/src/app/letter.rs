//! The e-mail of an invitation: who invites, what is offered, one button, and nothing else.

use vouch_mail::{Button, Letter, Quote};
use vouch_primitives::Timestamp;

use crate::domain::{ContractTerms, HourlyPay, Invitation, Pay};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Why somebody gets a letter about an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// They are invited.
    Invited,
    /// They have not answered yet.
    Reminded,
}

/// The letter of a freelancer's invitation to a contract [B13, B14]; `link` carries the token [B17].
pub(super) fn of_invitation(invitation: &Invitation, occasion: Occasion, link: String) -> Letter {
    let Invitation {
        company_name,
        hiring_manager,
        recipient,
        contract_terms,
        ..
    } = invitation;
    let manager = &hiring_manager.display_name;
    let project = &contract_terms.project_name;
    let greeting = (!recipient.name.is_empty()).then(|| format!("Hello {name},", name = recipient.name));
    let opening = format!("{manager} at {company_name} would like to work with you.");
    // Facts are lines of a table; these are texts.
    let scope = format!("Scope of work:\n{}", contract_terms.scope_of_work);
    let payment_terms =
        (!contract_terms.payment_terms.is_empty()).then(|| format!("Payment terms:\n{}", contract_terms.payment_terms));
    let quote = (!invitation.personal_message.is_empty()).then(|| Quote {
        author: manager.clone(),
        text: invitation.personal_message.clone(),
    });
    let (subject, heading) = match occasion {
        Occasion::Invited => (
            format!("{company_name} invites you to {project}"),
            format!("{company_name} invites you"),
        ),
        Occasion::Reminded => (
            format!("Reminder: {company_name} invites you to {project}"),
            format!("{company_name} is waiting for your answer"),
        ),
    };
    Letter {
        subject,
        heading,
        paragraphs: greeting
            .into_iter()
            .chain([opening, scope])
            .chain(payment_terms)
            .collect(),
        facts: facts(contract_terms),
        quote,
        button: Some(Button {
            label: "Activate your account".to_owned(),
            url: link,
        }),
        footer: vec![
            format!("The offer is open until {}.", day(invitation.expires_at)),
            format!("If you do not know {company_name}, you can ignore this e-mail."),
        ],
        ..Letter::default()
    }
}

/// The offer, in the order of its parts [B19]; what is left open is left out.
fn facts(terms: &ContractTerms) -> Vec<(String, String)> {
    let mut facts = vec![("Project".to_owned(), terms.project_name.clone())];
    let mut add = |label: &str, value: String| facts.push((label.to_owned(), value));
    match &terms.pay {
        Pay::Hourly(HourlyPay {
            rate,
            weekly_limit_minutes,
        }) => {
            add("Hourly rate", rate.to_string());
            add("Weekly limit", hours(*weekly_limit_minutes));
        }
        Pay::Fixed(pay) => {
            add("Agreed amount", pay.agreed_amount().to_string());
            for (milestone, number) in pay.milestones().iter().zip(1..) {
                let value = format!("{}: {}", milestone.title, milestone.amount);
                add(&format!("Milestone {number}"), value);
            }
        }
    }
    add("Start", day(terms.schedule.start));
    if let Some(hours) = terms.schedule.expected_weekly_hours {
        add("Expected hours", format!("{hours} a week"));
    }
    facts
}

/// 1,800 minutes are "30 hours", 1,830 are "30 hours 30 minutes".
fn hours(minutes: u32) -> String {
    let count = |number: u32, unit: &str| match number {
        0 => None,
        1 => Some(format!("1 {unit}")),
        _ => Some(format!("{number} {unit}s")),
    };
    let parts = [count(minutes / 60, "hour"), count(minutes % 60, "minute")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The day as people write it, in UTC: "31 March 2026".
fn day(time: Timestamp) -> String {
    let text = time.to_string();
    let date: Vec<&str> = text.split('T').next().unwrap_or_default().split('-').collect();
    let month = date.get(1).and_then(|month| month.parse::<usize>().ok());
    match (&date[..], month.and_then(|month| MONTHS.get(month.checked_sub(1)?))) {
        ([year, _, day], Some(month)) => format!("{} {month} {year}", day.trim_start_matches('0')),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_are_written_as_people_do() {
        for (time, shown) in [
            ("2026-03-31T09:00:00Z", "31 March 2026"),
            ("2026-01-01T00:00:00Z", "1 January 2026"),
            ("9999-12-31T23:59:59.999999Z", "31 December 9999"),
        ] {
            assert_eq!(day(time.parse().expect("a moment")), shown);
        }
        for (minutes, shown) in [
            (1_800, "30 hours"),
            (1_830, "30 hours 30 minutes"),
            (61, "1 hour 1 minute"),
            (1, "1 minute"),
        ] {
            assert_eq!(hours(minutes), shown);
        }
    }
}
