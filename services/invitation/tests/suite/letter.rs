//! The e-mail as it arrives.

use vouch_proto::{
    common::v1::{ContractTerms, HourlyPay, Schedule, contract_terms::Pay},
    convert::to_wire_time,
    invitation::v1::{self as pb, mail_delivery::State, send_invitation_request::Content as SentContent},
};
use vouch_testkit::{
    SmtpSink, TestDatabase, eventually, on_both_databases,
    smtp::{Received, Stage},
};

use crate::world::{SOON, World, at, cloud_invitation, fixed_terms, invite, token_in, usd, way_out_in};

on_both_databases! {
    an_hourly_offer_shows_the_rate,
    a_fixed_offer_shows_the_agreed_amount,
    a_place_in_a_cloud_shows_the_client_s_words_and_no_contract,
    a_refused_e_mail_is_shown_to_the_client,
}

async fn arrived(sink: &SmtpSink) -> Received {
    eventually("the e-mail", SOON, async || {
        let mut mails = sink.messages().map_err(|error| error.to_string())?;
        if mails.len() == 1 {
            Ok(mails.remove(0))
        } else {
            Err(format!("{} e-mails", mails.len()))
        }
    })
    .await
}

/// The text part, line by line, with the token taken out.
fn lines(mail: &Received) -> Vec<String> {
    let token = token_in(&mail.text).expect("a link with a token");
    assert_eq!(
        token_in(&mail.html).as_ref(),
        Some(&token),
        "both parts have the same link"
    );
    let way_out = way_out_in(&mail.text).expect("a way out");
    let expected = format!("<https://vouch.example/unsubscribe?token={way_out}>");
    assert_eq!(mail.header("List-Unsubscribe"), Some(&*expected));
    assert_eq!(mail.header("List-Unsubscribe-Post"), Some("List-Unsubscribe=One-Click"));
    let text = mail.text.replace(&token, "TOKEN").replace(&way_out, "WAY-OUT");
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

// B13
async fn an_hourly_offer_shows_the_rate(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let world = World::mailing_to(database, &sink).await;
    let client = world.acme().await;
    let terms = ContractTerms {
        pay: Some(Pay::Hourly(HourlyPay {
            rate: Some(usd(8_550)),
            weekly_limit_minutes: 1_830,
        })),
        schedule: Some(Schedule {
            start_time: Some(to_wire_time(at("2026-04-01"))),
            expected_weekly_hours: 20,
        }),
        payment_terms: "Invoiced weekly.".to_owned(),
        ..fixed_terms()
    };
    let request = pb::SendInvitationRequest {
        recipient_name: "Ada Lovelace".to_owned(),
        personal_message: "Größte <b>Bewunderung</b> &\nbest regards".to_owned(),
        content: Some(SentContent::ContractTerms(terms)),
        ..invite(&client.id, "ada@example.com")
    };
    world.send(request).await.expect("an invitation");
    let mail = arrived(&sink).await;
    assert_eq!(mail.header("Subject"), Some("Acme invites you to Notes on the engine"));
    assert_eq!(mail.header("To"), Some("Ada Lovelace <ada@example.com>"));
    assert_eq!(
        mail.header("From"),
        Some("Grace Hopper at Acme via Vouch <no-reply@vouch.example>")
    );
    let expected = [
        "Acme invites you",
        "Hello Ada Lovelace,",
        "Grace Hopper at Acme would like to work with you.",
        "Scope of work:",
        "Translate the memoir.",
        "Add notes.",
        "Payment terms:",
        "Invoiced weekly.",
        "Grace Hopper:",
        "> Größte <b>Bewunderung</b> &",
        "> best regards",
        "Project: Notes on the engine",
        "Hourly rate: USD 85.50",
        "Weekly limit: 30 hours 30 minutes",
        "Start: 1 April 2026",
        "Expected hours: 20 a week",
        "Activate your account:",
        "https://vouch.example/invitations/accept#token=TOKEN",
        "-- ",
        "The offer is open until 31 March 2026.",
        "If you do not know Acme, you can ignore this e-mail.",
        "Unsubscribe: https://vouch.example/unsubscribe?token=WAY-OUT",
    ];
    assert_eq!(lines(&mail), expected);
    for shown in [
        "USD\u{a0}85.50",
        "30 hours 30 minutes",
        "Notes on the engine",
        "Activate your account",
        "Größte",
    ] {
        assert!(mail.html.contains(shown), "{shown} is not in {}", mail.html);
    }
    assert!(!mail.html.contains("<b>"), "the client's words are escaped");
    assert_eq!(mail.html.matches("<a ").count(), 2, "one button, and the way out");
    let business = ["grace@acme.example", "joan@acme.example", &client.id];
    assert_eq!(business.into_iter().find(|it| mail.raw.contains(it)), None);
    world.stop().await;
}

// B14
async fn a_fixed_offer_shows_the_agreed_amount(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let world = World::mailing_to(database, &sink).await;
    let client = world.acme().await;
    let joan = client.hiring_managers[1].id.clone();
    let request = pb::SendInvitationRequest {
        hiring_manager_id: joan,
        ..invite(&client.id, "ada@example.com")
    };
    world.send(request).await.expect("an invitation");
    let mail = arrived(&sink).await;
    assert_eq!(mail.header("To"), Some("ada@example.com"));
    let expected = [
        "Acme invites you",
        "Joan Clarke at Acme would like to work with you.",
        "Scope of work:",
        "Translate the memoir.",
        "Add notes.",
        "Project: Notes on the engine",
        "Agreed amount: USD 1,250.50",
        "Milestone 1: Translation: USD 1,000.00",
        "Milestone 2: Notes A to G: USD 250.50",
        "Start: 1 April 2026",
        "Activate your account:",
        "https://vouch.example/invitations/accept#token=TOKEN",
        "-- ",
        "The offer is open until 31 March 2026.",
        "If you do not know Acme, you can ignore this e-mail.",
        "Unsubscribe: https://vouch.example/unsubscribe?token=WAY-OUT",
    ];
    assert_eq!(lines(&mail), expected);
    world.stop().await;
}

// B15, B16
async fn a_place_in_a_cloud_shows_the_client_s_words_and_no_contract(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let world = World::mailing_to(database, &sink).await;
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends of Acme").await;
    let request = pb::SendInvitationRequest {
        talent_type: pb::TalentType::Agency.into(),
        personal_message: "We would <i>love</i> to go on.".to_owned(),
        ..cloud_invitation(&cloud, "ada@example.com")
    };
    world.send(request).await.expect("an invitation");
    let mail = arrived(&sink).await;
    assert_eq!(mail.header("Subject"), Some("Acme invites you to their talent cloud"));
    let expected = [
        "Acme invites you",
        "Grace Hopper at Acme would like to have your agency in the talent cloud “Friends of Acme”, which hears first \
         of their next projects.",
        "Grace Hopper:",
        "> We would <i>love</i> to go on.",
        "Activate your account:",
        "https://vouch.example/invitations/accept#token=TOKEN",
        "-- ",
        "The invitation is open until 31 March 2026.",
        "If you do not know Acme, you can ignore this e-mail.",
        "Unsubscribe: https://vouch.example/unsubscribe?token=WAY-OUT",
    ];
    assert_eq!(lines(&mail), expected);
    assert!(!mail.html.contains("<i>"), "the client's words are escaped");
    world.stop().await;
}

async fn a_refused_e_mail_is_shown_to_the_client(database: TestDatabase) {
    let mut sink = SmtpSink::start().await.expect("a mail server");
    sink.refuse_next(Stage::Recipient, "550 5.1.1 no such mailbox")
        .expect("a refusal");
    let world = World::mailing_to(database, &sink).await;
    let invitation = world.invite_ada().await;
    let failed = |now: &pb::Invitation| now.delivery.as_ref().is_some_and(|mail| mail.state() == State::Failed);
    let delivery = world
        .until(&invitation.id, "the e-mail fails", failed)
        .await
        .delivery
        .expect("a delivery");
    assert_eq!(delivery.attempts, 1);
    assert!(delivery.last_error.contains("no such mailbox"), "{delivery:?}");
    world.stop().await;
}
