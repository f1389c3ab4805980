//! Whom onboarding has erased is erased here, too; what happened stays.

use sha2::{Digest, Sha256};
use tonic::Code;
use vouch_primitives::{EventId, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{
        self as pb, accept_invitation_request::Proof, application, invitation::State, talent_cloud_member,
    },
    onboarding::v1::{EmailReleased, EmailVerified, PersonErased},
};
use vouch_storage::Db;
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    applications::{application, apply},
    tables::{count, everything, told},
    world::{SOON, World, at, cloud_invitation, invite, refusal, request_id},
};

on_both_databases! {
    nothing_personal_is_left_anywhere,
    whoever_comes_late_is_erased_as_well,
    an_address_that_is_somebody_elses_now_is_theirs,
}

/// What could only be about her: names, addresses, words.
const PERSONAL: [&str; 8] = [
    "Augusta Quillfeather",
    "gussie@quill.example",
    "gussie@nest.example",
    "the best of quills",
    "I have many feathers",
    "too few quills for me",
    "She has a sharp quill",
    "He has feathers, too",
];

const SOURCE: &str = "/vouch/onboarding";

/// What of her is somewhere in the database, as text or as bytes.
async fn found(db: &Db) -> Vec<&'static str> {
    let all = everything(db).await;
    let bytes = all.to_lowercase();
    let is_there = |text: &&str| {
        let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        all.contains(*text) || bytes.contains(&digits)
    };
    PERSONAL.into_iter().filter(is_there).collect()
}

fn hash(email: &str) -> Vec<u8> {
    Sha256::digest(email).to_vec()
}

fn released(person: PersonId, email: &str) -> EmailReleased {
    EmailReleased {
        person_id: person.to_string(),
        release_time: Some(to_wire_time(at("2026-03-05"))),
        email_sha256: hash(email),
    }
}

fn erased(person: PersonId) -> PersonErased {
    PersonErased {
        person_id: person.to_string(),
        erase_time: Some(to_wire_time(at("2026-03-06"))),
    }
}

/// To her, with her name and words for her alone.
fn to_gussie(request: pb::SendInvitationRequest) -> pb::SendInvitationRequest {
    pb::SendInvitationRequest {
        recipient_name: "Augusta Quillfeather".to_owned(),
        personal_message: "You are the best of quills".to_owned(),
        ..request
    }
}

/// Her traces: invitations that she has declined, that wait, that she has accepted under another address; an application,
/// and recommendations of her, by her.
struct Life {
    gussie: PersonId,
    declined: pb::Invitation,
    waiting: pb::Invitation,
    accepted: pb::Invitation,
    hired: pb::Invitation,
    others: pb::Invitation,
    cloud: pb::TalentCloud,
    application: pb::Application,
}

async fn a_life(world: &World) -> Life {
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let send = async |request| world.send(request).await.expect("an invitation");
    // Where there is no name, the test finds the letter by its address.
    let nameless = |request| pb::SendInvitationRequest {
        recipient_name: String::new(),
        ..to_gussie(request)
    };
    let declined = send(nameless(invite(&client.id, "gussie@quill.example"))).await;
    let token = world.token_for("gussie@quill.example").await;
    let request = pb::DeclineInvitationRequest {
        request_id: request_id(),
        token,
        reason: "too few quills for me".to_owned(),
        recommendation: Some(talent("Cy", "cy@example.com", "He has feathers, too")),
    };
    let answer = world.invitations.clone().decline_invitation(request).await;
    answer.expect("declined");
    let accepted = send(nameless(cloud_invitation(&cloud, "gussie@nest.example"))).await;
    let token = world.token_for("gussie@nest.example").await;
    let waiting = send(to_gussie(cloud_invitation(&cloud, "gussie@quill.example"))).await;
    let gussie = world.person("gussie@quill.example").await;
    let proof = Proof::TokenSha256(hash(&token));
    world.accept(&accepted.id, gussie, proof).await.expect("accepted");
    let hired = send(to_gussie(invite(&client.id, "gussie@quill.example"))).await;
    let others = send(invite(&client.id, "bo@example.com")).await;

    let logo = world.project(&client.id, "Logo", &[]).await;
    let applies = pb::ApplyRequest {
        applicant_name: "Augusta Quillfeather".to_owned(),
        message: "I have many feathers".to_owned(),
        ..application(&logo.id, gussie, "gussie@quill.example")
    };
    let application = apply(world, applies).await.expect("applied");
    let recommend = async |person: PersonId, talent| {
        let request = pb::RecommendTalentRequest {
            request_id: request_id(),
            project_id: logo.id.clone(),
            person_id: person.to_string(),
            talent: Some(talent),
            invitation_id: String::new(),
        };
        let answer = world.projects.clone().recommend_talent(request).await;
        answer.expect("recommended");
    };
    let of_her = talent("Augusta Quillfeather", "gussie@quill.example", "She has a sharp quill");
    recommend(PersonId::new(), of_her).await;
    recommend(gussie, talent("Di", "di@example.com", "He has feathers, too")).await;
    Life {
        gussie,
        declined,
        waiting,
        accepted,
        hired,
        others,
        cloud,
        application,
    }
}

fn talent(name: &str, email: &str, message: &str) -> pb::RecommendedTalent {
    pb::RecommendedTalent {
        name: name.to_owned(),
        email: email.to_owned(),
        message: message.to_owned(),
    }
}

async fn until_erased(world: &World) {
    eventually("she is erased", SOON, async || {
        let left = found(&world.db).await;
        left.is_empty().then_some(()).ok_or_else(|| format!("{left:?}"))
    })
    .await;
}

async fn nothing_personal_is_left_anywhere(database: TestDatabase) {
    let world = World::new(database).await;
    let life = a_life(&world).await;
    assert_eq!(found(&world.db).await, PERSONAL);
    let counts = async || {
        let tables = ["quota", "invitation", "application", "recommendation"];
        futures::future::join_all(tables.map(|table| count(&world.db, table))).await
    };
    let (before, others) = (counts().await, world.get(&life.others.id).await.expect("known"));
    world
        .hear(EventId::new(), SOURCE, &released(life.gussie, "gussie@quill.example"))
        .await;
    world.hear(EventId::new(), SOURCE, &erased(life.gussie)).await;
    until_erased(&world).await;
    assert_eq!(counts().await, before, "limits count on, and the books stay");
    assert_eq!(world.get(&life.others.id).await.expect("known"), others);
    what_happened_stays(&world, &life).await;
    let told_before = told::<pb::InvitationDeclined>(&world.db).await;
    assert_eq!(told_before.len(), 2, "hers, and the one that waited");

    // Once more it is nothing new.
    world.hear(EventId::new(), SOURCE, &erased(life.gussie)).await;
    let after = verified(PersonId::new(), "after@example.com");
    world.learn("account_address", SOURCE, &after).await;
    assert_eq!(told::<pb::InvitationDeclined>(&world.db).await, told_before);
    assert_eq!(
        refusal(world.resend(&life.waiting.id).await).0,
        Code::FailedPrecondition
    );
    world.stop().await;
}

/// Each thing is there, says what became of it, and names nobody.
async fn what_happened_stays(world: &World, life: &Life) {
    for (before, state) in [
        (&life.declined, State::Declined),
        (&life.waiting, State::Declined),
        (&life.accepted, State::Accepted),
        (&life.hired, State::Accepted),
    ] {
        let now = world.get(&before.id).await.expect("known");
        assert_eq!((now.state(), now.send_time), (state, before.send_time));
        assert_eq!((now.recipient_email.as_str(), now.recipient_name.as_str()), ("", ""));
        assert_eq!(now.content, before.content);
    }
    let hired = world.get(&life.hired.id).await.expect("known");
    assert_eq!(hired.person_id, life.gussie.to_string());
    for member in world.members(&life.cloud).await {
        assert_eq!(member.state(), talent_cloud_member::State::Removed, "{member:?}");
    }
    let application_id = life.application.id.clone();
    let request = pb::GetApplicationRequest { application_id };
    let answer = world.applications.clone().get_application(request).await;
    let application = answer.expect("known").into_inner().application.expect("an application");
    let stands = (application.state(), application.contact_email.as_str());
    assert_eq!(stands, (application::State::Withdrawn, ""));
    let request = pb::ListRecommendationsRequest {
        client_id: life.others.client_id.clone(),
        ..Default::default()
    };
    let listed = world.projects.clone().list_recommendations(request).await;
    let listed = listed.expect("a list").into_inner().recommendations.into_iter();
    let names: Vec<_> = listed.map(|it| it.talent.expect("talent").name).collect();
    assert_eq!(names, ["Di", "", "Cy"], "whom she has recommended stays");
}

fn verified(person: PersonId, email: &str) -> EmailVerified {
    EmailVerified {
        person_id: person.to_string(),
        verify_time: Some(to_wire_time(at("2026-03-01T10:00:00Z"))),
        email_sha256: hash(email),
        ..EmailVerified::default()
    }
}

async fn whoever_comes_late_is_erased_as_well(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let waiting = world.send(to_gussie(invite(&client.id, "gussie@quill.example"))).await;
    let waiting = waiting.expect("an invitation");
    let gussie = PersonId::new();
    // That she was erased is known before what was hers.
    world.learn("erased_person", SOURCE, &erased(gussie)).await;
    assert!(!found(&world.db).await.is_empty());
    world
        .learn("account_address", SOURCE, &verified(gussie, "gussie@quill.example"))
        .await;
    until_erased(&world).await;
    assert_eq!(world.get(&waiting.id).await.expect("known").state(), State::Declined);
    let sent = world.send(invite(&client.id, "gussie@quill.example")).await;
    let sent = sent.expect("an invitation");
    assert_eq!(sent.branch(), pb::invitation::Branch::Invite, "nobody has the address");
    world.stop().await;
}

async fn an_address_that_is_somebody_elses_now_is_theirs(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let (gussie, bo) = (world.person("office@quill.example").await, PersonId::new());
    world
        .hear(EventId::new(), SOURCE, &released(gussie, "office@quill.example"))
        .await;
    let mut moved = verified(bo, "office@quill.example");
    moved.verify_time = Some(to_wire_time(at("2026-03-05T12:00:00Z")));
    world.hear(EventId::new(), SOURCE, &moved).await;
    world
        .learn("account_address", SOURCE, &verified(bo, "bo@example.com"))
        .await;
    let offer = world
        .send(invite(&client.id, "office@quill.example"))
        .await
        .expect("an offer");
    assert_eq!(offer.person_id, bo.to_string());
    world.learn("erased_person", SOURCE, &erased(gussie)).await;
    assert_eq!(
        world.get(&offer.id).await.expect("known").recipient_email,
        "office@quill.example"
    );
    world.stop().await;
}
