//! Accepting: by whoever proves to be invited, once.

use futures::future::join_all;
use tonic::Code;
use vouch_primitives::{InvitationId, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{self as pb, accept_invitation_request::Proof, invitation::State},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    lookup::by_token,
    tables::{count, counts, told},
    world::{World, at, refusal, request_id, violations},
};

on_both_databases! {
    of_fifty_at_once_one_person_gets_it,
    the_same_person_gets_the_same_answer,
    a_verified_address_is_proof_too,
    without_proof_there_is_no_such_invitation,
    a_bad_acceptance_is_told_everything,
}

const TAKEN: (Code, &str) = (Code::FailedPrecondition, "INVITATION_TAKEN");

fn by_email(email: &str) -> Proof {
    Proof::VerifiedEmail(email.to_owned())
}

async fn of_fifty_at_once_one_person_gets_it(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let token = world.token_for("ada@example.com").await;
    let attempts = (0..50).map(|_| async {
        let person = PersonId::new();
        (person, world.accept(&invitation.id, person, by_token(&token)).await)
    });
    let (won, lost): (Vec<_>, Vec<_>) = join_all(attempts)
        .await
        .into_iter()
        .partition(|(_, answer)| answer.is_ok());
    assert_eq!((won.len(), lost.len()), (1, 49));
    for (_, answer) in lost {
        let (code, reason) = refusal(answer);
        assert_eq!((code, reason.as_str()), TAKEN);
    }
    let winner = won[0].0.to_string();
    assert_eq!(
        world.get(&invitation.id).await.expect("the invitation").person_id,
        winner
    );
    let events = told::<pb::InvitationAccepted>(&world.db).await;
    assert_eq!(
        events.iter().map(|event| &event.person_id).collect::<Vec<_>>(),
        [&winner]
    );
    world.stop().await;
}

async fn the_same_person_gets_the_same_answer(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let (ada, token) = (PersonId::new(), world.token_for("ada@example.com").await);
    world.clock.set(at("2026-03-02")).expect("forwards");
    let attempts = (0..10).map(|_| world.accept(&invitation.id, ada, by_token(&token)));
    let answers: Vec<_> = join_all(attempts)
        .await
        .into_iter()
        .map(|answer| answer.expect("accepted"))
        .collect();
    let accepted = pb::Invitation {
        delivery: None,
        ..answers[0].clone()
    };
    let expected = pb::Invitation {
        state: State::Accepted.into(),
        accept_time: Some(to_wire_time(at("2026-03-02"))),
        person_id: ada.to_string(),
        delivery: None,
        ..invitation.clone()
    };
    assert_eq!(accepted, expected);
    // Long after it would have expired, by another way: still a repeat.
    world.clock.set(at("2026-06-01")).expect("forwards");
    let again = world
        .accept(&invitation.id, ada, by_email("ada@example.com"))
        .await
        .expect("a repeat");
    assert_eq!(
        pb::Invitation {
            delivery: None,
            ..again
        },
        expected
    );
    let event = pb::InvitationAccepted {
        invitation_id: invitation.id.clone(),
        client_id: invitation.client_id.clone(),
        person_id: ada.to_string(),
        accept_time: expected.accept_time,
        hire: false,
    };
    assert_eq!(told::<pb::InvitationAccepted>(&world.db).await, [event]);
    assert_eq!(count(&world.db, "timer").await, 0, "nothing waits to expire");
    let (code, reason) = refusal(world.accept(&invitation.id, PersonId::new(), by_token(&token)).await);
    assert_eq!((code, reason.as_str()), TAKEN);
    world.stop().await;
}

async fn a_verified_address_is_proof_too(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let ada = PersonId::new();
    let accepted = world
        .accept(&invitation.id, ada, by_email("ADA@Example.com"))
        .await
        .expect("accepted");
    assert_eq!(
        (accepted.state(), accepted.person_id),
        (State::Accepted, ada.to_string())
    );
    world.stop().await;
}

// B9
async fn without_proof_there_is_no_such_invitation(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let before = counts(&world.db).await;
    for id in [invitation.id.clone(), InvitationId::new().to_string()] {
        for proof in [
            by_token("guessed"),
            by_email("eve@example.com"),
            by_email("ada@example.com.evil.example"),
        ] {
            let refused = world.accept(&id, PersonId::new(), proof).await.expect_err("a refusal");
            assert_eq!(refused.message(), format!("invitation {id} does not exist"));
            assert_eq!(refusal(Err::<(), _>(refused)), (Code::NotFound, "NOT_FOUND".to_owned()));
        }
    }
    assert_eq!(counts(&world.db).await, before, "a refused request may be tried again");
    assert_eq!(
        world.get(&invitation.id).await.expect("the invitation").state(),
        State::Pending
    );
    world.stop().await;
}

async fn a_bad_acceptance_is_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let mut service = world.invitations.clone();
    let nothing = service.accept_invitation(pb::AcceptInvitationRequest::default()).await;
    let expected = [
        "request_id REQUIRED",
        "invitation_id REQUIRED",
        "person_id REQUIRED",
        "proof REQUIRED",
    ];
    assert_eq!(violations(nothing), expected);
    for (proof, expected) in [
        (
            Proof::TokenSha256(vec![7; 31]),
            ["person_id INVALID_FORMAT", "token_sha256 INVALID_FORMAT"],
        ),
        (
            by_email("ada"),
            ["person_id INVALID_FORMAT", "verified_email INVALID_FORMAT"],
        ),
    ] {
        let request = pb::AcceptInvitationRequest {
            request_id: request_id(),
            invitation_id: InvitationId::new().to_string(),
            person_id: "ada".to_owned(),
            proof: Some(proof),
        };
        assert_eq!(violations(service.accept_invitation(request).await), expected);
    }
    world.stop().await;
}
