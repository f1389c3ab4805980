//! Erasing a person leaves the books and nothing personal.

use sea_orm::QueryResult;
use tonic::Code;
use vouch_primitives::PersonId;
use vouch_proto::{convert::to_wire_time, onboarding::v1 as pb, payments::v1::ContractEnded};
use vouch_storage::{Db, DbBackend};
use vouch_testkit::{TestDatabase, eventually, on_both_databases, tables::rows};

use crate::{
    callers::{self, nda, signed},
    example::{acceptance, activation, at, fixed_terms, registration},
    hire::accepted,
    papers::{pdf, upload_for},
    tables::{count, told},
    tax::w9,
    world::{SOON, World, refusal},
};

on_both_databases! {
    nothing_personal_is_left_anywhere,
    only_a_closed_account_is_erased_and_for_ever,
    mails_to_the_address_are_emptied_whoever_caused_them,
    an_offer_to_somebody_erased_comes_to_nothing,
}

/// How she came here. The event that told of it names nobody, and keeps it.
const EVIDENCE: [&str; 2] = ["VCH2-QUILL", "click-77"];

/// What could only be about her: names, addresses, words.
const PERSONAL: [&str; 6] = [
    "Augusta Quillfeather",
    "Gussie",
    "gussie@quill.example",
    "gussie@nest.example",
    "gussie@roost.example",
    "too many feathers",
];

/// Where what she has written stands before she is erased.
const WRITTEN: [&str; 6] = [
    "task.submission",
    "tax_form.form",
    "agency.name",
    "document.file_name",
    "profile_section.complete",
    "talent_search.headline",
];

fn gussie(email: &str) -> pb::BasicInformation {
    pb::BasicInformation {
        legal_name: "Augusta Quillfeather".to_owned(),
        display_name: "Gussie".to_owned(),
        country_code: "PT".to_owned(),
        time_zone: "Europe/Lisbon".to_owned(),
        account_email: email.to_owned(),
    }
}

/// Gussie leaves traces wherever one can: an accepted and a declined offer, mails, three addresses. Her id and the room.
async fn a_life(world: &World) -> (String, String) {
    world.require(nda()).await;
    let reviewed = pb::TaskTemplateContent {
        without_review: false,
        ..nda()
    };
    world.require(reviewed).await;
    let invitation = world.invitations.send("gussie@quill.example", fixed_terms());
    let request = pb::ActivateAccountRequest {
        basic_information: Some(gussie("gussie@quill.example")),
        referral_code: "VCH2-QUILL".to_owned(),
        link_cookie_id: "click-77".to_owned(),
        ..activation(&invitation, "")
    };
    let answer = world.activate(request).await.expect("an account");
    let (person, case) = (answer.person.expect("a person").id, answer.case.expect("a case"));
    world.review(&case.id).await.expect("reviewed");
    work(world, &person, &case).await;
    let case = world.accept(acceptance(&case, "Hello Grace")).await.expect("accepted");
    let offer = case.offer.expect("an offer");
    let second = world.invitations.send("gussie@quill.example", fixed_terms());
    let second = world.open_case(&person, &second.id).await.expect("a case");
    world.decline(&second.id, "too many feathers").await.expect("declined");
    world.change_email(&person, "gussie@nest.example").await.expect("asked");
    world
        .verify(&world.token_for("gussie@nest.example").await)
        .await
        .expect("verified");
    world
        .change_email(&person, "gussie@roost.example")
        .await
        .expect("asked");
    world.mail_to("gussie@roost.example").await;
    let ended = ContractEnded {
        contract_id: offer.contract_id,
        end_time: Some(to_wire_time(at("2026-03-20"))),
        ..Default::default()
    };
    world.hear("/vouch/payments", &ended).await;
    (person, offer.room_id)
}

/// What she writes, signs and uploads. The tax form waits, as payments is away.
async fn work(world: &World, person: &str, case: &pb::Case) {
    let caller = callers::person(person);
    for (task, without_review) in world.tasks_of(&case.id).await.iter().zip([true, false]) {
        world.start(&caller, task).await.expect("started");
        let mut submission = signed();
        submission.signature.as_mut().expect("a signature").name = "Augusta Quillfeather".to_owned();
        world.submit(&caller, task, submission).await.expect("handed in");
        if !without_review {
            world.claim("jo", task).await.expect("claimed");
            world.approve("jo", task).await.expect("confirmed");
        }
    }
    let gussie = world.person(person).await.expect("a person");
    let uploaded = world.upload(upload_for(&gussie, "Gussie.pdf"), &pdf(100, 1)).await;
    uploaded.expect("a document");
    world
        .describe(&gussie.account_id, "Gussie, who quills", &["Quills of Gussie"])
        .await;
    world
        .set_visibility(&gussie.account_id, pb::Visibility::Public)
        .await
        .expect("shown");
    world.agency(&gussie, "Gussie and Daughters", "PUBLIC").await;
    world.payments.away(true);
    let mut form = w9();
    form.signature = "Augusta Quillfeather".to_owned();
    world.submit_form(&gussie.account_id, form).await.expect("taken");
}

async fn close(world: &World, person: &str) {
    eventually("the account is closed", SOON, async || {
        let closed = world.close(person, "Gussie has too many feathers").await;
        closed.map(|_| ()).map_err(|status| status.to_string())
    })
    .await;
    eventually("all mails are sent", SOON, async || {
        match count(&world.db, "mail WHERE state = 'QUEUED'").await {
            0 => Ok(()),
            queued => Err(format!("{queued} are queued")),
        }
    })
    .await;
}

async fn nothing_personal_is_left_anywhere(database: TestDatabase) {
    let world = World::new(database).await;
    let (person, room) = a_life(&world).await;
    for personal in PERSONAL {
        assert_ne!(places(&world.db, personal).await, Vec::<String>::new(), "{personal}");
    }
    let written = [
        places(&world.db, PERSONAL[0]).await,
        places(&world.db, PERSONAL[1]).await,
    ]
    .concat();
    for column in WRITTEN {
        assert!(written.contains(&column.to_owned()), "{column} of {written:?}");
    }
    for evidence in EVIDENCE {
        assert_eq!(places(&world.db, evidence).await.len(), 2, "{evidence}");
    }
    close(&world, &person).await;
    for column in ["person.close_reason", "request.answer"] {
        let found = places(&world.db, "too many feathers").await;
        assert!(found.contains(&column.to_owned()), "{found:?}");
    }
    let notes = world.notes(&room).await.expect("notes");
    world.erase(&person).await.expect("erased");
    for personal in PERSONAL {
        assert_eq!(places(&world.db, personal).await, Vec::<String>::new(), "{personal}");
    }
    for evidence in EVIDENCE {
        assert_eq!(places(&world.db, evidence).await, ["outbox.payload"], "{evidence}");
    }
    assert_eq!(
        world.notes(&room).await.expect("notes"),
        notes,
        "they belong to both parties"
    );
    assert_eq!(notes[0].person_id, person);
    world.stop().await;
}

async fn only_a_closed_account_is_erased_and_for_ever(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case) = world.ada().await;
    let open = (Code::FailedPrecondition, "ACCOUNT_OPEN".to_owned());
    assert_eq!(refusal(world.erase(&ada.id).await), open);
    assert_eq!(world.person(&ada.id).await.expect("a person"), ada);
    world.close(&ada.id, "").await.expect("closed");
    world.wait_until(at("2026-03-02"));
    let erased = world.erase(&ada.id).await.expect("erased");
    assert_eq!(erased.erase_time, Some(to_wire_time(at("2026-03-02"))));
    world.wait_until(at("2026-03-03"));
    assert_eq!(world.erase(&ada.id).await.expect("erased before"), erased);
    let event = pb::PersonErased {
        person_id: ada.id.clone(),
        erase_time: erased.erase_time,
    };
    assert_eq!(told::<pb::PersonErased>(&world.db).await, [event]);

    let unknown = (Code::NotFound, "NOT_FOUND".to_owned());
    assert_eq!(refusal(world.person(&ada.id).await), unknown);
    assert_eq!(refusal(world.home(&ada.id).await), unknown);
    assert_eq!(refusal(world.reopen(&ada.id).await), unknown);
    assert_eq!(refusal(world.close(&ada.id, "").await), unknown);
    let nobody = world.erase(&PersonId::new().to_string()).await;
    assert_eq!(refusal(nobody), unknown);
    assert_eq!(world.case(&case.id).await.person_id, ada.id, "the books stay");

    let other = world
        .register(registration("ada@example.com"))
        .await
        .expect("an account");
    let other_verified = world.verify(&world.token_for("ada@example.com").await).await;
    assert_eq!(other_verified.expect("the address is free").id, other.id);
    world.stop().await;
}

async fn mails_to_the_address_are_emptied_whoever_caused_them(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    world.register(registration("ada@example.com")).await.expect("answered");
    world.mail_to("ada@example.com").await;
    close(&world, &ada.id).await;
    let in_mails = async || {
        let found = places(&world.db, "ada@example.com").await;
        found.into_iter().any(|place| place.starts_with("mail"))
    };
    assert!(in_mails().await);
    world.erase(&ada.id).await.expect("erased");
    assert!(!in_mails().await);
    assert_eq!(count(&world.db, "mail").await, 1, "that there was one stays");
    world.stop().await;
}

// R37
async fn an_offer_to_somebody_erased_comes_to_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    world.close(&ada.id, "").await.expect("closed");
    world.erase(&ada.id).await.expect("erased");
    let hired = accepted(&world, &ada.id, true);
    world.hear("/vouch/invitation", &hired).await;
    // Once another one is known that came after it.
    let eve = world
        .register(registration("eve@example.com"))
        .await
        .expect("an account");
    world
        .verify(&world.token_for("eve@example.com").await)
        .await
        .expect("verified");
    let after = accepted(&world, &eve.id, true);
    world.invitations.change(&after.invitation_id, |it| {
        it.recipient_email = "eve@example.com".to_owned()
    });
    world.hear("/vouch/invitation", &after).await;
    world.until_only_timers(&["offer.lapse"]).await;
    eventually("no acceptance is under way", SOON, async || {
        match count(&world.db, "acceptance WHERE finished_at IS NULL").await {
            0 => Ok(()),
            open => Err(format!("{open} are")),
        }
    })
    .await;
    assert_eq!(count(&world.db, "onboarding_case").await, 2);
    world.stop().await;
}

/// Which columns hold this text, of all columns of all tables, as `table.column`.
async fn places(db: &Db, text: &str) -> Vec<String> {
    let sqlite = db.backend() == DbBackend::Sqlite;
    let columns = if sqlite {
        "SELECT t.name, c.name, c.type FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY 1, 2"
    } else {
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
         WHERE table_schema = current_schema() ORDER BY 1, 2"
    };
    let mut found = Vec::new();
    for column in rows(db, columns.to_owned()).await {
        let [table, name, kind] = [0, 1, 2].map(|index| word(&column, index));
        let holds = match (sqlite, kind.as_str()) {
            (true, _) => format!("instr(CAST(\"{name}\" AS BLOB), CAST('{text}' AS BLOB)) > 0"),
            (false, "bytea") => format!("position('{text}'::bytea in \"{name}\") > 0"),
            (false, _) => format!("position('{text}' in \"{name}\"::text) > 0"),
        };
        if count(db, &format!("\"{table}\" WHERE {holds}")).await > 0 {
            found.push(format!("{table}.{name}"));
        }
    }
    found
}

fn word(row: &QueryResult, index: usize) -> String {
    row.try_get_by_index(index).expect("a name")
}
