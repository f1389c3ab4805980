//! What is left of a case about a talent cloud when the client takes the talent out of it, or archives it.

use tonic::Code;
use vouch_primitives::Clock;
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{self as invitation, TalentCloudArchived, TalentCloudMemberChanged, talent_cloud_member},
    onboarding::v1::{self as pb, case},
};
use vouch_runtime::access::Caller;
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    callers::{acme, certificate, nda, operator, person, signed},
    example::activation,
    papers::{as_caller, pdf, upload_for},
    tables::count,
    world::{SOON, World, refusal},
};

on_both_databases! {
    a_client_reads_nothing_of_whom_it_has_let_go,
    who_is_let_go_half_way_goes_on_when_taken_back,
    news_of_a_cloud_come_in_any_order,
}

fn closed() -> (Code, String) {
    (Code::FailedPrecondition, "CASE_CLOSED".to_owned())
}

async fn invited(world: &World) -> (pb::Person, pb::Case) {
    let invitation = world.invitations.send_to_cloud("ada@example.com");
    let activated = world.activate(activation(&invitation, "ada@example.com")).await;
    let activated = activated.expect("an account");
    (activated.person.expect("a person"), activated.case.expect("a case"))
}

/// Acme moves somebody in or out of its cloud.
async fn moves(world: &World, case: &pb::Case, to: talent_cloud_member::State) {
    world.hear("/vouch/invitation", &moved(world, case, to)).await;
    let is_out = to == talent_cloud_member::State::Removed;
    until(world, case, is_out).await;
}

fn moved(world: &World, case: &pb::Case, to: talent_cloud_member::State) -> TalentCloudMemberChanged {
    TalentCloudMemberChanged {
        member_id: "019c0000-0000-7000-8000-0000000000e1".to_owned(),
        talent_cloud_id: cloud_of(case).id,
        client_id: case.client_id.clone(),
        person_id: case.person_id.clone(),
        state: to.into(),
        change_time: Some(to_wire_time(world.clock.now())),
    }
}

fn cloud_of(case: &pb::Case) -> invitation::InvitedCloud {
    case.talent_cloud.clone().expect("a talent cloud")
}

async fn until(world: &World, case: &pb::Case, is_out: bool) {
    eventually("the case", SOON, async || {
        let left = world.case(&case.id).await.leave_time;
        (left.is_some() == is_out)
            .then_some(())
            .ok_or_else(|| format!("left at {left:?}"))
    })
    .await;
}

async fn queue(world: &World) -> Vec<pb::Task> {
    let request = pb::ListReviewQueueRequest::default();
    let answer = world.tasks(operator("jo")).list_review_queue(request).await;
    answer.expect("a queue").into_inner().tasks
}

/// Ada, who is ready for Acme's next project: her case, with an agreement and an upload that are confirmed, and its document.
async fn ready(world: &World) -> (pb::Person, pb::Case, [pb::Task; 2], String) {
    world.require(certificate()).await;
    world.require(nda()).await;
    let (ada, case) = invited(world).await;
    world.leave_profile(&case).await.expect("skipped");
    let mut tasks = world.tasks_of(&case.id).await;
    tasks.sort_by_key(|task| task.title != nda().title);
    let tasks: [pb::Task; 2] = tasks.try_into().expect("two tasks");
    let document = world.upload(upload_for(&ada, "certificate.pdf"), &pdf(100, 1)).await;
    let document = document.expect("a document").id;
    let handed_in = pb::TaskSubmission {
        document_ids: vec![document.clone()],
        ..Default::default()
    };
    for (task, submission) in tasks.iter().zip([signed(), handed_in]) {
        world.start(&as_caller(&ada), task).await.expect("started");
        let done = world.submit(&as_caller(&ada), task, submission).await;
        done.expect("handed in");
    }
    world.claim("jo", &tasks[1]).await.expect("claimed");
    world.approve("jo", &tasks[1]).await.expect("confirmed");
    assert_eq!(world.case(&case.id).await.state(), case::State::Ready);
    (ada, case, tasks, document)
}

/// What this caller sees of what was handed in for a task, which is the same for that task alone as for all of its case.
async fn seen(world: &World, caller: Caller, task: &pb::Task) -> Option<pb::TaskSubmission> {
    let (task_id, case_id) = (task.id.clone(), task.case_id.clone());
    let one = world
        .tasks(caller.clone())
        .get_task(pb::GetTaskRequest { task_id })
        .await;
    let one = one.expect("a task").into_inner().task.expect("a task").submission;
    let all = pb::ListTasksRequest {
        case_id,
        ..Default::default()
    };
    let all = world.tasks(caller).list_tasks(all).await.expect("tasks");
    for of_case in all.into_inner().tasks {
        assert_eq!(of_case.submission.is_some(), one.is_some(), "{of_case:?}");
    }
    one
}

// B20, B45
async fn a_client_reads_nothing_of_whom_it_has_let_go(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case, [agreement, upload], document) = ready(&world).await;
    let file = async || world.download_through(&upload.id, &document, &acme()).await;
    let missing = (Code::NotFound, "NOT_FOUND".to_owned());
    file().await.expect("she is ready for the next project");
    assert!(seen(&world, acme(), &agreement).await.is_some());

    moves(&world, &case, talent_cloud_member::State::Removed).await;
    assert_eq!(refusal(file().await), missing);
    assert!(seen(&world, acme(), &agreement).await.is_none());
    for reader in [person(&ada.id), operator("jo")] {
        assert!(seen(&world, reader, &agreement).await.is_some());
    }
    world.download(&document, &as_caller(&ada)).await.expect("her own");
    let left = world.case(&case.id).await;
    assert_eq!((left.state(), left.waiting_for), (case::State::Ready, vec![]));

    moves(&world, &case, talent_cloud_member::State::Ready).await;
    file().await.expect("taken back");
    let archived = TalentCloudArchived {
        talent_cloud_id: cloud_of(&case).id,
        client_id: case.client_id.clone(),
        archive_time: Some(to_wire_time(world.clock.now())),
    };
    world.hear("/vouch/invitation", &archived).await;
    until(&world, &case, true).await;
    assert_eq!(refusal(file().await), missing);
    assert!(seen(&world, acme(), &agreement).await.is_none());
    world.stop().await;
}

// B22, B42
async fn who_is_let_go_half_way_goes_on_when_taken_back(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(certificate()).await;
    let (ada, case) = invited(&world).await;
    moves(&world, &case, talent_cloud_member::State::Removed).await;
    assert_eq!(refusal(world.leave_profile(&case).await), closed());
    let step = world.home(&ada.id).await.expect("a step");
    assert!(
        matches!(step, pb::get_home_response::NextStep::NothingToDo(_)),
        "{step:?}"
    );
    moves(&world, &case, talent_cloud_member::State::Onboarding).await;
    world.leave_profile(&case).await.expect("skipped");

    let task = world.tasks_of(&case.id).await.remove(0);
    let document = world.upload(upload_for(&ada, "certificate.pdf"), &pdf(100, 1)).await;
    let handed_in = pb::TaskSubmission {
        document_ids: vec![document.expect("a document").id],
        ..Default::default()
    };
    world.start(&as_caller(&ada), &task).await.expect("started");
    world
        .submit(&as_caller(&ada), &task, handed_in)
        .await
        .expect("handed in");
    assert_eq!(queue(&world).await.len(), 1);
    moves(&world, &case, talent_cloud_member::State::Removed).await;
    assert_eq!(queue(&world).await, [], "nobody is asked to look at it");
    assert_eq!(refusal(world.claim("jo", &task).await), closed());
    moves(&world, &case, talent_cloud_member::State::Onboarding).await;
    world.claim("jo", &task).await.expect("claimed");
    world.approve("jo", &task).await.expect("confirmed");
    assert_eq!(world.case(&case.id).await.state(), case::State::Ready);
    world.stop().await;
}

async fn news_of_a_cloud_come_in_any_order(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = invited(&world).await;
    let out = moved(&world, &case, talent_cloud_member::State::Removed);
    world.wait_until(world.clock.now().add_days(1));
    let back = moved(&world, &case, talent_cloud_member::State::Onboarding);
    world.wait_until(world.clock.now().add_days(1));
    let out_again = moved(&world, &case, talent_cloud_member::State::Removed);
    // What is older than what is known changes nothing; the last one shows when all have been heard.
    for news in [&back, &out] {
        world.hear("/vouch/invitation", news).await;
    }
    eventually("both are heard", SOON, async || match count(&world.db, "inbox").await {
        2 => Ok(()),
        heard => Err(format!("{heard} heard")),
    })
    .await;
    assert_eq!(world.case(&case.id).await.leave_time, None);
    world.hear("/vouch/invitation", &out_again).await;
    until(&world, &case, true).await;
    assert_eq!(world.case(&case.id).await.leave_time, out_again.change_time);
    world.stop().await;
}
