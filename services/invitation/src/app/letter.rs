//! The e-mail of an invitation: who invites, what is offered, one button, and nothing else.

use vouch_mail::{Button, Letter, Quote, day};
use vouch_primitives::Money;

use crate::domain::{Content, ContractTerms, HourlyPay, Invitation, Pay, TalentType};

/// Why somebody gets a letter about an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// They are invited.
    Invited,
    /// They have an account, in which an offer waits.
    Offered,
    /// They have not answered yet.
    Reminded,
}

/// The letter of an invitation [B13-B16]; `link` carries the token [B17], `unsubscribe` the way out.
pub(super) fn of_invitation(invitation: &Invitation, occasion: Occasion, link: String, unsubscribe: String) -> Letter {
    let Invitation {
        company_name,
        hiring_manager,
        recipient,
        ..
    } = invitation;
    let manager = &hiring_manager.display_name;
    let Proposal {
        aim,
        opening,
        texts,
        facts,
        open_until,
    } = proposal(invitation);
    let greeting = (!recipient.name.is_empty()).then(|| format!("Hello {name},", name = recipient.name));
    let quote = (!invitation.personal_message.is_empty()).then(|| Quote {
        author: manager.clone(),
        text: invitation.personal_message.clone(),
    });
    let (subject, heading) = match occasion {
        Occasion::Invited => (
            format!("{company_name} invites you to {aim}"),
            format!("{company_name} invites you"),
        ),
        Occasion::Offered => (
            format!("{company_name} has an offer for you: {aim}"),
            format!("{company_name} has an offer for you"),
        ),
        Occasion::Reminded => (
            format!("Reminder: {company_name} invites you to {aim}"),
            format!("{company_name} is waiting for your answer"),
        ),
    };
    Letter {
        subject,
        preheader: Some(opening.clone()),
        heading,
        paragraphs: greeting.into_iter().chain([opening]).chain(texts).collect(),
        facts,
        quote,
        button: Some(Button {
            label: match occasion {
                Occasion::Offered => "See the offer".to_owned(),
                Occasion::Invited | Occasion::Reminded => "Activate your account".to_owned(),
            },
            url: link,
        }),
        footer: vec![
            format!("{open_until} {}.", day(invitation.expires_at)),
            format!("If you do not know {company_name}, you can ignore this e-mail."),
        ],
        unsubscribe: Some(unsubscribe),
    }
}

/// What a letter says of what the invitation brings.
struct Proposal {
    /// To what somebody is invited.
    aim: String,
    /// The same as a sentence.
    opening: String,
    /// What is said of it in texts.
    texts: Vec<String>,
    /// What is said of it in a table.
    facts: Vec<(String, String)>,
    /// How the sentence begins that says until when it is open.
    open_until: &'static str,
}

fn proposal(invitation: &Invitation) -> Proposal {
    let Invitation {
        company_name,
        hiring_manager,
        talent_type,
        ..
    } = invitation;
    let manager = &hiring_manager.display_name;
    let you = match talent_type {
        TalentType::Freelancer => "you",
        TalentType::Agency => "your agency",
    };
    match &invitation.content {
        Content::Contract(terms) => {
            let payment_terms =
                (!terms.payment_terms.is_empty()).then(|| format!("Payment terms:\n{}", terms.payment_terms));
            let scope = format!("Scope of work:\n{}", terms.scope_of_work);
            Proposal {
                aim: terms.project_name.clone(),
                opening: format!("{manager} at {company_name} would like to work with {you}."),
                texts: [scope].into_iter().chain(payment_terms).collect(),
                facts: facts(terms),
                open_until: "The offer is open until",
            }
        }
        // Their words and no detail of any contract [B15, B16].
        Content::Cloud(cloud) => Proposal {
            aim: "their talent cloud".to_owned(),
            opening: format!(
                "{manager} at {company_name} would like to have {you} in the talent cloud “{}”, which hears first of \
                 their next projects.",
                cloud.name
            ),
            texts: Vec::new(),
            facts: Vec::new(),
            open_until: "The invitation is open until",
        },
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
            add("Hourly rate", unbroken(*rate));
            add("Weekly limit", hours(*weekly_limit_minutes));
        }
        Pay::Recurring(pay) => add("Amount", format!("{} {}", unbroken(pay.amount), pay.every.how_often())),
        Pay::Fixed(pay) => {
            add("Agreed amount", unbroken(pay.agreed_amount()));
            for (milestone, number) in pay.milestones().iter().zip(1..) {
                let value = format!("{}: {}", milestone.title, unbroken(milestone.amount));
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

/// No line ends between the currency and the number.
fn unbroken(amount: Money) -> String {
    amount.to_string().replace(' ', "\u{a0}")
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use vouch_primitives::{
        ClientId, Currency, HiringManagerId, InvitationId, TalentCloudId,
        terms::{PayPeriod, RecurringPay},
    };
    use vouch_testkit::tools::assert_golden;

    use super::*;
    use crate::domain::{
        Branch, FixedPay, HiringManager, InvitedCloud, MilestoneTerms, Recipient, Schedule, State,
        invitation::expiry_of,
    };

    fn terms(pay: Pay) -> Content {
        Content::Contract(ContractTerms {
            project_name: "Harbour website & <shop>".to_owned(),
            pay,
            scope_of_work: "A website for the harbour, in three languages.\nA shop for tickets.".to_owned(),
            schedule: Schedule {
                start: "2026-04-01".parse().expect("a moment"),
                expected_weekly_hours: Some(20),
            },
            payment_terms: "On approval of each milestone.".to_owned(),
        })
    }

    fn hourly() -> Content {
        terms(Pay::Hourly(HourlyPay {
            rate: Money::new(8_550, Currency::USD),
            weekly_limit_minutes: 1_800,
        }))
    }

    fn fixed() -> Content {
        let milestone = |title: &str, minor| MilestoneTerms {
            title: title.to_owned(),
            amount: Money::new(minor, Currency::USD),
        };
        let milestones = vec![
            milestone("Design of all pages, with a round of corrections", 250_000),
            milestone("Website", 1_000_000),
        ];
        terms(Pay::Fixed(FixedPay::try_new(milestones).expect("a sum")))
    }

    fn recurring() -> Content {
        terms(Pay::Recurring(RecurringPay {
            amount: Money::new(250_000, Currency::USD),
            every: PayPeriod::TwoWeeks,
        }))
    }

    fn cloud() -> Content {
        Content::Cloud(InvitedCloud {
            id: TalentCloudId::new(),
            name: "Friends of the harbour".to_owned(),
        })
    }

    fn letter(talent_type: TalentType, content: Content, occasion: Occasion) -> Letter {
        let sent_at = "2026-03-01T09:00:00Z".parse().expect("a moment");
        let invitation = Invitation {
            id: InvitationId::new(),
            client_id: ClientId::new(),
            company_name: "Harbour & Sons".to_owned(),
            hiring_manager: HiringManager {
                id: HiringManagerId::new(),
                display_name: "Henri Dupont".to_owned(),
                email: "henri@harbour.example".parse().expect("an address"),
            },
            talent_type,
            recipient: Recipient {
                email: "ada@example.com".parse().expect("an address"),
                name: "Ada Lovelace".to_owned(),
            },
            content,
            personal_message: "Dear Ada,\n\nnobody else could <b>do</b> it. Shall we go on?".to_owned(),
            sent_at,
            expires_at: expiry_of(sent_at),
            branch: Branch::Invite,
            state: State::Pending,
        };
        let link = "https://vouch.example/invitations/accept#token=TOKEN".to_owned();
        let way_out = "https://vouch.example/unsubscribe?token=WAY-OUT".to_owned();
        of_invitation(&invitation, occasion, link, way_out)
    }

    /// Every letter, as `make mail-previews` shows it. `VOUCH_RENEW_GOLDEN=1` writes the files anew, on purpose.
    #[test]
    fn every_letter_looks_as_it_was_looked_at() {
        use {Occasion::*, TalentType::*};
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        for (name, letter) in [
            ("freelancer-contract-hourly", letter(Freelancer, hourly(), Invited)),
            ("freelancer-contract-fixed", letter(Freelancer, fixed(), Invited)),
            (
                "freelancer-contract-recurring",
                letter(Freelancer, recurring(), Invited),
            ),
            ("freelancer-contract-offer", letter(Freelancer, fixed(), Offered)),
            ("freelancer-contract-reminder", letter(Freelancer, fixed(), Reminded)),
            ("freelancer-cloud", letter(Freelancer, cloud(), Invited)),
            ("agency-contract-hourly", letter(Agency, hourly(), Invited)),
            ("agency-contract-fixed", letter(Agency, fixed(), Invited)),
            ("agency-cloud", letter(Agency, cloud(), Invited)),
            ("agency-cloud-reminder", letter(Agency, cloud(), Reminded)),
        ] {
            let rendered = letter.render().expect("a letter");
            for (file, text) in [
                (format!("{name}.html"), rendered.html),
                (
                    format!("{name}.txt"),
                    format!("Subject: {}\n\n{}", letter.subject, rendered.text),
                ),
            ] {
                assert_golden(&directory.join(file), &text);
            }
        }
    }

    // B13, B14, B15, B16
    /// What stands in one type of letter and must not stand in another [B13-B17].
    #[test]
    fn each_type_says_what_it_must_and_nothing_else() {
        for talent_type in [TalentType::Freelancer, TalentType::Agency] {
            for (content, shown, hidden) in [
                (hourly(), "USD\u{a0}85.50", "Agreed amount"),
                (fixed(), "USD\u{a0}12,500.00", "Hourly rate"),
                (recurring(), "USD\u{a0}2,500.00 every two weeks", "Agreed amount"),
            ] {
                let html = letter(talent_type, content, Occasion::Invited)
                    .render()
                    .expect("a letter")
                    .html;
                assert!(html.contains(shown) && !html.contains(hidden), "{html}");
                assert!(html.contains("Harbour website &#38; &#60;shop&#62;"), "{html}");
            }
            let cloud = letter(talent_type, cloud(), Occasion::Invited)
                .render()
                .expect("a letter");
            for detail in ["USD", "Scope", "Project", "Start", "Milestone", "Payment terms"] {
                assert!(!cloud.html.contains(detail) && !cloud.text.contains(detail), "{detail}");
            }
            assert!(
                cloud.html.contains("nobody else could &#60;b&#62;do&#60;/b&#62; it"),
                "{}",
                cloud.html
            );
            assert_eq!(cloud.html.matches("bgcolor=\"#157f3c\"").count(), 1, "one green button");
        }
    }

    #[test]
    fn hours_are_written_as_people_do() {
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
