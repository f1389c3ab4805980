//! Sending an invitation: once, whole or not at all.

use futures::future::join_all;
use tonic::Code;
use vouch_primitives::{ClientId, HiringManagerId};
use vouch_proto::{
    common::v1::{
        ContractTerms, FixedPay, HourlyPay, MilestoneTerms, Money, PayPeriod, RecurringPay, Schedule,
        contract_terms::Pay,
    },
    convert::to_wire_time,
    invitation::v1::{self as pb, invitation, send_invitation_request::Content as SentContent},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, counts, told},
    world::{World, at, create_client, fixed_terms, invite, refusal, start, usd, violations},
};

on_both_databases! {
    an_invitation_is_sent_and_read_again,
    the_same_request_sends_one_e_mail,
    a_bad_invitation_is_told_everything_and_written_nowhere,
    only_one_s_own_hiring_manager_can_sign,
    what_cannot_stand_in_an_e_mail_is_refused,
}

async fn an_invitation_is_sent_and_read_again(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let request = pb::SendInvitationRequest {
        hiring_manager_id: client.hiring_managers[1].id.clone(),
        recipient_name: "Ada Lovelace".to_owned(),
        personal_message: "Nobody else\ncould do it.".to_owned(),
        ..invite(&client.id, "Ada@Example.com")
    };
    let sent = world.send(request).await.expect("an invitation");
    let expected = pb::Invitation {
        id: sent.id.clone(),
        client_id: client.id.clone(),
        company_name: "Acme".to_owned(),
        hiring_manager: Some(client.hiring_managers[1].clone()),
        talent_type: pb::TalentType::Freelancer.into(),
        recipient_email: "ada@example.com".to_owned(),
        recipient_name: "Ada Lovelace".to_owned(),
        content: Some(invitation::Content::ContractTerms(fixed_terms())),
        personal_message: "Nobody else\ncould do it.".to_owned(),
        branch: invitation::Branch::Invite.into(),
        state: invitation::State::Pending.into(),
        send_time: Some(to_wire_time(start())),
        expire_time: Some(to_wire_time(at("2026-03-31T09:00:00Z"))),
        delivery: Some(pb::MailDelivery {
            state: pb::mail_delivery::State::Queued.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(sent, expected);
    let is_sent = |invitation: &pb::Invitation| {
        let delivery = invitation.delivery.clone().unwrap_or_default();
        (delivery.state(), delivery.attempts) == (pb::mail_delivery::State::Sent, 1)
    };
    let read = world.until(&sent.id, "the e-mail is sent", is_sent).await;
    assert_eq!(
        pb::Invitation { delivery: None, ..read },
        pb::Invitation {
            delivery: None,
            ..expected
        }
    );
    let event = pb::InvitationSent {
        invitation_id: sent.id,
        client_id: client.id,
        send_time: sent.send_time,
        expire_time: sent.expire_time,
    };
    assert_eq!(told::<pb::InvitationSent>(&world.db).await, [event]);
    world.stop().await;
}

async fn the_same_request_sends_one_e_mail(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let request = invite(&client.id, "ada@example.com");
    let answers = join_all((0..20).map(|_| world.send(request.clone()))).await;
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("the same answer"))
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    // The e-mail has gone out meanwhile; the answer stays as it was.
    world.token_for("ada@example.com").await;
    assert_eq!(world.send(request.clone()).await.expect("the same answer"), answers[0]);
    // One timer reminds, one expires.
    for (table, rows) in [("invitation", 1), ("mail", 1), ("timer", 2)] {
        assert_eq!(count(&world.db, table).await, rows, "{table}");
    }
    assert_eq!(world.mails(), 1);
    let other = pb::SendInvitationRequest {
        recipient_name: "Ada".to_owned(),
        ..request
    };
    assert_eq!(
        refusal(world.send(other).await),
        (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned())
    );
    world.stop().await;
}

async fn a_bad_invitation_is_told_everything_and_written_nowhere(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let before = counts(&world.db).await;
    let nothing = world.send(pb::SendInvitationRequest::default()).await;
    let expected = [
        "request_id REQUIRED",
        "client_id REQUIRED",
        "talent_type REQUIRED",
        "content REQUIRED",
        "recipient_email REQUIRED",
    ];
    assert_eq!(violations(nothing), expected);

    let everything = pb::SendInvitationRequest {
        request_id: "once".to_owned(),
        client_id: "acme".to_owned(),
        hiring_manager_id: "grace".to_owned(),
        talent_type: pb::TalentType::Unspecified.into(),
        recipient_email: "ada@example.com\r\nBcc: all@example.com".to_owned(),
        recipient_name: "Ada\nLovelace".to_owned(),
        content: Some(SentContent::ContractTerms(ContractTerms {
            schedule: Some(Schedule {
                start_time: None,
                expected_weekly_hours: 169,
            }),
            ..Default::default()
        })),
        personal_message: "é".repeat(2_001),
    };
    let expected = [
        "request_id INVALID_FORMAT",
        "client_id INVALID_FORMAT",
        "hiring_manager_id INVALID_FORMAT",
        "talent_type REQUIRED",
        "contract_terms.project_name REQUIRED",
        "contract_terms.pay REQUIRED",
        "contract_terms.scope_of_work REQUIRED",
        "contract_terms.schedule.start_time REQUIRED",
        "contract_terms.schedule.expected_weekly_hours OUT_OF_RANGE",
        "personal_message TOO_LONG",
        "recipient_email INVALID_FORMAT",
        "recipient_name INVALID_FORMAT",
    ];
    assert_eq!(violations(world.send(everything).await), expected);
    for (pay, expected) in bad_pay().into_iter().chain(bad_recurring_pay()) {
        let terms = ContractTerms {
            pay: Some(pay),
            ..fixed_terms()
        };
        let request = pb::SendInvitationRequest {
            content: Some(SentContent::ContractTerms(terms)),
            ..invite(&client.id, "ada@example.com")
        };
        assert_eq!(violations(world.send(request).await), expected);
    }
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

fn bad_recurring_pay() -> Vec<(Pay, Vec<&'static str>)> {
    vec![
        (
            Pay::Recurring(RecurringPay::default()),
            vec![
                "contract_terms.recurring.amount REQUIRED",
                "contract_terms.recurring.every REQUIRED",
            ],
        ),
        (
            Pay::Recurring(RecurringPay {
                amount: Some(usd(0)),
                every: PayPeriod::Month.into(),
            }),
            vec!["contract_terms.recurring.amount.minor_units OUT_OF_RANGE"],
        ),
        (
            Pay::Recurring(RecurringPay {
                amount: Some(usd(1)),
                every: 77,
            }),
            vec!["contract_terms.recurring.every REQUIRED"],
        ),
    ]
}

fn bad_pay() -> Vec<(Pay, Vec<&'static str>)> {
    let milestone = |title: &str, amount: Option<Money>| MilestoneTerms {
        title: title.to_owned(),
        amount,
    };
    let fixed = |milestones| Pay::Fixed(FixedPay { milestones });
    let hourly = |rate, weekly_limit_minutes| {
        Pay::Hourly(HourlyPay {
            rate,
            weekly_limit_minutes,
        })
    };
    let yen = Money {
        currency_code: "JPY".to_owned(),
        minor_units: 5,
    };
    let unknown = Money {
        currency_code: "XXX".to_owned(),
        minor_units: 0,
    };
    vec![
        (
            hourly(None, 0),
            vec![
                "contract_terms.hourly.rate REQUIRED",
                "contract_terms.hourly.weekly_limit_minutes OUT_OF_RANGE",
            ],
        ),
        (
            hourly(Some(usd(-1)), 10_080),
            vec!["contract_terms.hourly.rate.minor_units OUT_OF_RANGE"],
        ),
        (
            hourly(Some(usd(1)), 10_081),
            vec!["contract_terms.hourly.weekly_limit_minutes OUT_OF_RANGE"],
        ),
        (fixed(vec![]), vec!["contract_terms.fixed.milestones REQUIRED"]),
        (
            fixed(vec![milestone("x", Some(usd(1))); 101]),
            vec!["contract_terms.fixed.milestones OUT_OF_RANGE"],
        ),
        (
            fixed(vec![milestone("x", Some(usd(1))), milestone("y", Some(yen))]),
            vec!["contract_terms.fixed.milestones NO_SUM"],
        ),
        (
            fixed(vec![milestone("x", Some(usd(i64::MAX)))]),
            vec!["contract_terms.fixed.milestones[0].amount.minor_units OUT_OF_RANGE"],
        ),
        (
            fixed(vec![milestone("", Some(unknown)), milestone("y", None)]),
            vec![
                "contract_terms.fixed.milestones[0].title REQUIRED",
                "contract_terms.fixed.milestones[0].amount.currency_code UNKNOWN_CURRENCY",
                "contract_terms.fixed.milestones[0].amount.minor_units OUT_OF_RANGE",
                "contract_terms.fixed.milestones[1].amount REQUIRED",
            ],
        ),
    ]
}

async fn only_one_s_own_hiring_manager_can_sign(database: TestDatabase) {
    let world = World::new(database).await;
    let acme = world.acme().await;
    let other = world
        .clients
        .clone()
        .create_client(create_client("Other", &[("Eve", "eve@other.example")]))
        .await;
    let eve = other
        .expect("a client")
        .into_inner()
        .client
        .expect("a client")
        .hiring_managers[0]
        .id
        .clone();
    let before = counts(&world.db).await;
    for manager in [eve, HiringManagerId::new().to_string()] {
        let request = pb::SendInvitationRequest {
            hiring_manager_id: manager,
            ..invite(&acme.id, "ada@example.com")
        };
        assert_eq!(
            refusal(world.send(request).await),
            (Code::NotFound, "NOT_FOUND".to_owned())
        );
    }
    let nobody = world
        .send(invite(&ClientId::new().to_string(), "ada@example.com"))
        .await;
    assert_eq!(refusal(nobody), (Code::NotFound, "NOT_FOUND".to_owned()));
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

async fn what_cannot_stand_in_an_e_mail_is_refused(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let before = counts(&world.db).await;
    let backwards = format!("Engine {}gpj.exe", '\u{202e}');
    let terms = ContractTerms {
        project_name: backwards,
        ..fixed_terms()
    };
    let request = pb::SendInvitationRequest {
        content: Some(SentContent::ContractTerms(terms)),
        ..invite(&client.id, "ada@example.com")
    };
    let (code, _) = refusal(world.send(request).await);
    assert_eq!(code, Code::InvalidArgument);
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}
