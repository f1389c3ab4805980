//! The e-mails of this service.

use vouch_mail::{Button, Letter, NewMail, Quote, enqueue};
use vouch_primitives::{Timestamp, Uuid};
use vouch_storage::Txn;

use crate::{
    domain::{Agency, Brings, Case, Person, State, Step, Task},
    error::Error,
};

/// Sends a letter of ours to the account e-mail of a person.
pub(super) async fn send(
    txn: &Txn,
    now: Timestamp,
    (kind, about): (&'static str, Uuid),
    to: &Person,
    letter: Letter,
) -> Result<(), Error> {
    let mail = NewMail {
        kind,
        about,
        to: to.information.account_email.clone(),
        to_name: Some(to.information.display_name.clone()),
        from_name: "Vouch".to_owned(),
        reply_to: None,
        letter,
    };
    enqueue(txn, now, &mail).await?;
    Ok(())
}

/// Asks a person to show that the account e-mail is theirs; `link` carries the token.
pub(super) fn of_verification(person: &Person, link: String) -> Letter {
    Letter {
        subject: "Verify your e-mail address".to_owned(),
        heading: "Verify your e-mail address".to_owned(),
        paragraphs: vec![
            format!("Hello {},", person.information.display_name),
            format!(
                "{} Please confirm that it is yours; offers that were sent to it are then waiting for you.",
                if person.pending_email.is_some() {
                    "you have asked that your account at Vouch gets this address."
                } else {
                    "you have registered at Vouch with this address."
                }
            ),
        ],
        button: Some(Button {
            label: "Verify address".to_owned(),
            url: link,
        }),
        footer: vec!["If that was not you, you can ignore this e-mail.".to_owned()],
        ..Letter::default()
    }
}

/// Tells a person, at the address that they have, that they asked for another one, which it does not name.
pub(super) fn of_email_change(person: &Person) -> Letter {
    Letter {
        subject: "Your account gets another e-mail address".to_owned(),
        heading: "Your account gets another e-mail address".to_owned(),
        paragraphs: vec![
            format!("Hello {},", person.information.display_name),
            "you have asked that your account at Vouch gets another e-mail address. It takes the place of this one as \
             soon as it is verified."
                .to_owned(),
        ],
        footer: vec![
            "If that was not you, somebody else may be able to use your account: please change its password and take \
             the change back."
                .to_owned(),
        ],
        ..Letter::default()
    }
}

/// The mail to whoever has an account, when somebody registers with the same address. It holds nothing of what that
/// one has said.
pub(super) fn of_existing_account() -> Letter {
    Letter {
        subject: "You have an account already".to_owned(),
        heading: "You have an account already".to_owned(),
        paragraphs: vec![
            "somebody has registered at Vouch with this address. It belongs to your account, and nothing has changed \
             there. If that was you, please go on with the account that you have."
                .to_owned(),
        ],
        footer: vec!["If that was not you, you can ignore this e-mail.".to_owned()],
        ..Letter::default()
    }
}

/// The final agency invitation, by which the listing of an agency becomes public [B34]; `link` carries the token.
pub(super) fn of_agency_invitation(case: &Case, person: &Person, agency: &Agency, link: String) -> Letter {
    let (company, name) = (&case.client.company_name, &agency.name);
    Letter {
        subject: format!("Your agency {name} is invited by {company}"),
        heading: format!("Confirm the listing of {name}"),
        paragraphs: vec![
            format!("Hello {},", person.information.display_name),
            format!(
                "everything that {company} asks of you is confirmed. One step is left before you can accept the offer: \
                 confirm the public listing of your agency."
            ),
            "Everybody can find the listing from then on; it cannot be made private.".to_owned(),
        ],
        facts: vec![
            ("Agency".to_owned(), name.clone()),
            ("Company".to_owned(), company.clone()),
        ],
        button: Some(Button {
            label: "Accept invitation".to_owned(),
            url: link,
        }),
        ..Letter::default()
    }
}

/// Tells a person that the client has written the offer anew.
pub(super) fn of_changed_offer(case: &Case, person: &Person, project_name: &str) -> Letter {
    let company = &case.client.company_name;
    Letter {
        subject: format!("{company} has changed its offer for {project_name}"),
        heading: "Your offer has changed".to_owned(),
        paragraphs: vec![
            format!("Hello {},", person.information.display_name),
            format!("{company} has written its offer anew. Please review the new terms before you accept them."),
        ],
        facts: vec![
            ("Project".to_owned(), project_name.to_owned()),
            ("Company".to_owned(), company.clone()),
        ],
        ..Letter::default()
    }
}

/// Tells a person that everything they had to do is confirmed [B24].
pub(super) fn of_confirmation(case: &Case, person: &Person) -> Letter {
    let company = &case.client.company_name;
    let next = match (&case.state, &case.brings) {
        (State::At(Step::AcceptOffer), _) => "You can accept your offer now.",
        (State::At(Step::VerifyEmail), _) => "Please verify your e-mail address, and you are ready to work.",
        (_, Brings::TalentCloud(_)) => "You are ready to work when the next project is there.",
        (_, Brings::Contract(_)) => "Your offer waits for you.",
    };
    Letter {
        subject: format!("Everything is confirmed for {company}"),
        heading: "Everything is confirmed".to_owned(),
        paragraphs: vec![
            format!("Hello {},", person.information.display_name),
            format!("we have looked at everything that {company} asks of you, and all of it is confirmed. {next}"),
        ],
        ..Letter::default()
    }
}

/// Tells a person that something has to be done again.
pub(super) fn of_rejection(case: &Case, person: &Person, task: &Task, reason: &str) -> Letter {
    let title = &task.title;
    let mut paragraphs = vec![
        format!("Hello {},", person.information.display_name),
        format!(
            "we could not confirm what you have handed in for “{title}”, which {} asks for.",
            case.client.company_name
        ),
    ];
    if let Some(moment) = task.not_before {
        paragraphs.push(format!("You can try again from {moment} on."));
    }
    Letter {
        subject: format!("Please look at “{title}” again"),
        heading: "Please look at this again".to_owned(),
        paragraphs,
        quote: Some(Quote {
            author: "Vouch".to_owned(),
            text: reason.to_owned(),
        }),
        ..Letter::default()
    }
}

/// The message with which a person accepts an offer, to the hiring manager [B26, B27].
pub(super) fn of_acceptance(case: &Case, project_name: &str, person: &Person, message: &str) -> Letter {
    let talent = &person.information.display_name;
    Letter {
        subject: format!("{talent} accepted your offer for {project_name}"),
        heading: format!("{talent} accepted your offer"),
        paragraphs: vec![
            format!("Hello {},", case.client.hiring_manager.display_name),
            format!("{talent} is ready to start and writes to you. The message is in the project room, too."),
        ],
        facts: vec![
            ("Project".to_owned(), project_name.to_owned()),
            ("Company".to_owned(), case.client.company_name.clone()),
        ],
        quote: Some(Quote {
            author: talent.clone(),
            text: message.to_owned(),
        }),
        ..Letter::default()
    }
}
