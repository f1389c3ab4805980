//! Settings: what people may change of themselves [F8, F10].

use std::time::Duration;

use futures::future::join_all;
use sha2::{Digest, Sha256};
use tonic::Code;
use tonic_types::StatusExt;
use vouch_primitives::PersonId;
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{self as pb, get_home_response::NextStep},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    example::{activation, at, basic_information, fixed_terms, registration},
    tables::{count, counts, told},
    world::{World, refusal, violations},
};

on_both_databases! {
    what_people_say_of_themselves_is_replaced,
    bad_settings_are_told_everything,
    a_new_address_counts_once_it_is_verified,
    a_token_is_good_for_its_address_alone,
    a_token_is_good_for_seven_days,
    the_wish_for_another_address_is_taken_back,
    nobody_learns_whose_an_address_is,
    of_two_who_want_an_address_the_first_to_prove_it_has_it,
    five_mails_a_day,
}

const UNKNOWN: &str = "UNKNOWN_VERIFICATION";

// F10
async fn what_people_say_of_themselves_is_replaced(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case) = world.ada().await;
    let said = pb::BasicInformation {
        legal_name: "Augusta King".to_owned(),
        display_name: "Augusta".to_owned(),
        country_code: "PT".to_owned(),
        time_zone: "Europe/Lisbon".to_owned(),
        account_email: "ada@example.com".to_owned(),
    };
    let updated = world.update(&ada.id, said.clone()).await.expect("updated");
    let expected = pb::Person {
        basic_information: Some(said),
        ..ada.clone()
    };
    assert_eq!(updated, expected);
    assert_eq!(world.person(&ada.id).await.expect("a person"), expected);
    assert_eq!(world.home(&ada.id).await.expect("a home"), NextStep::OpenCase(case));
    let nobody = world
        .update(&PersonId::new().to_string(), basic_information("Eve", ""))
        .await;
    assert_eq!(refusal(nobody), (Code::NotFound, "NOT_FOUND".to_owned()));
    world.stop().await;
}

async fn bad_settings_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let before = counts(&world.db).await;
    let mut accounts = world.accounts.clone();
    let nothing = pb::UpdateBasicInformationRequest::default();
    assert_eq!(
        violations(accounts.update_basic_information(nothing).await),
        [
            "request_id REQUIRED",
            "person_id REQUIRED",
            "legal_name REQUIRED",
            "display_name REQUIRED",
            "country_code REQUIRED",
            "time_zone REQUIRED",
        ]
    );
    let nothing = pb::ChangeAccountEmailRequest::default();
    let told = ["request_id REQUIRED", "person_id REQUIRED", "account_email REQUIRED"];
    assert_eq!(violations(accounts.change_account_email(nothing).await), told);
    let told = ["request_id REQUIRED", "person_id REQUIRED"];
    let nothing = pb::ResendVerificationRequest::default();
    assert_eq!(violations(accounts.resend_verification(nothing).await), told);
    let nothing = pb::ReopenAccountRequest::default();
    assert_eq!(violations(accounts.reopen_account(nothing).await), told);
    let nothing = pb::ErasePersonRequest::default();
    assert_eq!(violations(accounts.erase_person(nothing).await), told);
    let chatty = pb::CloseAccountRequest {
        reason: "x".repeat(501),
        ..Default::default()
    };
    let told = ["request_id REQUIRED", "person_id REQUIRED", "reason TOO_LONG"];
    assert_eq!(violations(accounts.close_account(chatty).await), told);
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

// F8
async fn a_new_address_counts_once_it_is_verified(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case) = world.ada().await;
    world.decline(&case.id, "").await.expect("declined");
    let invitation = world.invitations.send("ada@home.example", fixed_terms());
    let asked = world.change_email(&ada.id, "Ada@home.example").await.expect("asked");
    let expected = pb::Person {
        pending_email: "ada@home.example".to_owned(),
        ..ada.clone()
    };
    assert_eq!(asked, expected);
    let notice = world.mail_to("ada@example.com").await;
    assert!(notice.contains("another e-mail address"), "{notice}");
    assert!(
        !notice.contains("home.example") && !notice.contains("#token="),
        "{notice}"
    );
    // Until then nothing that was sent to it is hers.
    let nothing = NextStep::NothingToDo(pb::NothingToDoStep {});
    assert_eq!(world.home(&ada.id).await.expect("a home"), nothing);

    world.wait_until(at("2026-03-02"));
    let token = world.token_for("ada@home.example").await;
    let moved = world.verify(&token).await.expect("verified");
    let information = basic_information("Ada", "ada@home.example");
    let expected = pb::Person {
        basic_information: Some(information),
        ..ada.clone()
    };
    assert_eq!(moved, expected);
    assert_eq!(world.verify(&token).await.expect("a repeat"), expected);
    let NextStep::OpenInvitation(waiting) = world.home(&ada.id).await.expect("a home") else {
        panic!("the invitation to the new address is not shown")
    };
    assert_eq!(waiting.invitation_id, invitation.id);

    let now = Some(to_wire_time(at("2026-03-02")));
    let released = pb::EmailReleased {
        person_id: ada.id.clone(),
        release_time: now,
        email_sha256: Sha256::digest("ada@example.com").to_vec(),
    };
    assert_eq!(told::<pb::EmailReleased>(&world.db).await, [released]);
    let verified = pb::EmailVerified {
        person_id: ada.id,
        verify_time: now,
        email_sha256: Sha256::digest("ada@home.example").to_vec(),
        mailbox_sha256: Sha256::digest("ada@home.example").to_vec(),
    };
    assert_eq!(told::<pb::EmailVerified>(&world.db).await[1..], [verified]);

    // The old address is free for somebody else.
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let other = world.activate(activation(&invitation, "ada@example.com")).await;
    assert!(other.expect("an account").person.expect("a person").email_verified);
    world.stop().await;
}

async fn a_token_is_good_for_its_address_alone(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world
        .register(registration("ada@example.com"))
        .await
        .expect("an account");
    let first = world.token_for("ada@example.com").await;
    // An address that nobody has verified could be a stranger's, who is told nothing.
    world.change_email(&ada.id, "ada@home.example").await.expect("asked");
    let second = world.token_for("ada@home.example").await;
    world.change_email(&ada.id, "ada@work.example").await.expect("asked");
    let third = world.token_for("ada@work.example").await;
    assert_eq!(count(&world.db, "mail").await, 3);
    let unknown = (Code::NotFound, UNKNOWN.to_owned());
    assert_eq!(refusal(world.verify(&second).await), unknown);
    world.verify(&third).await.expect("verified");
    assert_eq!(refusal(world.verify(&first).await), unknown);
    // What was never known to be hers is nothing to give up.
    assert_eq!(told::<pb::EmailReleased>(&world.db).await, []);
    assert_eq!(told::<pb::EmailVerified>(&world.db).await.len(), 1);
    world.stop().await;
}

async fn a_token_is_good_for_seven_days(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world
        .register(registration("ada@example.com"))
        .await
        .expect("an account");
    world.wait_until(at("2026-03-02T09:00:00Z"));
    assert_eq!(world.resend(&ada.id).await.expect("sent again"), ada);
    let tokens = world.tokens_for("ada@example.com", 2).await;
    world.wait_until(at("2026-03-08T09:00:00Z"));
    let mut answers = join_all(tokens.iter().map(|token| world.verify(token))).await;
    answers.sort_by_key(Result::is_ok);
    let young = answers.remove(1).expect("the second is six days old");
    assert!(young.email_verified);
    assert_eq!(refusal(answers.remove(0)), (Code::NotFound, UNKNOWN.to_owned()));
    let nothing = (Code::FailedPrecondition, "NOTHING_TO_VERIFY".to_owned());
    assert_eq!(refusal(world.resend(&ada.id).await), nothing);
    world.stop().await;
}

async fn the_wish_for_another_address_is_taken_back(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    world.change_email(&ada.id, "ada@home.example").await.expect("asked");
    let token = world.token_for("ada@home.example").await;
    let mails = count(&world.db, "mail").await;
    assert_eq!(
        world
            .change_email(&ada.id, "ada@example.com")
            .await
            .expect("taken back"),
        ada
    );
    assert_eq!(count(&world.db, "mail").await, mails, "nobody is asked or told");
    assert_eq!(
        refusal(world.verify(&token).await),
        (Code::NotFound, UNKNOWN.to_owned())
    );
    assert_eq!(world.person(&ada.id).await.expect("a person"), ada);
    world.stop().await;
}

async fn nobody_learns_whose_an_address_is(database: TestDatabase) {
    let world = World::new(database).await;
    world.ada().await;
    let eve = world
        .register(registration("eve@example.com"))
        .await
        .expect("an account");
    let asked = world.change_email(&eve.id, "ada@example.com").await.expect("answered");
    assert_eq!(asked.pending_email, "ada@example.com", "as for any address");
    let mail = world.mail_to("ada@example.com").await;
    assert!(mail.contains("You have an account already"), "{mail}");
    assert!(!mail.contains("#token="), "{mail}");
    world.stop().await;
}

async fn of_two_who_want_an_address_the_first_to_prove_it_has_it(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    let eve = world
        .register(registration("eve@example.com"))
        .await
        .expect("an account");
    for person in [&ada, &eve] {
        world
            .change_email(&person.id, "shared@example.com")
            .await
            .expect("asked");
    }
    let tokens = world.tokens_for("shared@example.com", 2).await;
    let answers = join_all(tokens.iter().map(|token| world.verify(token))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 1));
    for answer in lost {
        assert_eq!(refusal(answer), (Code::AlreadyExists, "EMAIL_TAKEN".to_owned()));
    }
    world.stop().await;
}

async fn five_mails_a_day(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world
        .register(registration("ada@example.com"))
        .await
        .expect("an account");
    for _ in 0..3 {
        world.resend(&ada.id).await.expect("sent again");
    }
    world.change_email(&ada.id, "ada@home.example").await.expect("asked");
    world.resend(&ada.id).await.expect("sent again");
    let before = counts(&world.db).await;
    let exhausted = world.resend(&ada.id).await.expect_err("the sixth");
    let wait = exhausted.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!(wait, Some(Duration::from_secs(15 * 3_600)), "it is nine o'clock");
    let limit = (Code::ResourceExhausted, "VERIFICATION_LIMIT_REACHED".to_owned());
    assert_eq!(refusal(Err::<(), _>(exhausted)), limit);
    let another = world.change_email(&ada.id, "stranger@example.com").await;
    assert_eq!(refusal(another), limit);
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(
        world.person(&ada.id).await.expect("a person").pending_email,
        "ada@home.example"
    );
    let eve = world
        .register(registration("eve@example.com"))
        .await
        .expect("an account");
    world.resend(&eve.id).await.expect("everybody has five");
    world.wait_until(at("2026-03-02"));
    world.resend(&ada.id).await.expect("another day");
    assert!(world.asks_to_verify(&ada.id).await);
    world.stop().await;
}
