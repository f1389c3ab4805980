//! Hire instead of invite: who has an account gets the offer straight there [R37].

use sha2::{Digest, Sha256};
use tonic::Code;
use vouch_primitives::{EventId, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{
        self as pb,
        accept_invitation_request::Proof,
        invitation::{Branch, State},
    },
    onboarding::v1::{EmailReleased, EmailVerified, OfferAccepted},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    tables::{count, told},
    world::{SOON, World, at, cloud_invitation, invite, refusal, request_id, start, token_in},
};

on_both_databases! {
    an_offer_goes_straight_to_who_has_an_account,
    nobody_but_the_client_learns_which_way_it_went,
    an_offer_is_no_consent_to_a_talent_cloud,
    the_last_word_about_an_address_counts,
    an_address_that_was_given_up_gets_an_invitation,
}

async fn an_offer_goes_straight_to_who_has_an_account(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.person("ada@example.com").await;
    let client = world.acme().await;
    let hired = world
        .send(invite(&client.id, "Ada@Example.com"))
        .await
        .expect("an offer");
    assert_eq!((hired.branch(), hired.state()), (Branch::Hire, State::Accepted));
    assert_eq!(
        (hired.person_id.clone(), hired.accept_time),
        (ada.to_string(), hired.send_time)
    );
    let expected = pb::InvitationAccepted {
        invitation_id: hired.id.clone(),
        client_id: client.id.clone(),
        person_id: ada.to_string(),
        accept_time: hired.accept_time,
        hire: true,
    };
    assert_eq!(told::<pb::InvitationAccepted>(&world.db).await, [expected]);
    assert_eq!(told::<pb::InvitationSent>(&world.db).await.len(), 1);
    // Nothing expires, and nobody is reminded: the offer is onboarding's.
    assert_eq!(count(&world.db, "timer").await, 0);
    assert_eq!(count(&world.db, "invitation_token").await, 0);
    let sent = |now: &pb::Invitation| now.delivery.as_ref().is_some_and(|mail| mail.attempts == 1);
    world.until(&hired.id, "the e-mail is sent", sent).await;
    let letter = world.letters().remove(0);
    assert!(
        letter.contains("has an offer for you") && letter.contains("https://vouch.example/home"),
        "{letter}"
    );
    assert_eq!(token_in(&letter), None);

    // Onboarding accepts it once more, for the one person whose it is.
    let proof = Proof::VerifiedEmail("ada@example.com".to_owned());
    let again = world
        .accept(&hired.id, ada, proof.clone())
        .await
        .expect("accepted before");
    assert_eq!(again.person_id, ada.to_string());
    let other = world.accept(&hired.id, PersonId::new(), proof).await;
    assert_eq!(
        refusal(other),
        (Code::FailedPrecondition, "INVITATION_TAKEN".to_owned())
    );
    assert_eq!(told::<pb::InvitationAccepted>(&world.db).await.len(), 1);
    world.stop().await;
}

async fn an_offer_is_no_consent_to_a_talent_cloud(database: TestDatabase) {
    let world = World::new(database).await;
    world.person("ada@example.com").await;
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let offer = world
        .send(invite(&client.id, "ada@example.com"))
        .await
        .expect("an offer");
    let add = || pb::AddTalentCloudMemberRequest {
        request_id: request_id(),
        talent_cloud_id: cloud.id.clone(),
        invitation_id: offer.id.clone(),
    };
    let mut clouds = world.clouds.clone();
    assert_eq!(
        refusal(clouds.add_talent_cloud_member(add()).await),
        (Code::FailedPrecondition, "INVITATION_NOT_ACCEPTED".to_owned())
    );
    let hired = OfferAccepted {
        invitation_id: offer.id.clone(),
        accept_time: Some(to_wire_time(start())),
        ..OfferAccepted::default()
    };
    world.hear(EventId::new(), "/vouch/onboarding", &hired).await;
    world
        .until(&offer.id, "ada is hired", |now| now.hire_time.is_some())
        .await;
    clouds.add_talent_cloud_member(add()).await.expect("a member");
    world.stop().await;
}

async fn the_last_word_about_an_address_counts(database: TestDatabase) {
    let world = World::new(database).await;
    let [ada, eve, bea] = [PersonId::new(), PersonId::new(), PersonId::new()];
    let verified = |person: PersonId, email: &str, day: &str| EmailVerified {
        person_id: person.to_string(),
        verify_time: Some(to_wire_time(at(day))),
        email_sha256: Sha256::digest(email).to_vec(),
        ..EmailVerified::default()
    };
    for event in [
        verified(eve, "shared@example.com", "2026-02-02"),
        verified(ada, "shared@example.com", "2026-02-01"),
    ] {
        world.hear(EventId::new(), "/vouch/onboarding", &event).await;
    }
    // The last event is the last that is applied.
    let last = verified(bea, "bea@example.com", "2026-02-03");
    world.hear(EventId::new(), "/vouch/onboarding", &last).await;
    eventually("both addresses are known", SOON, async || {
        match count(&world.db, "account_address").await {
            2 => Ok(()),
            known => Err(format!("{known} are")),
        }
    })
    .await;
    let client = world.acme().await;
    let offer = world
        .send(invite(&client.id, "shared@example.com"))
        .await
        .expect("an offer");
    assert_eq!(offer.person_id, eve.to_string());
    world.stop().await;
}

// F8: whoever has another address, or has closed the account, is not found by the old one.
async fn an_address_that_was_given_up_gets_an_invitation(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.person("ada@example.com").await;
    let client = world.acme().await;
    let released = |email: &str, day: &str| EmailReleased {
        person_id: ada.to_string(),
        release_time: Some(to_wire_time(at(day))),
        email_sha256: Sha256::digest(email).to_vec(),
    };
    // Older news than the verification change nothing; those of the same moment do.
    let old = released("ada@example.com", "2025-01-01");
    world.hear(EventId::new(), "/vouch/onboarding", &old).await;
    let now = EmailReleased {
        release_time: Some(to_wire_time(start())),
        ..released("eve@example.com", "2025-01-01")
    };
    world.learn("account_address", "/vouch/onboarding", &now).await;
    let verified = EmailVerified {
        person_id: PersonId::new().to_string(),
        verify_time: now.release_time,
        email_sha256: now.email_sha256.clone(),
        ..EmailVerified::default()
    };
    world.hear(EventId::new(), "/vouch/onboarding", &verified).await;
    // The last event is the last that is applied.
    world.person("bea@example.com").await;
    for (email, branch) in [("ada@example.com", Branch::Hire), ("eve@example.com", Branch::Invite)] {
        let sent = world.send(invite(&client.id, email)).await.expect("sent");
        assert_eq!(sent.branch(), branch, "{email}");
    }
    world.stop().await;
}

async fn nobody_but_the_client_learns_which_way_it_went(database: TestDatabase) {
    let world = World::new(database).await;
    world.person("ada@example.com").await;
    let client = world.acme().await;
    world
        .send(invite(&client.id, "ada@example.com"))
        .await
        .expect("an offer");
    let stranger = world
        .send(invite(&client.id, "joan@example.com"))
        .await
        .expect("an invitation");
    assert_eq!(stranger.branch(), Branch::Invite);
    assert_eq!(world.open_invitations("ada@example.com").await, []);
    let token = world.token_for("joan@example.com").await;
    assert_eq!(world.look_up(&token).await.expect("open").branch(), Branch::Invite);
    // What has no way straight to an account yet is an invitation like any other.
    let agency = pb::SendInvitationRequest {
        talent_type: pb::TalentType::Agency.into(),
        ..invite(&client.id, "ada@example.com")
    };
    assert_eq!(
        world.send(agency).await.expect("an invitation").branch(),
        Branch::Invite
    );
    let cloud = world.cloud(&client.id, "Friends").await;
    let place = world
        .send(cloud_invitation(&cloud, "ada@example.com"))
        .await
        .expect("an invitation");
    assert_eq!(place.branch(), Branch::Invite);
    world.stop().await;
}
