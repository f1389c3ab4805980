//! How often and how much: what nobody may do more of in a day, or have more of.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;
use vouch_onboarding::{
    Config, DEFAULTS, NAME,
    domain::{
        form::MAX_FORM_BYTES,
        task::REJECTION_LENGTH,
        template::{TITLE_LENGTH, TemplateVersion, WHY_LENGTH},
    },
    store::task_templates::find_versions,
};
use vouch_primitives::TaskTemplateId;
use vouch_proto::{
    common::v1::{ContractTerms, contract_terms::Pay},
    onboarding::v1::{self as pb, task_form::Form},
    page::MOST_BYTES,
};
use vouch_runtime::{access::Caller, config::Layers};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    callers::{acme, nda, person},
    changing::{change, review, richer},
    example::{acceptance, activation, at, fixed_terms, registration, request_id},
    papers::{pdf, upload_for},
    tables::{count, counts},
    world::{World, refusal, violations},
};

on_both_databases! {
    an_address_gets_ten_verification_mails_a_day,
    an_address_that_got_its_mails_activates_an_account_all_the_same,
    whose_an_address_is_no_token_tells,
    of_a_changed_offer_three_letters_a_day_tell,
    no_way_to_the_final_invitation_is_shorter_than_ten_minutes,
    each_party_writes_two_hundred_notes_a_day_in_a_room,
    a_client_writes_two_hundred_versions_a_day,
    whoever_has_verified_no_address_has_ten_documents,
    a_client_has_fifty_templates_and_a_case_gets_them_all,
    a_form_that_is_too_large_is_refused,
    many_versions_are_found_at_once,
}

/// The refusal of what is used up, which tells to wait until midnight: it is nine o'clock.
fn until_midnight<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let refused = answer.expect_err("a limit");
    let wait = refused.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!(wait, Some(Duration::from_secs(15 * 3_600)));
    refusal(Err::<T, _>(refused))
}

fn exhausted(reason: &str) -> (Code, String) {
    (Code::ResourceExhausted, reason.to_owned())
}

// F8, B11
async fn an_address_gets_ten_verification_mails_a_day(database: TestDatabase) {
    let world = World::new(database).await;
    world.ada().await;
    // Whether somebody has the address or not: nobody is told which.
    for address in ["mary@example.com", "ada@example.com"] {
        for _ in 0..10 {
            world.register(registration(address)).await.expect("an account");
        }
        let mails = count(&world.db, "mail").await;
        let more = world.register(registration(&address.to_uppercase())).await;
        let more = more.expect("nobody is kept out by those who came before");
        assert_eq!(count(&world.db, "mail").await, mails);
        world.resend(&more.id).await.expect("who is signed in asks for it");
        assert_eq!(count(&world.db, "mail").await, mails + 1);
    }
    // Four people may ask for five each, and nobody for more.
    for nth in 0..4 {
        let eve = world.somebody(&format!("eve{nth}@example.com")).await;
        world.change_email(&eve.id, "mary@example.com").await.expect("asked");
        for _ in 0..3 + i32::from(nth > 0) {
            world.resend(&eve.id).await.expect("asked");
        }
    }
    let eve = world.somebody("eve@example.com").await;
    let before = counts(&world.db).await;
    let asked = world.change_email(&eve.id, "mary@example.com").await;
    assert_eq!(until_midnight(asked), exhausted("VERIFICATION_LIMIT_REACHED"));
    assert_eq!(counts(&world.db).await, before);
    world.resend(&eve.id).await.expect("that was not counted as hers");
    world.wait_until(at("2026-03-02"));
    let mails = count(&world.db, "mail").await;
    world.somebody("mary@example.com").await;
    assert_eq!(count(&world.db, "mail").await, mails + 1, "another day");
    world.stop().await;
}

// B12
async fn an_address_that_got_its_mails_activates_an_account_all_the_same(database: TestDatabase) {
    let world = World::new(database).await;
    for _ in 0..10 {
        world.somebody("mary@example.com").await;
    }
    let mails = count(&world.db, "mail").await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let activated = world.activate(activation(&invitation, "mary@example.com")).await;
    let mary = activated.expect("an account").person.expect("a person");
    assert!(!mary.email_verified);
    assert_eq!(count(&world.db, "mail").await, mails);
    world.resend(&mary.id).await.expect("who is signed in asks for it");
    assert_eq!(count(&world.db, "mail").await, mails + 1);
    world.stop().await;
}

// B12: only whoever has the mailbox may learn that there is an account.
async fn whose_an_address_is_no_token_tells(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    let [first, second] = [(); 2].map(|()| world.invitations.send("eve@example.com", fixed_terms()));
    let taken = world.activate(activation(&first, "ada@example.com")).await;
    let free = world.activate(activation(&second, "mary@example.com")).await;
    let people = [taken, free].map(|answer| answer.expect("an account").person.expect("a person"));
    assert!(
        people
            .iter()
            .all(|person| !person.email_verified && person.id != ada.id)
    );
    let mail = world.mail_to("ada@example.com").await;
    assert!(mail.contains("You have an account already"), "{mail}");
    let again = world.activate(activation(&first, "grace@example.com")).await;
    assert_eq!(refusal(again), (Code::NotFound, "NO_OPEN_INVITATION".to_owned()));
    world.stop().await;
}

/// An offer with another amount each time.
fn terms(nth: i64) -> ContractTerms {
    let mut terms = richer();
    if let Some(Pay::Fixed(fixed)) = &mut terms.pay {
        fixed.milestones[0].amount.as_mut().expect("an amount").minor_units += nth;
    }
    terms
}

// B19
async fn of_a_changed_offer_three_letters_a_day_tell(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    for nth in 0..5 {
        change(&world, acme(), &case, terms(nth)).await.expect("changed");
    }
    assert_eq!(count(&world.db, "mail").await, 3);
    let offer = world.case(&case.id).await.offer.expect("an offer");
    assert_eq!((offer.version, offer.contract_terms), (6, Some(terms(4))));
    world.wait_until(at("2026-03-02"));
    change(&world, acme(), &case, terms(5)).await.expect("changed");
    assert_eq!(count(&world.db, "mail").await, 4);
    world.stop().await;
}

// B34
async fn no_way_to_the_final_invitation_is_shorter_than_ten_minutes(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let invitation = world.invitations.of_agency(invitation);
    let request = pb::ActivateAccountRequest {
        agency_name: "Analytical Engines".to_owned(),
        ..activation(&invitation, "ada@example.com")
    };
    let case = world.activate(request).await.expect("an account").case.expect("a case");
    let invitations = async || count(&world.db, "mail WHERE kind = 'agency_invitation'").await;
    review(&world, &case, 1).await.expect("reviewed");
    assert_eq!(invitations().await, 1);
    let token = world.agency_token("ada@example.com").await;
    for nth in 0..2 {
        change(&world, acme(), &case, terms(nth)).await.expect("changed");
        let reviewed = review(&world, &case, 0).await;
        assert_eq!(refusal(reviewed).1, "OFFER_CHANGED");
        let version = world.case(&case.id).await.offer.expect("an offer").version;
        let reviewed = review(&world, &case, version).await.expect("reviewed");
        assert_eq!(reviewed.state(), pb::case::State::ConfirmListing);
    }
    assert_eq!(invitations().await, 1);
    let confirmed = world.accept_agency(&token).await.expect("the link is good as before");
    assert_eq!(confirmed.state(), pb::case::State::AcceptOffer);
    world.stop().await;
}

async fn each_party_writes_two_hundred_notes_a_day_in_a_room(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let accepted = world.accept(acceptance(&case, "Hello")).await.expect("accepted");
    let room_id = accepted.offer.expect("an offer").room_id;
    let post_in = async |room_id: &str, caller: Caller| {
        let request = pb::PostNoteRequest {
            request_id: request_id(),
            room_id: room_id.to_owned(),
            text: "Are you there?".to_owned(),
        };
        world.cases_of(caller).post_note(request).await
    };
    let post = async |caller: Caller| post_in(&room_id, caller).await;
    for _ in 0..200 {
        post(person(&ada.id)).await.expect("written");
    }
    let before = counts(&world.db).await;
    assert_eq!(
        until_midnight(post(person(&ada.id)).await),
        exhausted("NOTE_LIMIT_REACHED")
    );
    assert_eq!(counts(&world.db).await, before);
    post(acme()).await.expect("everybody has their own");
    let other = world.invitations.send("ada@example.com", fixed_terms());
    let other = world.open_case(&ada.id, &other.id).await.expect("a case");
    world.review(&other.id).await.expect("reviewed");
    let other = world.accept(acceptance(&other, "Hello")).await.expect("accepted");
    let other = other.offer.expect("an offer").room_id;
    post_in(&other, person(&ada.id)).await.expect("every room has its own");
    world.wait_until(at("2026-03-02"));
    post(person(&ada.id)).await.expect("another day");
    world.stop().await;
}

// B20
async fn whoever_has_verified_no_address_has_ten_documents(database: TestDatabase) {
    let world = World::new(database).await;
    let eve = world.somebody("eve@example.com").await;
    let upload = async || world.upload(upload_for(&eve, "a.pdf"), &pdf(100, 1)).await;
    for _ in 0..10 {
        upload().await.expect("a document");
    }
    let refused = (Code::FailedPrecondition, "TOO_MANY_DOCUMENTS".to_owned());
    assert_eq!(refusal(upload().await), refused);
    world
        .verify(&world.token_for("eve@example.com").await)
        .await
        .expect("verified");
    upload().await.expect("room again");
    world.stop().await;
}

/// An agreement of so many characters of three bytes each.
fn agreement(title: &str, characters: usize) -> pb::TaskTemplateContent {
    let form = pb::AgreementForm {
        text_version: "1".to_owned(),
        text: "\u{20ac}".repeat(characters),
    };
    pb::TaskTemplateContent {
        title: title.to_owned(),
        form: Some(pb::TaskForm {
            form: Some(Form::Agreement(form)),
        }),
        ..nda()
    }
}

// B4, F16
async fn a_client_has_fifty_templates_and_a_case_gets_them_all(database: TestDatabase) {
    let world = World::new(database).await;
    let mut last = None;
    for nth in 1..=50 {
        let title = format!("Paper {nth}");
        last = Some(world.require(agreement(&title, 43_000)).await);
    }
    let refused = (Code::FailedPrecondition, "TOO_MANY_TASK_TEMPLATES".to_owned());
    let client = "019c0000-0000-7000-8000-00000000acae";
    assert_eq!(refusal(world.template(client, nda()).await), refused);
    world.template("", nda()).await.expect("the platform has its own fifty");

    // 6 MiB of texts, where an answer holds 4.
    let (_, case) = world.ada().await;
    let titles: Vec<_> = world.tasks_of(&case.id).await.into_iter().map(|it| it.title).collect();
    let papers = (1..=50).map(|nth| format!("Paper {nth}"));
    let expected: Vec<_> = ["NDA".to_owned()].into_iter().chain(papers).collect();
    assert_eq!(titles, expected);
    assert_eq!(case.task_count, 51);

    let retire = pb::RetireTaskTemplateRequest {
        request_id: request_id(),
        task_template_id: last.expect("a template").id,
    };
    for _ in 0..2 {
        let retire = pb::RetireTaskTemplateRequest {
            request_id: request_id(),
            ..retire.clone()
        };
        world
            .templates(acme())
            .retire_task_template(retire)
            .await
            .expect("out of use");
    }
    world.template(client, nda()).await.expect("room for one");
    assert_eq!(refusal(world.template(client, nda()).await), refused);
    world.stop().await;
}

// B4
async fn a_client_writes_two_hundred_versions_a_day(database: TestDatabase) {
    let world = World::new(database).await;
    let template = world.require(nda()).await;
    let update = async || {
        let request = pb::UpdateTaskTemplateRequest {
            request_id: request_id(),
            task_template_id: template.id.clone(),
            content: Some(nda()),
        };
        world.templates(acme()).update_task_template(request).await
    };
    for _ in 1..200 {
        update().await.expect("a version");
    }
    let refused = exhausted("TASK_TEMPLATE_LIMIT_REACHED");
    assert_eq!(until_midnight(update().await), refused);
    let client = "019c0000-0000-7000-8000-00000000acae";
    assert_eq!(until_midnight(world.template(client, nda()).await), refused);
    world.template("", nda()).await.expect("the platform has its own");
    world.wait_until(at("2026-03-02"));
    let newest = update().await.expect("another day").into_inner().template;
    assert_eq!(newest.expect("a template").version, 201);
    world.stop().await;
}

/// A page ends before it is too large, but one task it always holds.
#[test]
fn the_largest_task_fits_into_an_answer() {
    let config = Layers::new(NAME, DEFAULTS)
        .load(Config::validate)
        .expect("good defaults")
        .config;
    let request = usize::try_from(config.common.server.max_message_bytes).expect("a size");
    // Whatever is handed in came in one request, and a character takes at most four bytes.
    let words = 4 * (TITLE_LENGTH.end() + WHY_LENGTH.end() + REJECTION_LENGTH.end());
    let (answer, others) = (4 * 1024 * 1024, 4 * 1024);
    assert!(MAX_FORM_BYTES + request + words + others < answer);
    assert!(MOST_BYTES + others < answer);
    // A case repeats the terms of its offer, which came in one request as well.
    assert!(request + words + others < answer);
}

async fn a_form_that_is_too_large_is_refused(database: TestDatabase) {
    let world = World::new(database).await;
    let client = "019c0000-0000-7000-8000-00000000acae";
    let too_large = world.template(client, agreement("Paper", 43_690)).await;
    assert_eq!(violations(too_large), ["content.form TOO_LONG"]);
    world
        .template(client, agreement("Paper", 43_680))
        .await
        .expect("131,072 bytes are taken");
    world.stop().await;
}

async fn many_versions_are_found_at_once(database: TestDatabase) {
    let world = World::new(database).await;
    let template = world.require(nda()).await;
    let known = TemplateVersion {
        id: template.id.parse().expect("an id"),
        version: 1,
    };
    let unknown = |version| TemplateVersion {
        id: TaskTemplateId::new(),
        version,
    };
    let versions = (1..=2_500).map(unknown).chain([known]);
    let found = find_versions(world.db.reader(), versions).await.expect("found");
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [known]);
    world.stop().await;
}
