//! What comes after the erasure of somebody, or at the same moment, and what they left under an address that is somebody
//! else's by now.

use sha2::{Digest, Sha256};
use tonic::Code;
use vouch_primitives::{Clock, EventId, PersonId, Timestamp};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{self as pb, TalentCloudArchived, accept_invitation_request::Proof, invitation::State},
    onboarding::v1::{EmailReleased, EmailVerified, OfferAccepted, PersonErased},
};
use vouch_storage::StorageError;
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    applications::{application, apply},
    tables::{count, everything, told},
    world::{SOON, World, at, cloud_invitation, invite, refusal, request_id},
};

on_both_databases! {
    nothing_is_done_in_the_name_of_who_was_erased,
    what_was_written_at_the_same_moment_is_erased_an_hour_later,
    a_former_address_is_erased_and_its_new_owners_things_stay,
    that_a_cloud_is_archived_is_told_once,
}

const SOURCE: &str = "/vouch/onboarding";

fn erased(person: PersonId) -> PersonErased {
    PersonErased {
        person_id: person.to_string(),
        erase_time: Some(to_wire_time(at("2026-03-06"))),
    }
}

fn verified(person: PersonId, email: &str, since: Timestamp) -> EmailVerified {
    EmailVerified {
        person_id: person.to_string(),
        verify_time: Some(to_wire_time(since)),
        email_sha256: Sha256::digest(email).to_vec(),
        ..EmailVerified::default()
    }
}

fn about_bo(project: &pb::Project, by: PersonId) -> pb::RecommendTalentRequest {
    pb::RecommendTalentRequest {
        request_id: request_id(),
        project_id: project.id.clone(),
        person_id: by.to_string(),
        talent: Some(pb::RecommendedTalent {
            name: "Bo".to_owned(),
            email: "bo@example.com".to_owned(),
            message: "Bo is quick".to_owned(),
        }),
        invitation_id: String::new(),
    }
}

async fn nothing_is_done_in_the_name_of_who_was_erased(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let logo = world.project(&client.id, "Logo", &[]).await;
    let invitation = world.send(invite(&client.id, "gussie@example.com")).await;
    let invitation = invitation.expect("an invitation");
    let gussie = world.person("gussie@example.com").await;
    world.enrol(gussie, "VCH2-K7QX").await;
    let proof = Proof::TokenSha256(Sha256::digest(world.token_for("gussie@example.com").await).to_vec());
    world
        .accept(&invitation.id, gussie, proof.clone())
        .await
        .expect("accepted");
    let hired = OfferAccepted {
        invitation_id: invitation.id.clone(),
        accept_time: Some(to_wire_time(world.clock.now())),
        ..Default::default()
    };
    world.hear(EventId::new(), SOURCE, &hired).await;
    let shared = world.share(&logo.id, gussie, "the quilting club").await;
    shared.expect("a link");
    world.learn("erased_person", SOURCE, &erased(gussie)).await;
    assert!(!everything(&world.db).await.contains("quilting"));
    assert_eq!(count(&world.db, "project_share").await, 1, "the link stays");

    let before = [
        count(&world.db, "recommendation").await,
        count(&world.db, "application").await,
    ];
    let missing = (Code::NotFound, "NOT_FOUND".to_owned());
    assert_eq!(refusal(world.share(&logo.id, gussie, "again").await), missing);
    let recommended = world.projects.clone().recommend_talent(about_bo(&logo, gussie)).await;
    assert_eq!(refusal(recommended), missing);
    let applied = apply(&world, application(&logo.id, gussie, "gussie@example.com")).await;
    assert_eq!(refusal(applied), missing);
    assert_eq!(refusal(world.accept(&invitation.id, gussie, proof).await), missing);
    let added = pb::AddTalentCloudMemberRequest {
        request_id: request_id(),
        talent_cloud_id: cloud.id.clone(),
        invitation_id: invitation.id.clone(),
    };
    assert_eq!(
        refusal(world.clouds.clone().add_talent_cloud_member(added).await),
        missing
    );
    assert_eq!(world.members(&cloud).await, []);
    let after = [
        count(&world.db, "recommendation").await,
        count(&world.db, "application").await,
    ];
    assert_eq!(after, before);
    world.stop().await;
}

async fn what_was_written_at_the_same_moment_is_erased_an_hour_later(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let logo = world.project(&client.id, "Logo", &[]).await;
    let gussie = world.person("gussie@example.com").await;
    let recommended = world.projects.clone().recommend_talent(about_bo(&logo, gussie)).await;
    recommended.expect("recommended");
    world.learn("erased_person", SOURCE, &erased(gussie)).await;
    // As a transaction would that was not there yet when the erasure looked.
    let late = "UPDATE recommendation SET message = 'Bo is quick'";
    let written = world.db.write_tx(|txn| async move {
        use sea_orm::ConnectionTrait;
        txn.execute_unprepared(late).await?;
        Ok::<_, StorageError>(())
    });
    written.await.expect("written");
    world.clock.set(world.clock.now().add_days(1)).expect("forwards");
    eventually("it is erased", SOON, async || {
        let is_there = everything(&world.db).await.contains("Bo is quick");
        (!is_there).then_some(()).ok_or_else(|| "it is there".to_owned())
    })
    .await;
    world.stop().await;
}

async fn a_former_address_is_erased_and_its_new_owners_things_stay(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let office = "office@quill.example";
    // Sent before she has an account: the letter is hers.
    let to_gussie = pb::SendInvitationRequest {
        recipient_name: "Augusta Quillfeather".to_owned(),
        personal_message: "You are the best of quills".to_owned(),
        ..invite(&client.id, office)
    };
    let hers = world.send(to_gussie).await.expect("an invitation");
    let gussie = PersonId::new();
    let now = world.clock.now();
    world
        .learn("account_address", SOURCE, &verified(gussie, office, now))
        .await;
    let left = EmailReleased {
        person_id: gussie.to_string(),
        release_time: Some(to_wire_time(now.add_days(1))),
        email_sha256: Sha256::digest(office).to_vec(),
    };
    world.hear(EventId::new(), SOURCE, &left).await;
    let bo = PersonId::new();
    world
        .learn("former_address", SOURCE, &verified(bo, office, now.add_days(2)))
        .await;
    world.clock.set(now.add_days(3)).expect("forwards");
    let bos = world.send(invite(&client.id, office)).await.expect("an offer");
    assert_eq!(bos.person_id, bo.to_string());
    assert_eq!(count(&world.db, "unsubscribe_token").await, 2);

    world.learn("erased_person", SOURCE, &erased(gussie)).await;
    let all = everything(&world.db).await;
    for left in ["Augusta Quillfeather", "best of quills"] {
        assert!(!all.contains(left), "{left}");
    }
    let hers = world.get(&hers.id).await.expect("known");
    assert_eq!((hers.state(), &*hers.recipient_email), (State::Declined, ""));
    assert_eq!(world.get(&bos.id).await.expect("known").recipient_email, office);
    assert_eq!(
        count(&world.db, "unsubscribe_token").await,
        1,
        "hers is gone, his is good"
    );
    world.stop().await;
}

async fn that_a_cloud_is_archived_is_told_once(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    world
        .send(cloud_invitation(&cloud, "ada@example.com"))
        .await
        .expect("an invitation");
    for _ in 0..2 {
        let request = pb::ArchiveTalentCloudRequest {
            request_id: request_id(),
            talent_cloud_id: cloud.id.clone(),
        };
        let archived = world.clouds.clone().archive_talent_cloud(request).await;
        archived.expect("archived");
    }
    let expected = TalentCloudArchived {
        talent_cloud_id: cloud.id,
        client_id: client.id,
        archive_time: Some(to_wire_time(world.clock.now())),
    };
    assert_eq!(told::<TalentCloudArchived>(&world.db).await, [expected]);
    world.stop().await;
}
