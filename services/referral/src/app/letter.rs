//! The e-mail that invites a friend: who recommends them, for which job, in whose words, one button [R15, R16].

use vouch_mail::{Button, Letter, Quote, day};

use crate::domain::{ReferralInvitation, ReferralKind, Words};

/// Why somebody gets the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// They are invited.
    Invited,
    /// They have not answered yet.
    Reminded,
}

/// The letter of an invitation; `link` carries the token [R17], `unsubscribe` the way out.
pub(super) fn of_invitation(
    invitation: &ReferralInvitation,
    words: &Words,
    occasion: Occasion,
    link: String,
    unsubscribe: String,
) -> Letter {
    let Words {
        recipient_name,
        referrer_name: name,
        referrer_contact,
        job,
        message,
        ..
    } = words;
    let opening = match invitation.kind {
        ReferralKind::Friend => {
            format!("{name} recommends you on Vouch, where freelancers and agencies find work and are paid for it.")
        }
        _ => format!("{name} recommends you to a client of theirs on Vouch, who may have work for you."),
    };
    let (subject, heading) = match occasion {
        Occasion::Invited => (
            format!("{name} recommends you: {job}"),
            format!("{name} recommends you"),
        ),
        Occasion::Reminded => (
            format!("Reminder: {name} recommends you: {job}"),
            format!("{name} is waiting for your answer"),
        ),
    };
    Letter {
        subject,
        preheader: Some(opening.clone()),
        heading,
        paragraphs: vec![format!("Hello {recipient_name},"), opening],
        quote: Some(Quote {
            author: name.clone(),
            text: message.clone(),
        }),
        facts: vec![
            ("Job".to_owned(), job.clone()),
            ("Recommended by".to_owned(), name.clone()),
            ("Contact".to_owned(), referrer_contact.clone()),
        ],
        button: Some(Button {
            label: "Accept the invitation".to_owned(),
            url: link,
        }),
        footer: vec![
            format!("The invitation is open until {}.", day(invitation.expires_at())),
            format!("If you do not know {name}, you can ignore this e-mail."),
        ],
        unsubscribe: Some(unsubscribe),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use vouch_primitives::{ReferralInvitationId, ReferrerId};
    use vouch_testkit::tools::assert_golden;

    use super::*;
    use crate::domain::{AddressHash, Stage};

    fn letter(occasion: Occasion, kind: ReferralKind) -> Letter {
        let sent_at = "2026-03-01T09:00:00Z".parse().expect("a moment");
        let invitation = ReferralInvitation {
            id: ReferralInvitationId::new(),
            referrer: ReferrerId::new(),
            address: AddressHash([0; 32]),
            kind,
            client: None,
            stage: Stage::Sent,
            sent_at,
            accepted_at: None,
            person: None,
            since: sent_at,
            number_of_day: 1,
            number_of_week: 1,
        };
        let words = Words {
            email: "ada@example.com".parse().expect("an address"),
            recipient_name: "Ada Lovelace".to_owned(),
            referrer_name: "Rosa Parks".to_owned(),
            referrer_contact: "rosa@example.com, +1 334 555 0142".to_owned(),
            job: "Translator of technical texts & <notes>".to_owned(),
            message: "Dear Ada,\n\nnobody else could <b>do</b> it. Have a look?".to_owned(),
        };
        let link = "https://vouch.example/referrals/accept#token=TOKEN".to_owned();
        let way_out = "https://vouch.example/referrals/unsubscribe?token=WAY-OUT".to_owned();
        of_invitation(&invitation, &words, occasion, link, way_out)
    }

    // R16
    #[test]
    fn every_letter_looks_as_it_was_looked_at() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        for (name, occasion, kind) in [
            ("friend-invitation", Occasion::Invited, ReferralKind::Friend),
            ("friend-reminder", Occasion::Reminded, ReferralKind::Friend),
            (
                "client-introduction",
                Occasion::Invited,
                ReferralKind::ClientIntroduction,
            ),
        ] {
            let letter = letter(occasion, kind);
            let rendered = letter.render().expect("a letter");
            assert_golden(&directory.join(format!("{name}.html")), &rendered.html);
            let text = format!("Subject: {}\n\n{}", letter.subject, rendered.text);
            assert_golden(&directory.join(format!("{name}.txt")), &text);
            for said in [
                "Rosa Parks",
                "rosa@example.com, +1 334 555 0142",
                "Translator of technical texts",
            ] {
                assert!(rendered.html.contains(said) && rendered.text.contains(said), "{said}");
            }
            assert!(!rendered.html.contains("<b>do</b>"), "words are escaped");
        }
    }
}
