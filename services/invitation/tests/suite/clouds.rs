//! Talent clouds: who is in them, how they come in, and how they are found.

use tonic::{Code, Status};
use vouch_primitives::{EventId, PersonId, TalentCloudId, TalentCloudMemberId};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{self as pb, accept_invitation_request::Proof, talent_cloud_member::State},
    onboarding::v1::OfferAccepted,
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    tables::told,
    world::{SOON, World, at, cloud_invitation, invite, refusal, request_id, start, violations},
};

on_both_databases! {
    clouds_are_created_renamed_and_archived,
    an_invited_member_comes_in_or_does_not,
    a_person_is_in_a_cloud_once,
    who_is_ready_is_found_in_order,
    nobody_is_invited_to_an_archived_cloud,
    members_of_others_are_out_of_reach,
    bad_requests_are_told_everything,
}

async fn archive(world: &World, cloud: &pb::TalentCloud) -> pb::TalentCloud {
    let request = pb::ArchiveTalentCloudRequest {
        request_id: request_id(),
        talent_cloud_id: cloud.id.clone(),
    };
    let answer = world.clouds.clone().archive_talent_cloud(request).await;
    answer.expect("archived").into_inner().talent_cloud.expect("a cloud")
}

async fn rename(world: &World, cloud: &pb::TalentCloud, name: &str) -> Result<pb::TalentCloud, Status> {
    let request = pb::RenameTalentCloudRequest {
        request_id: request_id(),
        talent_cloud_id: cloud.id.clone(),
        name: name.to_owned(),
    };
    let answer = world.clouds.clone().rename_talent_cloud(request).await?;
    Ok(answer.into_inner().talent_cloud.expect("a cloud"))
}

async fn list(world: &World, client: &str, include_archived: bool) -> Vec<String> {
    let request = pb::ListTalentCloudsRequest {
        client_id: client.to_owned(),
        include_archived,
        ..Default::default()
    };
    let answer = world.clouds.clone().list_talent_clouds(request).await.expect("clouds");
    answer
        .into_inner()
        .talent_clouds
        .into_iter()
        .map(|cloud| cloud.name)
        .collect()
}

async fn add(world: &World, cloud: &pb::TalentCloud, invitation: &str) -> Result<pb::TalentCloudMember, Status> {
    let request = pb::AddTalentCloudMemberRequest {
        request_id: request_id(),
        talent_cloud_id: cloud.id.clone(),
        invitation_id: invitation.to_owned(),
    };
    let answer = world.clouds.clone().add_talent_cloud_member(request).await?;
    Ok(answer.into_inner().member.expect("a member"))
}

async fn remove(world: &World, cloud: &pb::TalentCloud, member: &str) -> Result<pb::TalentCloudMember, Status> {
    let request = pb::RemoveTalentCloudMemberRequest {
        request_id: request_id(),
        talent_cloud_id: cloud.id.clone(),
        member_id: member.to_owned(),
    };
    let answer = world.clouds.clone().remove_talent_cloud_member(request).await?;
    Ok(answer.into_inner().member.expect("a member"))
}

async fn rank(world: &World, member: &pb::TalentCloudMember, priority: i32) {
    let request = pb::SetTalentCloudMemberPriorityRequest {
        request_id: request_id(),
        talent_cloud_id: member.talent_cloud_id.clone(),
        member_id: member.id.clone(),
        priority,
    };
    let answer = world.clouds.clone().set_talent_cloud_member_priority(request).await;
    let ranked = answer.expect("ranked").into_inner().member.expect("a member");
    assert_eq!(ranked.priority, priority);
}

async fn find(world: &World, client: &str, page_size: u32) -> Vec<pb::TalentCloudMember> {
    let request = pb::FindTalentRequest {
        client_id: client.to_owned(),
        page_size,
    };
    let answer = world.clouds.clone().find_talent(request).await;
    answer.expect("talent").into_inner().members
}

/// Who has accepted an invitation to a contract, and was hired with it if `hired`.
async fn contracted(world: &World, client: &str, email: &str, hired: bool) -> (String, PersonId) {
    let invitation = world.send(invite(client, email)).await.expect("an invitation");
    let person = PersonId::new();
    let proof = Proof::VerifiedEmail(email.to_owned());
    world.accept(&invitation.id, person, proof).await.expect("accepted");
    if hired {
        hire(world, &invitation.id).await;
    }
    (invitation.id, person)
}

async fn hire(world: &World, invitation: &str) {
    let hired = OfferAccepted {
        invitation_id: invitation.to_owned(),
        accept_time: Some(to_wire_time(start())),
        ..OfferAccepted::default()
    };
    world.hear(EventId::new(), "/vouch/onboarding", &hired).await;
    world.until(invitation, "the hire", |now| now.hire_time.is_some()).await;
}

async fn clouds_are_created_renamed_and_archived(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let expected = pb::TalentCloud {
        id: cloud.id.clone(),
        client_id: client.id.clone(),
        name: "Friends".to_owned(),
        create_time: Some(to_wire_time(start())),
        archive_time: None,
    };
    assert_eq!(cloud, expected);
    let other = world.cloud(&client.id, "Others").await;
    let taken = (Code::AlreadyExists, "TALENT_CLOUD_NAME_TAKEN".to_owned());
    assert_eq!(refusal(rename(&world, &other, "Friends").await), taken);
    let twice = pb::CreateTalentCloudRequest {
        request_id: request_id(),
        client_id: client.id.clone(),
        name: "Friends".to_owned(),
    };
    assert_eq!(refusal(world.clouds.clone().create_talent_cloud(twice).await), taken);
    // The name of another client's cloud is free.
    world.cloud(&world.client(pb::Plan::Basic).await.id, "Friends").await;

    assert_eq!(rename(&world, &cloud, "Friends").await.expect("as it was"), cloud);
    assert_eq!(
        rename(&world, &cloud, "Good friends").await.expect("renamed").name,
        "Good friends"
    );
    world.clock.set(at("2026-03-02")).expect("forwards");
    let archived = archive(&world, &cloud).await;
    assert_eq!(archived.archive_time, Some(to_wire_time(at("2026-03-02"))));
    world.clock.set(at("2026-03-03")).expect("forwards");
    assert_eq!(archive(&world, &cloud).await, archived, "archived since the first time");
    let request = pb::GetTalentCloudRequest {
        talent_cloud_id: cloud.id.clone(),
    };
    let read = world.clouds.clone().get_talent_cloud(request).await.expect("a cloud");
    assert_eq!(read.into_inner().talent_cloud, Some(archived));
    assert_eq!(list(&world, &client.id, false).await, ["Others"]);
    assert_eq!(list(&world, &client.id, true).await, ["Good friends", "Others"]);
    world.stop().await;
}

async fn an_invited_member_comes_in_or_does_not(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let states = async || {
        let members = world.members(&cloud).await;
        members.iter().map(pb::TalentCloudMember::state).collect::<Vec<_>>()
    };
    let mut ids = Vec::new();
    for name in ["ada", "joan", "eve", "mary"] {
        let sent = world
            .send(cloud_invitation(&cloud, &format!("{name}@example.com")))
            .await;
        ids.push(sent.expect("an invitation").id);
    }
    assert_eq!(states().await, [State::Invited; 4]);
    let ada = PersonId::new();
    let proof = Proof::VerifiedEmail("ada@example.com".to_owned());
    world.accept(&ids[0], ada, proof).await.expect("accepted");
    let token = world.token_for("joan@example.com").await;
    world.decline(&token, "no time").await.expect("declined");
    world.withdraw(&ids[2]).await.expect("withdrawn");
    assert_eq!(
        states().await,
        [State::Onboarding, State::Removed, State::Removed, State::Invited]
    );
    world.clock.set(at("2026-03-31T09:00:00Z")).expect("forwards");
    let gone = |now: &pb::Invitation| now.state() == pb::invitation::State::Expired;
    world.until(&ids[3], "the invitation expires", gone).await;
    assert_eq!(states().await[3], State::Removed);
    world.resend(&ids[3]).await.expect("sent again");
    assert_eq!(states().await[3], State::Invited);

    let members = world.members(&cloud).await;
    let expected = pb::TalentCloudMember {
        id: members[0].id.clone(),
        talent_cloud_id: cloud.id.clone(),
        invitation_id: ids[0].clone(),
        person_id: ada.to_string(),
        state: State::Onboarding.into(),
        priority: 0,
        state_time: Some(to_wire_time(start())),
        recommended_by_person_id: String::new(),
    };
    assert_eq!(members[0], expected);
    let events = told::<pb::TalentCloudMemberChanged>(&world.db).await;
    let of_ada: Vec<_> = events.iter().filter(|event| event.member_id == members[0].id).collect();
    assert_eq!(
        of_ada.iter().map(|event| event.state()).collect::<Vec<_>>(),
        [State::Invited, State::Onboarding]
    );
    assert_eq!(
        (of_ada[1].client_id.clone(), of_ada[1].person_id.clone()),
        (client.id, ada.to_string())
    );
    assert_eq!(events.len(), 4 + 3 + 2);
    // Who is only invited is withdrawn, not removed.
    let still = remove(&world, &cloud, &members[3].id).await;
    assert_eq!(
        refusal(still),
        (Code::FailedPrecondition, "MEMBER_STILL_INVITED".to_owned())
    );
    let removed = remove(&world, &cloud, &members[0].id).await.expect("removed");
    assert_eq!(removed.state(), State::Removed);
    assert_eq!(remove(&world, &cloud, &members[0].id).await.expect("removed"), removed);
    world.stop().await;
}

async fn a_person_is_in_a_cloud_once(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let (contract, ada) = contracted(&world, &client.id, "ada@example.com", false).await;
    let member = add(&world, &cloud, &contract).await.expect("a member");
    assert_eq!(
        (member.state(), member.person_id.clone()),
        (State::Onboarding, ada.to_string())
    );
    assert_eq!(add(&world, &cloud, &contract).await.expect("a member"), member);
    // Invited to where she is already, under another address.
    let invited = world
        .send(cloud_invitation(&cloud, "ada@home.example"))
        .await
        .expect("an invitation");
    assert_eq!(world.members(&cloud).await.len(), 2);
    let proof = Proof::VerifiedEmail("ada@home.example".to_owned());
    world.accept(&invited.id, ada, proof).await.expect("accepted");
    assert_eq!(world.members(&cloud).await, std::slice::from_ref(&member));

    // With another contract, that one counts.
    let other = world
        .send(invite(&client.id, "ada@work.example"))
        .await
        .expect("an invitation");
    let proof = Proof::VerifiedEmail("ada@work.example".to_owned());
    world.accept(&other.id, ada, proof).await.expect("accepted");
    let same = add(&world, &cloud, &other.id).await.expect("a member");
    assert_eq!(
        (same.id, same.invitation_id.clone()),
        (member.id.clone(), other.id.clone())
    );
    hire(&world, &other.id).await;
    let ready = async || world.members(&cloud).await[0].state();
    eventually("ada is ready", SOON, async || match ready().await {
        State::Ready => Ok(()),
        state => Err(format!("{state:?}")),
    })
    .await;

    remove(&world, &cloud, &member.id).await.expect("removed");
    hire(&world, &contract).await;
    assert_eq!(
        world.members(&cloud).await[0].state(),
        State::Removed,
        "who was removed stays so"
    );
    let back = add(&world, &cloud, &contract).await.expect("a member");
    assert_eq!((back.id, back.state), (member.id, State::Ready.into()));
    world.stop().await;
}

async fn who_is_ready_is_found_in_order(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let (first, second) = (
        world.cloud(&client.id, "First").await,
        world.cloud(&client.id, "Second").await,
    );
    let mut people = Vec::new();
    for name in ["ada", "joan", "eve", "mary"] {
        people.push(contracted(&world, &client.id, &format!("{name}@example.com"), name != "mary").await);
    }
    for (invitation, _) in &people {
        add(&world, &first, invitation).await.expect("a member");
    }
    // Eve is in both, and ranks higher in the second.
    let eve = add(&world, &second, &people[2].0).await.expect("a member");
    let members = world.members(&first).await;
    rank(&world, &members[1], 5).await;
    rank(&world, &members[2], -5).await;
    rank(&world, &eve, 3).await;
    let found = async |page_size| {
        let found = find(&world, &client.id, page_size).await;
        found.into_iter().map(|member| member.person_id).collect::<Vec<_>>()
    };
    let expected = [1, 2, 0].map(|nth: usize| people[nth].1.to_string());
    assert_eq!(found(0).await, expected, "mary is not ready yet");
    assert_eq!(found(2).await, expected[..2]);
    hire(&world, &people[3].0).await;
    let mary = people[3].1.to_string();
    eventually("mary is ready", SOON, async || match found(0).await {
        people if people.last() == Some(&mary) => Ok(()),
        people => Err(format!("{people:?}")),
    })
    .await;
    archive(&world, &second).await;
    let expected = [1, 0, 3, 2].map(|nth: usize| people[nth].1.to_string());
    assert_eq!(found(0).await, expected, "nobody is found in an archived cloud");
    world.stop().await;
}

async fn nobody_is_invited_to_an_archived_cloud(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let pending = world
        .send(cloud_invitation(&cloud, "ada@example.com"))
        .await
        .expect("an invitation");
    let (contract, _) = contracted(&world, &client.id, "joan@example.com", true).await;
    archive(&world, &cloud).await;
    let archived = (Code::FailedPrecondition, "TALENT_CLOUD_ARCHIVED".to_owned());
    assert_eq!(
        refusal(world.send(cloud_invitation(&cloud, "eve@example.com")).await),
        archived
    );
    assert_eq!(refusal(world.resend(&pending.id).await), archived);
    assert_eq!(refusal(add(&world, &cloud, &contract).await), archived);
    // What was sent before can still be accepted.
    let proof = Proof::VerifiedEmail("ada@example.com".to_owned());
    world
        .accept(&pending.id, PersonId::new(), proof)
        .await
        .expect("accepted");
    assert_eq!(world.members(&cloud).await[0].state(), State::Onboarding);
    world.stop().await;
}

async fn members_of_others_are_out_of_reach(database: TestDatabase) {
    let world = World::new(database).await;
    let (acme, other) = (world.acme().await, world.client(pb::Plan::Basic).await);
    let (cloud, theirs) = (
        world.cloud(&acme.id, "Friends").await,
        world.cloud(&other.id, "Friends").await,
    );
    let (contract, _) = contracted(&world, &acme.id, "ada@example.com", false).await;
    let nothing = (Code::NotFound, "NOT_FOUND".to_owned());
    assert_eq!(
        refusal(add(&world, &theirs, &contract).await),
        nothing,
        "an invitation of another client"
    );
    let member = add(&world, &cloud, &contract).await.expect("a member");
    assert_eq!(
        refusal(remove(&world, &theirs, &member.id).await),
        nothing,
        "a member of another cloud"
    );
    let to_theirs = pb::SendInvitationRequest {
        client_id: acme.id.clone(),
        ..cloud_invitation(&theirs, "eve@example.com")
    };
    assert_eq!(
        refusal(world.send(to_theirs).await),
        nothing,
        "a cloud of another client"
    );
    let pending = world
        .send(invite(&acme.id, "eve@example.com"))
        .await
        .expect("an invitation");
    let early = add(&world, &cloud, &pending.id).await;
    assert_eq!(
        refusal(early),
        (Code::FailedPrecondition, "INVITATION_NOT_ACCEPTED".to_owned())
    );
    let nowhere = pb::GetTalentCloudRequest {
        talent_cloud_id: TalentCloudId::new().to_string(),
    };
    assert_eq!(refusal(world.clouds.clone().get_talent_cloud(nowhere).await), nothing);
    let nobody = TalentCloudMemberId::new().to_string();
    assert_eq!(refusal(remove(&world, &cloud, &nobody).await), nothing);
    world.stop().await;
}

async fn bad_requests_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let clouds = world.clouds.clone();
    let nothing = clouds
        .clone()
        .create_talent_cloud(pb::CreateTalentCloudRequest::default())
        .await;
    assert_eq!(
        violations(nothing),
        ["request_id REQUIRED", "client_id REQUIRED", "name REQUIRED"]
    );
    let priority = pb::SetTalentCloudMemberPriorityRequest {
        priority: 1_001,
        ..Default::default()
    };
    let refused = clouds.clone().set_talent_cloud_member_priority(priority).await;
    assert_eq!(
        violations(refused),
        [
            "request_id REQUIRED",
            "talent_cloud_id REQUIRED",
            "member_id REQUIRED",
            "priority OUT_OF_RANGE"
        ]
    );
    let states = pb::ListTalentCloudMembersRequest {
        states: vec![1, 0, 99],
        page_size: 101,
        ..Default::default()
    };
    let refused = clouds.clone().list_talent_cloud_members(states).await;
    assert_eq!(
        violations(refused),
        [
            "talent_cloud_id REQUIRED",
            "page_size OUT_OF_RANGE",
            "states[1] OUT_OF_RANGE",
            "states[2] OUT_OF_RANGE"
        ]
    );
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let silent = pb::SendInvitationRequest {
        personal_message: " ".to_owned(),
        ..cloud_invitation(&cloud, "ada@example.com")
    };
    assert_eq!(violations(world.send(silent).await), ["personal_message REQUIRED"]);
    world.stop().await;
}
