//! Reviews, when something else happens meanwhile: the case ends, a document is rejected, the account is closed.

use vouch_proto::onboarding::v1::{self as pb, case, get_home_response::NextStep, task};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    callers::{acme, answered, certificate, classification, operator, person, questionnaire},
    example::{acceptance, activation, fixed_terms, request_id},
    papers::{pdf, upload_for},
    tables::{count, told},
    tasks::precondition,
    world::{World, refusal, talent::headline},
};

on_both_databases! {
    nobody_reviews_for_a_case_that_has_ended,
    a_rejected_document_confirms_nothing,
    what_was_handed_in_before_stays,
    the_client_does_not_read_why_talent_was_rejected,
    a_case_that_was_open_before_waits_for_the_sixty_days_too,
    who_has_left_gets_ready_when_they_come_back,
    who_has_left_leaves_nothing_more,
    an_offer_comes_before_a_cloud,
}

/// Ada's first task, handed in.
async fn handed_in(world: &World, case: &pb::Case, submission: pb::TaskSubmission) -> pb::Task {
    let caller = person(&case.person_id);
    let task = world.tasks_of(&case.id).await.remove(0);
    world.start(&caller, &task).await.expect("started");
    world.submit(&caller, &task, submission).await.expect("handed in")
}

fn with_documents(ids: &[&str]) -> pb::TaskSubmission {
    pb::TaskSubmission {
        document_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..Default::default()
    }
}

async fn queue(world: &World) -> Vec<pb::Task> {
    let request = pb::ListReviewQueueRequest::default();
    let answer = world.tasks(operator("jo")).list_review_queue(request).await;
    answer.expect("a page").into_inner().tasks
}

// B24
async fn nobody_reviews_for_a_case_that_has_ended(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(questionnaire()).await;
    let (_, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let task = handed_in(&world, &case, answered(true)).await;
    world.claim("jo", &task).await.expect("claimed");
    assert_eq!(queue(&world).await.len(), 1);
    world.decline(&case.id, "No time").await.expect("declined");
    assert_eq!(queue(&world).await, []);
    let closed = precondition("CASE_CLOSED");
    assert_eq!(refusal(world.claim("jo", &task).await), closed);
    assert_eq!(refusal(world.approve("jo", &task).await), closed);
    assert_eq!(refusal(world.reject("jo", &task, "No").await), closed);
    assert_eq!(count(&world.db, "task_decision").await, 0);
    world.stop().await;
}

// B24
async fn a_rejected_document_confirms_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(certificate()).await;
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let paper = world.upload(upload_for(&ada, "certificate.pdf"), &pdf(100, 1)).await;
    let paper = paper.expect("a document").id;
    let task = handed_in(&world, &case, with_documents(&[&paper])).await;
    world.claim("jo", &task).await.expect("claimed");
    world.reject_document(&paper, "It is forged.").await.expect("rejected");
    assert_eq!(
        refusal(world.approve("jo", &task).await),
        precondition("DOCUMENT_REJECTED")
    );
    let task = world.tasks_of(&case.id).await.remove(0);
    assert_eq!(task.state(), task::State::Submitted);
    world.reject("jo", &task, "It is forged.").await.expect("rejected");
    world.stop().await;
}

async fn what_was_handed_in_before_stays(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(certificate()).await;
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let mut papers = Vec::new();
    for seed in [1, 2] {
        let paper = world.upload(upload_for(&ada, "certificate.pdf"), &pdf(100, seed)).await;
        papers.push(paper.expect("a document").id);
    }
    let task = handed_in(&world, &case, with_documents(&[&papers[0]])).await;
    world.claim("jo", &task).await.expect("claimed");
    world.reject("jo", &task, "Too old.").await.expect("rejected");
    handed_in(&world, &case, with_documents(&[&papers[1]])).await;
    for paper in &papers {
        assert_eq!(refusal(world.delete(paper).await), precondition("DOCUMENT_IN_USE"));
    }
    world.stop().await;
}

// B25
async fn the_client_does_not_read_why_talent_was_rejected(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(questionnaire()).await;
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let task = handed_in(&world, &case, answered(false)).await;
    world.claim("jo", &task).await.expect("claimed");
    let why = "Your other client told us otherwise.";
    world.reject("jo", &task, why).await.expect("rejected");
    for (caller, reason) in [(person(&ada.id), why), (acme(), ""), (operator("al"), why)] {
        let request = pb::GetTaskRequest {
            task_id: task.id.clone(),
        };
        let seen = world.tasks(caller.clone()).get_task(request).await.expect("the task");
        let seen = seen.into_inner().task.expect("the task");
        assert_eq!(
            (seen.state(), seen.reject_reason.as_str()),
            (task::State::Rejected, reason)
        );
        let request = pb::ListTasksRequest {
            case_id: case.id.clone(),
            ..Default::default()
        };
        let listed = world.tasks(caller).list_tasks(request).await.expect("tasks");
        assert_eq!(listed.into_inner().tasks[0].reject_reason, reason);
    }
    world.stop().await;
}

// F16
async fn a_case_that_was_open_before_waits_for_the_sixty_days_too(database: TestDatabase) {
    let world = World::new(database).await;
    world.template("", classification()).await.expect("a template");
    let (ada, first) = world.ada().await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let second = world.open_case(&ada.id, &invitation.id).await.expect("a case");
    for case in [&first, &second] {
        world.review(&case.id).await.expect("reviewed");
    }
    let failed = handed_in(&world, &first, answered(false)).await;
    world.claim("jo", &failed).await.expect("claimed");
    world
        .reject("jo", &failed, "This is employment.")
        .await
        .expect("rejected");
    let other = world.tasks_of(&second.id).await.remove(0);
    assert_eq!(
        refusal(world.start(&person(&ada.id), &other).await),
        precondition("CLASSIFICATION_TOO_SOON")
    );
    world.stop().await;
}

/// Ada comes into a cloud that asks one question of her, which she has answered.
async fn on_the_way_into_a_cloud(world: &World) -> (pb::Person, pb::Case, pb::Task) {
    world.enterprise();
    world.require(questionnaire()).await;
    let invitation = world.invitations.send_to_cloud("ada@example.com");
    let activated = world.activate(activation(&invitation, "ada@example.com")).await;
    let activated = activated.expect("an account");
    let (ada, case) = (activated.person.expect("a person"), activated.case.expect("a case"));
    let left = world.leave_profile(&case).await.expect("skipped");
    assert_eq!(left.state(), case::State::CompleteTasks);
    let task = handed_in(world, &left, answered(true)).await;
    (ada, left, task)
}

// B47, B52
async fn who_has_left_gets_ready_when_they_come_back(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case, task) = on_the_way_into_a_cloud(&world).await;
    world.close(&ada.id, "").await.expect("closed");
    let mails = count(&world.db, "mail").await;
    world.claim("jo", &task).await.expect("claimed");
    world.approve("jo", &task).await.expect("confirmed");
    assert_eq!(world.case(&case.id).await.state(), case::State::CompleteTasks);
    assert!(told::<pb::TalentReady>(&world.db).await.is_empty());
    assert_eq!(count(&world.db, "mail").await, mails, "and nobody writes to them");
    world.reopen(&ada.id).await.expect("reopened");
    assert_eq!(world.case(&case.id).await.state(), case::State::Ready);
    assert_eq!(told::<pb::TalentReady>(&world.db).await.len(), 1);
    world.stop().await;
}

async fn who_has_left_leaves_nothing_more(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let accepted = world.accept(acceptance(&case, "Hello")).await.expect("accepted");
    let offer = accepted.offer.expect("an offer");
    let ended = vouch_proto::payments::v1::ContractEnded {
        contract_id: offer.contract_id,
        end_time: ada.create_time,
        ..Default::default()
    };
    world.hear("/vouch/payments", &ended).await;
    vouch_testkit::eventually("the account is closed", crate::world::SOON, async || {
        let closed = world.close(&ada.id, "").await;
        closed.map(|_| ()).map_err(|status| status.to_string())
    })
    .await;
    let closed = precondition("ACCOUNT_CLOSED");
    let uploaded = world.upload(upload_for(&ada, "diploma.pdf"), &pdf(100, 1)).await;
    assert_eq!(refusal(uploaded), closed);
    let said = world.save_section(&ada.account_id, headline("Nurse"), true).await;
    assert_eq!(refusal(said), closed);
    let note = pb::PostNoteRequest {
        request_id: request_id(),
        room_id: offer.room_id,
        text: "Me again".to_owned(),
    };
    let posted = world.cases_of(person(&ada.id)).post_note(note.clone()).await;
    assert_eq!(refusal(posted), closed);
    world
        .cases_of(acme())
        .post_note(note)
        .await
        .expect("the client is here");
    for table in ["document", "profile_section"] {
        assert_eq!(count(&world.db, table).await, 0, "{table}");
    }
    world.stop().await;
}

// B11
async fn an_offer_comes_before_a_cloud(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, cloud, _) = on_the_way_into_a_cloud(&world).await;
    let home = async || world.home(&ada.id).await.expect("a home");
    assert!(matches!(home().await, NextStep::OpenCase(open) if open.id == cloud.id));
    // However many clouds have asked before.
    for _ in 0..3 {
        world.invitations.send_to_cloud("ada@example.com");
    }
    assert!(matches!(home().await, NextStep::OpenCase(open) if open.id == cloud.id));
    let offer = world.invitations.send("ada@example.com", fixed_terms());
    assert!(matches!(home().await, NextStep::OpenInvitation(open) if open.invitation_id == offer.id));
    let case = world.open_case(&ada.id, &offer.id).await.expect("a case");
    assert!(matches!(home().await, NextStep::OpenCase(open) if open.id == case.id));
    world.decline(&case.id, "").await.expect("declined");
    assert!(matches!(home().await, NextStep::OpenCase(open) if open.id == cloud.id));
    world.stop().await;
}
