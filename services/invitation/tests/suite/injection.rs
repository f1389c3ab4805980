//! Every text that reaches a letter, with what would like to be markup, a header, or a line that is not there.

use tonic::Status;
use vouch_proto::{common::v1::contract_terms::Pay, invitation::v1 as pb};
use vouch_testkit::{SmtpSink, TestDatabase, eventually, on_both_databases};

use crate::world::{SOON, World, cloud_invitation, create_client, fixed_terms, invite, request_id, violations};

on_both_databases! { no_text_becomes_markup_or_a_header }

/// What is tried; in a text of one line those with a line break are refused, those that turn directions everywhere.
const ATTEMPTS: [(&str, Fate); 7] = [
    ("<script>alert(1)</script>", Fate::Shown),
    ("\"><img src=x onerror=alert(1)>", Fate::Shown),
    (
        "</td></tr></table><a href=https://evil.example>Activate</a>",
        Fate::Shown,
    ),
    ("Ada\r\nBcc: all@example.com", Fate::ShownInTexts),
    ("Ada\r\n\r\n<h1>Another letter</h1>", Fate::ShownInTexts),
    ("Ada\u{202e}elpmaxe", Fate::Refused),
    ("Ada\0Bcc: all@example.com", Fate::Refused),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Shown,
    ShownInTexts,
    Refused,
}

/// The texts, and whether they may have several lines.
const FIELDS: [(&str, bool); 10] = [
    ("company_name", false),
    ("hiring_managers[0].display_name", false),
    ("name", false),
    ("recipient_name", false),
    ("contract_terms.project_name", false),
    ("contract_terms.fixed.milestones[0].title", false),
    ("contract_terms.scope_of_work", true),
    ("contract_terms.payment_terms", true),
    ("personal_message", true),
    ("personal_message of a talent cloud", true),
];

/// Sends an invitation to `email` with `text` in this field.
async fn send(world: &World, field: &str, text: &str, email: &str) -> Result<(), Status> {
    let said = |of: &str, usual: &str| if of == field { text } else { usual }.to_owned();
    let company = said("company_name", "Acme");
    let manager = said("hiring_managers[0].display_name", "Grace Hopper");
    let request = create_client(&company, &[(&manager, "grace@acme.example")]);
    let client = world.clients.clone().create_client(request).await?.into_inner().client;
    let client = client.expect("a client").id;
    if ["name", "personal_message of a talent cloud"].contains(&field) {
        let create = pb::CreateTalentCloudRequest {
            request_id: request_id(),
            client_id: client,
            name: said("name", "Friends"),
        };
        let cloud = world.clouds.clone().create_talent_cloud(create).await?.into_inner();
        let request = pb::SendInvitationRequest {
            personal_message: said("personal_message of a talent cloud", "Stay with us."),
            ..cloud_invitation(&cloud.talent_cloud.expect("a cloud"), email)
        };
        return world.send(request).await.map(drop);
    }
    let mut terms = fixed_terms();
    terms.project_name = said("contract_terms.project_name", "Logo");
    terms.scope_of_work = said("contract_terms.scope_of_work", "All of it");
    terms.payment_terms = said("contract_terms.payment_terms", "Soon");
    if let Some(Pay::Fixed(fixed)) = &mut terms.pay {
        fixed.milestones[0].title = said("contract_terms.fixed.milestones[0].title", "First");
    }
    let request = pb::SendInvitationRequest {
        recipient_name: said("recipient_name", "Ada"),
        personal_message: said("personal_message", "Come"),
        content: Some(pb::send_invitation_request::Content::ContractTerms(terms)),
        ..invite(&client, email)
    };
    world.send(request).await.map(drop)
}

async fn no_text_becomes_markup_or_a_header(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let world = World::mailing_to(database, &sink).await;
    let mut sent = Vec::new();
    for (number, (field, lines)) in FIELDS.into_iter().enumerate() {
        for (nth, (text, fate)) in ATTEMPTS.into_iter().enumerate() {
            let email = format!("talent{number}.{nth}@example.com");
            let answer = send(&world, field, text, &email).await;
            let shown = fate == Fate::Shown || lines && fate == Fate::ShownInTexts;
            if shown {
                answer.unwrap_or_else(|status| panic!("{field} with {text:?}: {status:?}"));
                sent.push((email, field, text));
            } else {
                let field = field.trim_end_matches(" of a talent cloud");
                assert_eq!(violations(answer), [format!("{field} INVALID_FORMAT")], "{text:?}");
            }
        }
    }
    let mails = eventually("all e-mails", SOON, async || {
        match sink.messages().map_err(|error| error.to_string())? {
            mails if mails.len() == sent.len() => Ok(mails),
            mails => Err(format!("{} of {}", mails.len(), sent.len())),
        }
    })
    .await;
    for (email, field, text) in sent {
        let told = format!("{field} with {text:?}");
        let mail = mails.iter().find(|mail| mail.to == [email.as_str()]);
        let mail = mail.unwrap_or_else(|| panic!("{told}: no e-mail to it alone"));
        for header in ["Bcc", "Cc"] {
            assert_eq!(mail.header(header), None, "{told}");
        }
        let html = mail.html.to_lowercase();
        for markup in ["<script", "<img", "<h1"] {
            assert!(!html.contains(markup), "{told}: {}", mail.html);
        }
        let links = html.matches("<a ").count();
        assert_eq!(links, 2, "{told}: the button and the way out alone: {}", mail.html);
        // It is there, as what it is.
        let first = text.lines().next().expect("a line");
        let subject = mail.header("Subject").unwrap_or_default();
        assert!(
            mail.text.contains(first) || subject.contains(first) || field == "recipient_name",
            "{told}: {}",
            mail.text
        );
    }
    world.stop().await;
}
