//! Who brings whom: shared links, referrers, and talent that recommends others.

use futures::future::join_all;
use tonic::{Code, Status};
use vouch_primitives::{PersonId, ProjectId};
use vouch_proto::{
    invitation::v1::{self as pb, accept_invitation_request::Proof, application::State, recommendation::Occasion},
    referral::v1::RefereeAttributed,
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    applications::{application, apply, decline},
    tables::{count, told},
    world::{World, cloud_invitation, invite, refusal, request_id},
};

on_both_databases! {
    a_link_carries_the_sharers_code,
    somebody_else_is_recommended,
    a_link_counts_before_who_vouched,
    who_recommended_is_told_how_it_goes,
}

// R10, R30
async fn a_link_carries_the_sharers_code(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let logo = world.project(&client.id, "Logo", &[]).await;
    let rosa = PersonId::new();
    assert_eq!(
        refusal(world.share(&logo.id, rosa, "LinkedIn").await),
        (Code::FailedPrecondition, "REFERRER_NOT_ENROLLED".to_owned())
    );
    world.enrol(rosa, "VCH2-K7QX").await;
    let share = world.share(&logo.id, rosa, "LinkedIn").await.expect("a link");
    let link = format!(
        "https://vouch.example/projects/{}?share={}&code=VCH2-K7QX",
        logo.id, share.id
    );
    assert_eq!(
        (share.link.as_str(), share.source.as_str()),
        (link.as_str(), "LinkedIn")
    );
    assert_eq!(
        world.share(&logo.id, rosa, "LinkedIn").await.expect("the same link"),
        share
    );
    let other = world.share(&logo.id, rosa, "Facebook").await.expect("another link");
    assert_ne!(other.id, share.id);
    assert_eq!(count(&world.db, "project_share").await, 2);
    assert_eq!(
        refusal(world.share(&ProjectId::new().to_string(), rosa, "").await).0,
        Code::NotFound
    );
    world.stop().await;
}

fn talent(name: &str, email: &str) -> pb::RecommendedTalent {
    pb::RecommendedTalent {
        name: name.to_owned(),
        email: email.to_owned(),
        message: "Far better than I am".to_owned(),
    }
}

async fn recommend(world: &World, project: &str, person: PersonId) -> Result<pb::Recommendation, Status> {
    let request = pb::RecommendTalentRequest {
        request_id: request_id(),
        project_id: project.to_owned(),
        person_id: person.to_string(),
        talent: Some(talent("Bo", "bo@example.com")),
        invitation_id: String::new(),
    };
    let answer = world.projects.clone().recommend_talent(request).await?;
    Ok(answer.into_inner().recommendation.expect("a recommendation"))
}

// R31
async fn somebody_else_is_recommended(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let logo = world.project(&client.id, "Logo", &[]).await;
    let rosa = PersonId::new();
    let many = (0..5).map(|_| recommend(&world, &logo.id, rosa));
    let mut many: Vec<_> = join_all(many)
        .await
        .into_iter()
        .map(|said| said.expect("recommended"))
        .collect();
    let for_logo = many.remove(0);
    assert!(many.iter().all(|said| *said == for_logo), "{many:?}");
    assert_eq!(recommend(&world, &logo.id, rosa).await.expect("the same"), for_logo);
    assert_eq!(for_logo.occasion, Some(Occasion::ProjectId(logo.id.clone())));

    let invitation = world
        .send(invite(&client.id, "ada@example.com"))
        .await
        .expect("an invitation");
    let token = world.token_for("ada@example.com").await;
    let decline = pb::DeclineInvitationRequest {
        request_id: request_id(),
        token,
        reason: "No time".to_owned(),
        recommendation: Some(talent("Cy", "Cy@Example.com")),
    };
    world
        .invitations
        .clone()
        .decline_invitation(decline)
        .await
        .expect("declined");
    let list = pb::ListRecommendationsRequest {
        client_id: client.id.clone(),
        ..pb::ListRecommendationsRequest::default()
    };
    let listed = world
        .projects
        .clone()
        .list_recommendations(list)
        .await
        .expect("a list")
        .into_inner();
    let [declined, first] = <[_; 2]>::try_from(listed.recommendations).expect("two");
    assert_eq!(first, for_logo);
    assert_eq!(declined.occasion, Some(Occasion::InvitationId(invitation.id)));
    assert_eq!(
        (declined.person_id.as_str(), declined.client_id.as_str()),
        ("", client.id.as_str())
    );
    assert_eq!(declined.talent.expect("talent").email, "cy@example.com");
    let told = told::<pb::TalentRecommended>(&world.db).await;
    assert_eq!((told.len(), told[0].person_id.as_str()), (2, rosa.to_string().as_str()));
    // Nobody is written to, and nobody is recommended for what cannot be seen.
    assert_eq!(world.mails(), 1);
    world.close(&logo.id).await;
    assert_eq!(refusal(recommend(&world, &logo.id, rosa).await).0, Code::NotFound);
    world.stop().await;
}

impl World {
    /// This person has joined, and was vouched for.
    async fn vouched_for(&self, email: &str, referrer: &str) -> PersonId {
        let person = self.person(email).await;
        let attributed = RefereeAttributed {
            referrer_id: referrer.to_owned(),
            referee_person_id: person.to_string(),
            ..RefereeAttributed::default()
        };
        self.learn("referee", "/vouch/referral", &attributed).await;
        person
    }
}

// R20
async fn a_link_counts_before_who_vouched(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let logo = world.project(&client.id, "Logo", &[]).await;
    let (rosa, tom) = (world.person("rosa@example.com").await, PersonId::new());
    world.enrol(rosa, "VCH2-K7QX").await;
    let referrer = world.enrol(tom, "VCH2-AAAA").await.to_string();
    let share = world.share(&logo.id, rosa, "LinkedIn").await.expect("a link");
    let ada = world.vouched_for("ada@example.com", &referrer).await;
    let bea = world.vouched_for("bea@example.com", &referrer).await;
    let cid = world.person("cid@example.com").await;
    let by_link = |person, email| pb::ApplyRequest {
        share_id: share.id.clone(),
        ..application(&logo.id, person, email)
    };
    let mut brought = Vec::new();
    for request in [
        by_link(ada, "ada@example.com"),
        application(&logo.id, bea, "bea@example.com"),
        application(&logo.id, cid, "cid@example.com"),
        // Nobody recommends themselves.
        by_link(rosa, "rosa@example.com"),
    ] {
        let applied = apply(&world, request).await.expect("applied");
        brought.push(applied.recommended_by_person_id);
    }
    assert_eq!(
        brought,
        [rosa.to_string(), tom.to_string(), String::new(), String::new()]
    );
    // A member of a cloud was vouched for like an applicant.
    let cloud = world.cloud(&client.id, "Friends").await;
    let invitation = world
        .send(cloud_invitation(&cloud, "bea@example.com"))
        .await
        .expect("sent");
    let proof = Proof::VerifiedEmail("bea@example.com".to_owned());
    world.accept(&invitation.id, bea, proof).await.expect("accepted");
    assert_eq!(world.members(&cloud).await[0].recommended_by_person_id, tom.to_string());
    world.stop().await;
}

async fn list(world: &World, request: pb::ListApplicationsRequest) -> Vec<pb::Application> {
    let answer = world.applications.clone().list_applications(request).await;
    answer.expect("a list").into_inner().applications
}

// R19, R20
async fn who_recommended_is_told_how_it_goes(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let logo = world.project(&client.id, "Logo", &[]).await;
    let rosa = PersonId::new();
    let referrer = world.enrol(rosa, "VCH2-K7QX").await.to_string();
    let ada = world.vouched_for("ada@example.com", &referrer).await;
    let cid = world.person("cid@example.com").await;
    let ada = apply(&world, application(&logo.id, ada, "ada@example.com"))
        .await
        .expect("applied");
    let cid = apply(&world, application(&logo.id, cid, "cid@example.com"))
        .await
        .expect("applied");
    let all = || pb::ListApplicationsRequest {
        project_id: logo.id.clone(),
        ..pb::ListApplicationsRequest::default()
    };
    assert_eq!(list(&world, all()).await, [cid, ada.clone()]);
    let recommended = pb::ListApplicationsRequest {
        recommended_only: true,
        ..all()
    };
    assert_eq!(list(&world, recommended).await, std::slice::from_ref(&ada));
    let declined = decline(&world, &ada.id).await.expect("declined");
    let stages = pb::ListApplicationsRequest {
        states: vec![State::Declined.into()],
        ..all()
    };
    assert_eq!(list(&world, stages).await, [declined]);
    let referred = pb::ListReferredApplicationsRequest {
        person_id: rosa.to_string(),
        ..pb::ListReferredApplicationsRequest::default()
    };
    let referred = world.applications.clone().list_referred_applications(referred).await;
    let expected = pb::ReferredApplication {
        application_id: ada.id,
        project_id: logo.id,
        person_id: ada.person_id,
        state: State::Declined.into(),
        apply_time: ada.apply_time,
        state_time: ada.state_time,
    };
    assert_eq!(referred.expect("a list").into_inner().applications, [expected]);
    world.stop().await;
}
