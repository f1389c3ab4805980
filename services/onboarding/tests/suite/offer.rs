//! Accepting the offer with a message to the hiring manager.

use futures::future::join_all;
use sea_orm::{ConnectionTrait, Statement};
use tonic::Code;
use vouch_mail::MailState;
use vouch_primitives::{CaseId, ContractId, RoomId};
use vouch_proto::{
    common::v1::contract_terms::Pay,
    convert::to_wire_time,
    onboarding::v1::{self as pb, case},
    payments::v1::ContractStarted,
};
use vouch_runtime::access::Caller;
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    callers::{acme, operator, person},
    example::{acceptance, at, fixed_terms, request_id, start},
    tables::{count, counts, told},
    world::{SOON, World, refusal, violations},
};

on_both_databases! {
    the_message_goes_to_two_places,
    both_places_or_neither,
    without_a_message_there_is_no_acceptance,
    every_step_in_its_order_and_once,
    payments_tells_when_the_contract_begins,
    of_two_hundred_acceptances_one_begins_a_contract,
    both_parties_write_in_the_room,
}

const MESSAGE: &str = "Hello Grace,\nI begin on Monday. <Ada>";

// B26, B27, B28
async fn the_message_goes_to_two_places(database: TestDatabase) {
    let world = World::new(database).await;
    let (person, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    world.wait_until(at("2026-03-02"));
    let request = acceptance(&case, MESSAGE);
    let accepted = world.accept(request.clone()).await.expect("accepted");
    let offer = accepted.offer.clone().expect("an offer");
    assert_eq!(accepted.state(), case::State::Accepted);
    assert_eq!(offer.accept_time, Some(to_wire_time(at("2026-03-02"))));
    assert_eq!(world.case(&case.id).await, accepted);

    let notes = world.notes(&offer.room_id).await.expect("a room");
    let first = pb::Note {
        id: notes[0].id.clone(),
        person_id: person.id.clone(),
        text: MESSAGE.to_owned(),
        create_time: Some(to_wire_time(at("2026-03-02"))),
        client_id: String::new(),
    };
    assert_eq!(notes, [first]);

    let mail = world.mail_to("grace@acme.example").await;
    assert!(
        mail.contains("Subject: Ada accepted your offer for Notes on the engine"),
        "{mail}"
    );
    assert!(
        mail.contains("I begin on Monday. <Ada>") && mail.contains("&#60;Ada&#62;"),
        "{mail}"
    );
    assert!(
        mail.contains("Ada via Vouch") && mail.contains("Reply-To: ada@example.com"),
        "{mail}"
    );
    let about = offer.id.parse().expect("a UUID");
    let sent = eventually("the mail is sent", SOON, async || {
        let mails = vouch_mail::about(world.db.reader(), about)
            .await
            .map_err(|error| error.to_string())?;
        if mails.iter().all(|mail| mail.state == MailState::Sent) {
            Ok(mails)
        } else {
            Err(format!("{mails:?}"))
        }
    });
    assert_eq!(sent.await.len(), 1);

    let Some(Pay::Fixed(fixed)) = fixed_terms().pay else {
        panic!("fixed pay")
    };
    let event = pb::OfferAccepted {
        offer_id: offer.id,
        contract_id: offer.contract_id,
        invitation_id: case.invitation_id.clone(),
        client_id: case.client_id.clone(),
        person_id: person.id,
        account_id: person.account_id,
        pay: Some(pb::offer_accepted::Pay::Fixed(fixed)),
        start_time: Some(to_wire_time(at("2026-04-01"))),
        accept_time: Some(to_wire_time(at("2026-03-02"))),
    };
    assert_eq!(told::<pb::OfferAccepted>(&world.db).await, [event]);
    assert_eq!(world.accept(request).await.expect("a repeat"), accepted);
    assert_eq!((count(&world.db, "note").await, count(&world.db, "mail").await), (1, 1));
    let elsewhere = world.notes(&RoomId::new().to_string()).await;
    assert_eq!(refusal(elsewhere), (Code::NotFound, "NOT_FOUND".to_owned()));
    world.stop().await;
}

// B27
async fn both_places_or_neither(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    let reviewed = world.review(&case.id).await.expect("reviewed");
    let before = counts(&world.db).await;
    let request = acceptance(&case, MESSAGE);
    // One after the other, what the transaction writes to cannot be written to.
    for table in ["note", "mail", "offer", "outbox_pending"] {
        rename(&world, table, "gone").await;
        let failed = world.accept(request.clone()).await;
        rename(&world, "gone", table).await;
        assert_eq!(
            refusal(failed),
            (Code::Internal, "INTERNAL".to_owned()),
            "without {table}"
        );
        assert_eq!(counts(&world.db).await, before, "without {table}");
        assert_eq!(world.case(&case.id).await, reviewed, "without {table}");
    }
    world.accept(request).await.expect("accepted after all");
    assert_eq!((count(&world.db, "note").await, count(&world.db, "mail").await), (1, 1));
    world.stop().await;
}

async fn rename(world: &World, from: &str, to: &str) {
    let statement = Statement::from_string(world.db.backend(), format!("ALTER TABLE {from} RENAME TO {to}"));
    let statement = &statement;
    let renamed = world.db.write_tx(|txn| async move {
        txn.execute_raw(statement.clone())
            .await
            .map_err(vouch_storage::StorageError::from)
    });
    renamed.await.expect("renamed");
}

// B26, B28
async fn without_a_message_there_is_no_acceptance(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let before = counts(&world.db).await;
    let (long, turned) = ("x".repeat(5_001), "\u{202e}Grace");
    for (message, told) in [
        ("", "message REQUIRED"),
        (" \n\t ", "message REQUIRED"),
        (long.as_str(), "message TOO_LONG"),
        ("Hello\0", "message INVALID_FORMAT"),
        (turned, "message INVALID_FORMAT"),
    ] {
        assert_eq!(violations(world.accept(acceptance(&case, message)).await), [told]);
    }
    assert_eq!(counts(&world.db).await, before);
    world
        .accept(acceptance(&case, "y"))
        .await
        .expect("one character is enough");
    world.stop().await;
}

// B19, B26
async fn every_step_in_its_order_and_once(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    let refused = |reason: &str| (Code::FailedPrecondition, reason.to_owned());
    let early = world.accept(acceptance(&case, MESSAGE)).await;
    assert_eq!(refusal(early), refused("CONTRACT_NOT_REVIEWED"));
    world.review(&case.id).await.expect("reviewed");
    let answers = join_all((0..10).map(|_| world.accept(acceptance(&case, MESSAGE)))).await;
    let (accepted, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((accepted.len(), others.len()), (1, 9));
    for other in others {
        assert_eq!(refusal(other), refused("OFFER_ALREADY_ACCEPTED"));
    }
    let accepted = accepted.into_iter().next().expect("one").expect("accepted");
    assert_eq!(world.review(&case.id).await.expect("a repeat"), accepted);
    assert_eq!(told::<pb::OfferAccepted>(&world.db).await.len(), 1);
    let unknown = pb::AcceptOfferRequest {
        request_id: request_id(),
        case_id: CaseId::new().to_string(),
        message: MESSAGE.to_owned(),
    };
    assert_eq!(
        refusal(world.accept(unknown).await),
        (Code::NotFound, "NOT_FOUND".to_owned())
    );
    world.stop().await;
}

async fn payments_tells_when_the_contract_begins(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let accepted = world.accept(acceptance(&case, MESSAGE)).await.expect("accepted");
    let contract_id = accepted.offer.clone().expect("an offer").contract_id;
    let begin_time = Some(to_wire_time(start()));
    let stranger = ContractStarted {
        contract_id: ContractId::new().to_string(),
        begin_time,
        ..Default::default()
    };
    let unreadable = ContractStarted {
        contract_id: "7".to_owned(),
        begin_time,
        ..Default::default()
    };
    let begun = ContractStarted {
        contract_id,
        begin_time,
        ..Default::default()
    };
    for event in [&stranger, &unreadable, &begun, &begun] {
        world.hear("/vouch/payments", event).await;
    }
    eventually("the contract has begun", SOON, async || {
        let offer = world.case(&case.id).await.offer.expect("an offer");
        if offer.contract_start_time == begin_time {
            Ok(())
        } else {
            Err(format!("{offer:?}"))
        }
    })
    .await;
    eventually("the others are set aside", SOON, async || {
        let letters = count(&world.db, "dead_letter").await;
        if letters == 2 {
            Ok(())
        } else {
            Err(format!("{letters} dead letters"))
        }
    })
    .await;
    world.stop().await;
}

// B26, B28
async fn of_two_hundred_acceptances_one_begins_a_contract(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let accept = |nth: usize| world.accept(acceptance(&case, &format!("Hello, for the {nth}th time")));
    let answers = join_all((0..200).map(accept)).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((accepted.len(), refused.len()), (1, 199));
    let again = (Code::FailedPrecondition, "OFFER_ALREADY_ACCEPTED".to_owned());
    for answer in refused {
        assert_eq!(refusal(answer), again);
    }
    let accepted = accepted.into_iter().flatten().next().expect("one");
    assert_eq!(world.case(&case.id).await, accepted);
    assert_eq!(told::<pb::OfferAccepted>(&world.db).await.len(), 1);
    for table in ["room", "note", "mail"] {
        assert_eq!(count(&world.db, table).await, 1, "{table}");
    }
    world.stop().await;
}

// B28
async fn both_parties_write_in_the_room(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let accepted = world.accept(acceptance(&case, MESSAGE)).await.expect("accepted");
    let room_id = accepted.offer.expect("an offer").room_id;
    let post = async |caller: Caller, text: &str| {
        let request = pb::PostNoteRequest {
            request_id: request_id(),
            room_id: room_id.clone(),
            text: text.to_owned(),
        };
        let answer = world.cases_of(caller).post_note(request).await?;
        Ok::<_, tonic::Status>(answer.into_inner().note.expect("a note"))
    };
    let welcome = post(acme(), "Welcome").await.expect("written");
    assert_eq!((&welcome.client_id, welcome.person_id.as_str()), (&case.client_id, ""));
    for nth in 0..30 {
        post(person(&ada.id), &format!("{nth}")).await.expect("written");
    }
    let stranger = person("019c0000-0000-7000-8000-000000000001");
    assert_eq!(
        refusal(post(stranger, "Me, too").await),
        (Code::NotFound, "NOT_FOUND".to_owned())
    );
    let operator = post(operator("jo"), "Me, too").await;
    assert_eq!(
        refusal(operator),
        (Code::PermissionDenied, "CALLER_NOT_ALLOWED".to_owned())
    );

    let (mut texts, mut token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListNotesRequest {
            room_id: room_id.clone(),
            page_size: 10,
            page_token: token,
        };
        let page = world
            .cases_of(acme())
            .list_notes(request)
            .await
            .expect("a page")
            .into_inner();
        texts.extend(page.notes.into_iter().map(|note| note.text));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let expected = [MESSAGE.to_owned(), "Welcome".to_owned()].into_iter();
    let expected: Vec<_> = expected.chain((0..30).map(|nth| nth.to_string())).collect();
    assert_eq!(texts, expected);
    world.stop().await;
}
