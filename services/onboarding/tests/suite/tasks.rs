//! What cases require, and how it is done and confirmed.

use tonic::Code;
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{self as pb, case, task},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    callers::{acme, answered, certificate, nda, operator, person, questionnaire, signed},
    example::{acceptance, activation, at, fixed_terms, start},
    papers::{pdf, upload_for},
    tables::{count, told},
    world::{World, refusal, violations},
};

on_both_databases! {
    a_contract_waits_for_its_tasks,
    a_reviewer_rejects_and_confirms,
    each_does_what_is_theirs,
    what_is_handed_in_is_what_was_asked_for,
    the_queue_is_listed_in_pages,
    documents_are_handed_in_and_released,
}

pub fn precondition(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}

// B21, B22, B23, B25, F16
async fn a_contract_waits_for_its_tasks(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(nda()).await;
    let (ada, case) = world.ada().await;
    let ada = person(&ada.id);
    assert_eq!((case.task_count, case.confirmed_task_count), (1, 0));
    let task = world.tasks_of(&case.id).await.remove(0);
    assert_eq!((task.state(), task.owner()), (task::State::Todo, pb::TaskOwner::Talent));
    assert_eq!(
        (task.title.as_str(), task.why.as_str()),
        ("NDA", "Acme keeps its plans to itself.")
    );
    assert_eq!(
        refusal(world.start(&ada, &task).await),
        precondition("NOT_YET_AT_TASKS")
    );

    world.wait_until(at("2026-03-02"));
    let reviewed = world.review(&case.id).await.expect("reviewed");
    assert_eq!(reviewed.state(), case::State::CompleteTasks);
    let waits = pb::Waiting {
        owner: pb::TaskOwner::Talent.into(),
        since_time: Some(to_wire_time(at("2026-03-02"))),
    };
    assert_eq!(reviewed.waiting_for, [waits]);
    let hello = world.accept(acceptance(&case, "Hello")).await;
    assert_eq!(refusal(hello), precondition("TASKS_OPEN"));
    assert_eq!(
        refusal(world.submit(&ada, &task, signed()).await),
        precondition("TASK_NOT_STARTED")
    );
    let started = world.start(&ada, &task).await.expect("started");
    assert_eq!(started.state(), task::State::Started);
    let done = world.submit(&ada, &task, signed()).await.expect("signed");
    assert_eq!(
        (done.state(), done.submission.clone()),
        (task::State::Approved, Some(signed()))
    );
    let case = world.case(&case.id).await;
    assert_eq!((case.state(), case.confirmed_task_count), (case::State::AcceptOffer, 1));
    let mail = world.mail_to("ada@example.com").await;
    assert!(mail.contains("Everything is confirmed"), "{mail}");
    let accepted = world.accept(acceptance(&case, "Hello")).await.expect("accepted");
    assert_eq!(accepted.state(), case::State::Accepted);
    assert_eq!(refusal(world.start(&ada, &task).await), precondition("CASE_CLOSED"));
    assert_eq!(told::<pb::OfferAccepted>(&world.db).await.len(), 1);
    world.stop().await;
}

// B24, B25
async fn a_reviewer_rejects_and_confirms(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(questionnaire()).await;
    let (ada, case) = world.ada().await;
    let ada = person(&ada.id);
    world.review(&case.id).await.expect("reviewed");
    let task = world.tasks_of(&case.id).await.remove(0);
    world.start(&ada, &task).await.expect("started");
    let handed_in = world.submit(&ada, &task, answered(false)).await.expect("handed in");
    assert_eq!(handed_in.state(), task::State::Submitted);
    let waits = pb::Waiting {
        owner: pb::TaskOwner::Platform.into(),
        since_time: Some(to_wire_time(start())),
    };
    assert_eq!(world.case(&case.id).await.waiting_for, [waits]);
    assert_eq!(
        refusal(world.submit(&ada, &task, answered(true)).await),
        precondition("TASK_UNDER_REVIEW")
    );
    assert_eq!(
        refusal(world.approve("jo", &task).await),
        precondition("TASK_NOT_CLAIMED")
    );
    let claimed = world.claim("jo", &task).await.expect("claimed");
    assert_eq!(claimed.reviewer, "operator:jo");
    assert_eq!(refusal(world.claim("al", &task).await), precondition("TASK_CLAIMED"));
    assert_eq!(
        refusal(world.reject("al", &task, "No").await),
        precondition("TASK_CLAIMED")
    );
    let rejected = world.reject("jo", &task, "Please say more.").await.expect("rejected");
    assert_eq!(rejected.reject_reason, "Please say more.");
    let mail = world.mail_to("ada@example.com").await;
    assert!(mail.contains("Please say more."), "{mail}");
    let seen = world
        .tasks(ada.clone())
        .get_task(pb::GetTaskRequest {
            task_id: task.id.clone(),
        })
        .await;
    let seen = seen.expect("the task").into_inner().task.expect("the task");
    assert_eq!((seen.state(), seen.reviewer.as_str()), (task::State::Rejected, ""));

    world.start(&ada, &task).await.expect("started again");
    world
        .submit(&ada, &task, answered(true))
        .await
        .expect("handed in again");
    world.claim("al", &task).await.expect("claimed");
    let confirmed = world.approve("al", &task).await.expect("confirmed");
    assert_eq!(
        (confirmed.state(), confirmed.submission),
        (task::State::Approved, Some(answered(true)))
    );
    assert_eq!(world.case(&case.id).await.state(), case::State::AcceptOffer);
    assert_eq!(count(&world.db, "task_decision").await, 2);
    assert_eq!(
        refusal(world.approve("al", &task).await),
        precondition("TASK_NOT_SUBMITTED")
    );
    world.stop().await;
}

// B25
async fn each_does_what_is_theirs(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(nda()).await;
    let of_client = pb::TaskTemplateContent {
        owner: pb::TaskOwner::Client.into(),
        ..nda()
    };
    world.require(of_client).await;
    let (ada, case) = world.ada().await;
    let ada = person(&ada.id);
    world.review(&case.id).await.expect("reviewed");
    let tasks = world.tasks_of(&case.id).await;
    for (caller, own, other) in [(&ada, 0, 1), (&acme(), 1, 0)] {
        let refused = world.start(caller, &tasks[other]).await;
        assert_eq!(refusal(refused), precondition("TASK_NOT_YOURS"));
        assert_eq!(
            refusal(world.start(&operator("jo"), &tasks[own]).await),
            precondition("TASK_NOT_YOURS")
        );
    }
    let stranger = person("019c0000-0000-7000-8000-000000000001");
    assert_eq!(
        refusal(world.start(&stranger, &tasks[0]).await),
        (Code::NotFound, "NOT_FOUND".to_owned())
    );
    let queue = world
        .tasks(ada.clone())
        .list_review_queue(pb::ListReviewQueueRequest::default())
        .await;
    assert_eq!(
        refusal(queue),
        (Code::PermissionDenied, "CALLER_NOT_ALLOWED".to_owned())
    );

    world.start(&ada, &tasks[0]).await.expect("started");
    world.submit(&ada, &tasks[0], signed()).await.expect("signed");
    let owners: Vec<_> = world
        .case(&case.id)
        .await
        .waiting_for
        .iter()
        .map(pb::Waiting::owner)
        .collect();
    assert_eq!(owners, [pb::TaskOwner::Client], "the talent has done all of theirs");
    world.start(&acme(), &tasks[1]).await.expect("started");
    world.submit(&acme(), &tasks[1], signed()).await.expect("signed");
    assert_eq!(world.case(&case.id).await.state(), case::State::AcceptOffer);
    // The talent does not see what the client has handed in.
    let list = world
        .tasks(ada.clone())
        .list_tasks(pb::ListTasksRequest {
            case_id: case.id.clone(),
            ..Default::default()
        })
        .await;
    let seen = list.expect("tasks").into_inner().tasks;
    assert_eq!(
        (seen[0].submission.is_some(), seen[1].submission.is_some()),
        (true, false)
    );
    world.stop().await;
}

async fn what_is_handed_in_is_what_was_asked_for(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(nda()).await;
    world.require(questionnaire()).await;
    let (ada, case) = world.ada().await;
    let ada = person(&ada.id);
    world.review(&case.id).await.expect("reviewed");
    let tasks = world.tasks_of(&case.id).await;
    for task in &tasks {
        world.start(&ada, task).await.expect("started");
    }
    let nothing = pb::TaskSubmission::default();
    assert_eq!(
        violations(world.submit(&ada, &tasks[0], nothing.clone()).await),
        ["submission.signature REQUIRED"]
    );
    let mut old = signed();
    "2025-12".clone_into(&mut old.signature.as_mut().expect("a signature").text_version);
    old.answers = answered(true).answers;
    assert_eq!(
        violations(world.submit(&ada, &tasks[0], old).await),
        [
            "submission.signature.text_version OUTDATED",
            "submission.answers[own_tools] NOT_ASKED_FOR"
        ]
    );
    assert_eq!(
        violations(world.submit(&ada, &tasks[1], nothing).await),
        ["submission.answers[own_tools] REQUIRED"]
    );
    let mut twice = answered(true);
    twice.answers.extend(answered(false).answers);
    twice.document_ids.push("paper".to_owned());
    assert_eq!(
        violations(world.submit(&ada, &tasks[1], twice).await),
        [
            "submission.document_ids[0] INVALID_FORMAT",
            "submission.answers[1].name DUPLICATE"
        ]
    );
    for task in world.tasks_of(&case.id).await {
        assert_eq!((task.state(), task.submission), (task::State::Started, None));
    }
    world.stop().await;
}

// B24
async fn the_queue_is_listed_in_pages(database: TestDatabase) {
    let world = World::new(database).await;
    world.template("", questionnaire()).await.expect("a template");
    let mut waiting = Vec::new();
    for name in ["ada", "bob", "cleo", "dora", "eve"] {
        let address = format!("{name}@example.com");
        let invitation = world.invitations.send(&address, fixed_terms());
        let activated = world
            .activate(activation(&invitation, &address))
            .await
            .expect("an account");
        let case = activated.case.expect("a case");
        let caller = person(&case.person_id);
        world.review(&case.id).await.expect("reviewed");
        let task = world.tasks_of(&case.id).await.remove(0);
        world.start(&caller, &task).await.expect("started");
        world.submit(&caller, &task, answered(true)).await.expect("handed in");
        waiting.push(task);
    }
    world.claim("jo", &waiting[1]).await.expect("claimed");
    let page = async |unclaimed_only, page_token: &str| {
        let request = pb::ListReviewQueueRequest {
            page_size: 2,
            page_token: page_token.to_owned(),
            unclaimed_only,
        };
        let answer = world.tasks(operator("jo")).list_review_queue(request).await;
        answer.expect("a page").into_inner()
    };
    for (unclaimed_only, expected) in [(false, 5), (true, 4)] {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let answer = page(unclaimed_only, &token).await;
            seen.extend(answer.tasks.into_iter().map(|task| task.id));
            token = answer.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let mut distinct = seen.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!((seen.len(), distinct.len()), (expected, expected));
    }
    world.stop().await;
}

// B20, B24
async fn documents_are_handed_in_and_released(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(certificate()).await;
    let (ada, case) = world.ada().await;
    let eve = world.somebody("eve@example.com").await;
    let caller = person(&ada.id);
    world.review(&case.id).await.expect("reviewed");
    let task = world.tasks_of(&case.id).await.remove(0);
    world.start(&caller, &task).await.expect("started");
    let paper = async |owner: &pb::Person, seed: u8| {
        let file = pdf(100, seed);
        let uploaded = world.upload(upload_for(owner, "certificate.pdf"), &file).await;
        uploaded.expect("a document").id
    };
    let (own, foreign, rejected) = (paper(&ada, 1).await, paper(&eve, 2).await, paper(&ada, 3).await);
    world
        .reject_document(&rejected, "It is blurred.")
        .await
        .expect("rejected");
    let handed_in = |ids: &[&str]| pb::TaskSubmission {
        document_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..Default::default()
    };
    let unknown = "019c0000-0000-7000-8000-000000000001";
    for (at, ids) in [
        (0, [foreign.as_str(), &own]),
        (1, [&own, &rejected]),
        (1, [&own, unknown]),
    ] {
        let refused = world.submit(&caller, &task, handed_in(&ids)).await;
        assert_eq!(
            violations(refused),
            [format!("submission.document_ids[{at}] UNKNOWN_DOCUMENT")]
        );
    }
    assert_eq!(
        violations(world.submit(&caller, &task, handed_in(&[])).await),
        ["submission.document_ids REQUIRED"]
    );
    world
        .submit(&caller, &task, handed_in(&[&own]))
        .await
        .expect("handed in");
    assert_eq!(refusal(world.delete(&own).await), precondition("DOCUMENT_IN_USE"));
    assert_eq!(
        world.document(&own).await.expect("it").state(),
        pb::document::State::Quarantined
    );
    world.claim("jo", &task).await.expect("claimed");
    world.approve("jo", &task).await.expect("confirmed");
    assert_eq!(
        world.document(&own).await.expect("it").state(),
        pb::document::State::Released
    );
    assert_eq!(world.case(&case.id).await.state(), case::State::AcceptOffer);
    world.stop().await;
}
