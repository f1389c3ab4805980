//! The four types of invitation, on all plans, hourly and fixed, by the link and by the verified address: what can be
//! done with each, at every point of its life.

use tonic::Code;
use vouch_primitives::PersonId;
use vouch_proto::{
    common::v1::{ContractTerms, HourlyPay, contract_terms::Pay},
    invitation::v1::{
        self as pb, TalentType, accept_invitation_request::Proof, invitation::Content, invitation::State,
        send_invitation_request::Content as SentContent,
    },
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    lookup::by_token,
    world::{World, at, fixed_terms, invite, refusal, usd},
};

on_both_databases! { every_type_goes_its_way_on_every_plan, an_invitation_brings_one_thing }

const PLANS: [pb::Plan; 3] = [pb::Plan::Basic, pb::Plan::BusinessPlus, pb::Plan::Enterprise];
const TALENT: [TalentType; 2] = [TalentType::Freelancer, TalentType::Agency];

/// What is done first.
const ENDS: [State; 5] = [
    State::Pending,
    State::Accepted,
    State::Declined,
    State::Withdrawn,
    State::Expired,
];

/// One invitation, and what was done with it first.
struct Case {
    what: String,
    invitation: pb::Invitation,
    proof: Proof,
    token: String,
    end: State,
    person: PersonId,
}

fn hourly() -> ContractTerms {
    ContractTerms {
        pay: Some(Pay::Hourly(HourlyPay {
            rate: Some(usd(8_500)),
            weekly_limit_minutes: 1_800,
        })),
        ..fixed_terms()
    }
}

/// One invitation for each type, each way to accept it and each end, by clients of this plan.
async fn invite_all(world: &World, plan: pb::Plan, cases: &mut Vec<Case>) {
    let client = world.client(plan).await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let contents = [
        SentContent::ContractTerms(hourly()),
        SentContent::ContractTerms(fixed_terms()),
        SentContent::TalentCloudId(cloud.id.clone()),
    ];
    for (content, talent_type) in contents
        .iter()
        .flat_map(|content| TALENT.map(|talent| (content, talent)))
    {
        // A client of its own for each type, as the free plan has few invitations a day.
        let client = match content {
            SentContent::ContractTerms(_) => world.client(plan).await,
            SentContent::TalentCloudId(_) => client.clone(),
        };
        for (end, by_link) in ENDS.iter().flat_map(|end| [(*end, true), (*end, false)]) {
            let request = pb::SendInvitationRequest {
                talent_type: talent_type.into(),
                content: Some(content.clone()),
                personal_message: "Let us go on.".to_owned(),
                ..invite(&client.id, &format!("talent{}@example.com", cases.len()))
            };
            let what = format!("{plan:?} {talent_type:?} {content:?} {end:?} by link: {by_link}");
            cases.push(case(world, request, what, end, by_link).await);
        }
    }
}

async fn case(world: &World, request: pb::SendInvitationRequest, what: String, end: State, by_link: bool) -> Case {
    let email = request.recipient_email.clone();
    let sent = world.send(request).await;
    let invitation = sent.unwrap_or_else(|error| panic!("{what}: {error}"));
    let token = world.token_for(&email).await;
    Case {
        what,
        proof: if by_link {
            by_token(&token)
        } else {
            Proof::VerifiedEmail(email)
        },
        invitation,
        token,
        end,
        person: PersonId::new(),
    }
}

// F1, B3, B4, B5
async fn every_type_goes_its_way_on_every_plan(database: TestDatabase) {
    let world = World::new(database).await;
    let mut cases = Vec::new();
    for plan in PLANS {
        invite_all(&world, plan, &mut cases).await;
    }
    assert_eq!(cases.len(), 3 * 6 * 5 * 2);
    for case in &cases {
        bring_to_its_end(&world, case).await;
    }
    // What is sent again a day later is still open when the others expire.
    world.clock.set(at("2026-03-02T09:00:00Z")).expect("forwards");
    for case in cases.iter_mut().filter(|case| case.end == State::Pending) {
        send_again(&world, case).await;
    }
    // Those that wait for nothing else wait for their time to run out.
    world.clock.set(at("2026-03-31T09:00:00Z")).expect("forwards");
    for case in cases.iter().filter(|case| case.end == State::Expired) {
        world
            .until(&case.invitation.id, &case.what, |now| now.state() == State::Expired)
            .await;
    }
    for case in &cases {
        Box::pin(nothing_else_can_be_done(&world, case)).await;
    }
    world.stop().await;
}

async fn bring_to_its_end(world: &World, case: &Case) {
    let (id, what) = (&case.invitation.id, &case.what);
    let now = match case.end {
        State::Accepted => world.accept(id, case.person, case.proof.clone()).await,
        State::Declined => world.decline(&case.token, "no time").await,
        State::Withdrawn => world.withdraw(id).await,
        _ => return,
    };
    let now = now.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(now.state(), case.end, "{what}");
    assert_eq!(now.content, case.invitation.content, "{what}");
    assert_eq!(now.talent_type, case.invitation.talent_type, "{what}");
}

async fn send_again(world: &World, case: &mut Case) {
    let again = world.resend(&case.invitation.id).await;
    let email = again
        .unwrap_or_else(|error| panic!("{}: {error}", case.what))
        .recipient_email;
    let tokens = world.tokens_for(&email, 2).await;
    case.token.clone_from(&tokens[1]);
    if matches!(case.proof, Proof::TokenSha256(_)) {
        case.proof = by_token(&case.token);
    }
}

/// After its end each command has one answer.
async fn nothing_else_can_be_done(world: &World, case: &Case) {
    const OK: (Code, &str) = (Code::Ok, "");
    const GONE: (Code, &str) = (Code::NotFound, "NO_OPEN_INVITATION");
    let closed = (Code::FailedPrecondition, "INVITATION_CLOSED");
    let taken = (Code::FailedPrecondition, "INVITATION_TAKEN");
    let expired = (Code::FailedPrecondition, "INVITATION_EXPIRED");
    let (id, what) = (&case.invitation.id, &case.what);
    let heard = |answer: Result<pb::Invitation, tonic::Status>| match answer {
        Ok(_) => (Code::Ok, String::new()),
        Err(status) => refusal::<()>(Err(status)),
    };
    let [again, other, decline] = match case.end {
        State::Accepted | State::Pending => [OK, taken, GONE],
        State::Declined | State::Withdrawn => [closed, closed, GONE],
        _ => [expired, expired, GONE],
    };
    let asked = [
        heard(world.accept(id, case.person, case.proof.clone()).await),
        heard(world.accept(id, PersonId::new(), case.proof.clone()).await),
        heard(world.decline(&case.token, "").await),
    ];
    let asked = asked.each_ref().map(|(code, reason)| (*code, reason.as_str()));
    assert_eq!(
        asked,
        [again, other, decline],
        "{what}: accept, accept as another, decline"
    );

    let (withdraw, resend) = match case.end {
        State::Accepted | State::Pending | State::Declined => (closed, closed),
        _ => (OK, closed),
    };
    let asked = [heard(world.withdraw(id).await), heard(world.resend(id).await)];
    let asked = asked.each_ref().map(|(code, reason)| (*code, reason.as_str()));
    assert_eq!(asked, [withdraw, resend], "{what}: withdraw, then send again");
}

// F2
async fn an_invitation_brings_one_thing(database: TestDatabase) {
    use sea_orm::ConnectionTrait;

    let world = World::new(database).await;
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let to_contract = world
        .send(invite(&client.id, "ada@example.com"))
        .await
        .expect("an invitation");
    assert!(matches!(to_contract.content, Some(Content::ContractTerms(_))));
    let spoilt = world
        .db
        .write_tx(|txn| {
            let both = format!(
                "UPDATE invitation SET talent_cloud_id = {}",
                hex(&cloud.id, txn.get_database_backend())
            );
            async move { Ok::<_, vouch_storage::StorageError>(txn.execute_unprepared(&both).await?) }
        })
        .await;
    let error = vouch_storage::describe(&spoilt.expect_err("a contract and a cloud at once"));
    assert!(error.contains("invitation_brings_one_thing"), "{error}");
    world.stop().await;
}

/// An id as each engine writes it.
fn hex(id: &str, backend: sea_orm::DbBackend) -> String {
    match backend {
        sea_orm::DbBackend::Sqlite => format!("x'{}'", id.replace('-', "")),
        _ => format!("'{id}'"),
    }
}
