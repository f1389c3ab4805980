//! What clients are shown of the documents that talent hands in to them.

use tonic::Code;
use vouch_primitives::ClientId;
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{self as pb, case, document_service_client::DocumentServiceClient, task, task_form::Form},
    payments::v1::ContractEnded,
};
use vouch_runtime::access::{Caller, Signed};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    callers::{acme, certificate, classification, operator, person},
    example::{acceptance, activation, at, fixed_terms},
    papers::{as_caller, pdf, sent_by, upload_for},
    world::{SOON, World, refusal, violations},
};

on_both_databases! {
    a_client_reads_what_was_handed_in_to_it,
    what_nobody_has_found_good_is_not_shown,
    proofs_of_identity_and_business_papers_are_the_platforms,
    who_shares_a_document_reads_it_through_their_own_case,
    a_client_reads_until_the_talent_leaves,
    who_reads_takes_no_place_from_whose_it_is,
}

fn missing() -> (Code, String) {
    (Code::NotFound, "NOT_FOUND".to_owned())
}

fn of(form: Form) -> pb::TaskTemplateContent {
    pb::TaskTemplateContent {
        form: Some(pb::TaskForm { form: Some(form) }),
        ..certificate()
    }
}

/// The only task of a case that asks for documents.
async fn task_of(world: &World, case: &pb::Case) -> pb::Task {
    world.tasks_of(&case.id).await.remove(0)
}

/// A new document of the talent is handed in for a task that they begin, or begin again.
async fn hand_in(world: &World, talent: &pb::Person, task: &pb::Task, seed: u8) -> String {
    hand_in_of(world, talent, task, &pdf(100, seed)).await
}

async fn hand_in_of(world: &World, talent: &pb::Person, task: &pb::Task, file: &[u8]) -> String {
    let uploaded = world.upload(upload_for(talent, "certificate.pdf"), file).await;
    let id = uploaded.expect("a document").id;
    let mut submission = pb::TaskSubmission {
        document_ids: vec![id.clone()],
        ..Default::default()
    };
    if let Some(Form::Classification(_)) = task.form.as_ref().and_then(|form| form.form.as_ref()) {
        submission.answers = crate::callers::answered(true).answers;
    }
    world.start(&as_caller(talent), task).await.expect("started");
    world
        .submit(&as_caller(talent), task, submission)
        .await
        .expect("handed in");
    id
}

async fn confirm(world: &World, task: &pb::Task) {
    world.claim("jo", task).await.expect("claimed");
    world.approve("jo", task).await.expect("confirmed");
}

/// The contract of a case ends.
async fn end(world: &World, case: pb::Case) {
    let ended = ContractEnded {
        contract_id: case.offer.expect("an offer").contract_id,
        end_time: Some(to_wire_time(at("2026-03-20"))),
        ..Default::default()
    };
    world.hear("/vouch/payments", &ended).await;
}

// B20, B24, B25
async fn a_client_reads_what_was_handed_in_to_it(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(certificate()).await;
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let task = task_of(&world, &case).await;
    let id = hand_in(&world, &ada, &task, 1).await;
    let read = async |task_id: &str, id: &str, caller: &Caller| world.download_through(task_id, id, caller).await;
    assert_eq!(
        refusal(read(&task.id, &id, &acme()).await),
        missing(),
        "not before it is confirmed"
    );
    confirm(&world, &task).await;

    let (told, file) = read(&task.id, &id, &acme()).await.expect("a file");
    assert!(file == pdf(100, 1), "{} bytes came", file.len());
    let (document_id, task_id) = (id.clone(), task.id.clone());
    let request = sent_by(&acme(), pb::GetDocumentRequest { document_id, task_id });
    let known = world.documents.clone().get_document(request).await.expect("a document");
    assert_eq!(known.into_inner().document, Some(told));
    read(&task.id, &id, &operator("jo"))
        .await
        .expect("what the client gets");
    read(&task.id, &id, &as_caller(&ada))
        .await
        .expect("what the client gets");

    let other = world.upload(upload_for(&ada, "other.pdf"), &pdf(100, 2)).await;
    let other = other.expect("a document").id;
    world.release(&other).await.expect("released");
    let unknown = "019c0000-0000-7000-8000-000000000001";
    for (task_id, id, caller) in [
        ("", &*id, &acme()),
        (unknown, &id, &acme()),
        (&task.id, &other, &acme()),
        (&task.id, unknown, &acme()),
        (&task.id, &id, &Caller::Client(ClientId::new())),
        (&task.id, &id, &person(unknown)),
        // Whose it is gets through a task what was handed in for it, and no more.
        (&task.id, &other, &as_caller(&ada)),
    ] {
        assert_eq!(
            refusal(read(task_id, id, caller).await),
            missing(),
            "{caller} {task_id} {id}"
        );
    }
    assert_eq!(
        violations(read("seven", &id, &acme()).await),
        ["task_id INVALID_FORMAT"]
    );

    let case = world.accept(acceptance(&case, "Hello")).await.expect("accepted");
    read(&task.id, &id, &acme()).await.expect("the contract goes on");
    end(&world, case).await;
    eventually("the contract has ended", SOON, async || {
        match read(&task.id, &id, &acme()).await {
            Err(status) => Ok(status),
            Ok(_) => Err("it is read".to_owned()),
        }
    })
    .await;
    assert_eq!(refusal(read(&task.id, &id, &acme()).await), missing());
    world.download(&id, &as_caller(&ada)).await.expect("her own, for good");
    world.stop().await;
}

// B20, B24
async fn what_nobody_has_found_good_is_not_shown(database: TestDatabase) {
    let world = World::new(database).await;
    let mut unreviewed = certificate();
    (unreviewed.without_review, unreviewed.title) = (true, "Portfolio".to_owned());
    world.require(unreviewed.clone()).await;
    world.require(unreviewed).await;
    world.require(certificate()).await;
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let tasks = world.tasks_of(&case.id).await;
    let (one, two) = (
        hand_in(&world, &ada, &tasks[0], 1).await,
        hand_in(&world, &ada, &tasks[1], 2).await,
    );
    let refused = async |task: &pb::Task, id: &str| refusal(world.download_through(&task.id, id, &acme()).await);
    assert_eq!(world.tasks_of(&case.id).await[0].state(), task::State::Approved);
    assert_eq!(refused(&tasks[0], &one).await, missing(), "it is in quarantine");
    world.reject_document(&two, "It is blurred.").await.expect("rejected");
    assert_eq!(refused(&tasks[1], &two).await, missing(), "it was rejected");
    world.release(&one).await.expect("released");
    world
        .download_through(&tasks[0].id, &one, &acme())
        .await
        .expect("a file");
    assert_eq!(
        refused(&tasks[1], &one).await,
        missing(),
        "it was handed in for another task"
    );

    // What was handed in and taken back by another submission is nobody's business, however good it is.
    let first = hand_in(&world, &ada, &tasks[2], 3).await;
    world.claim("jo", &tasks[2]).await.expect("claimed");
    world
        .reject("jo", &tasks[2], "It is of last year.")
        .await
        .expect("rejected");
    let second = hand_in(&world, &ada, &tasks[2], 4).await;
    confirm(&world, &tasks[2]).await;
    world.release(&first).await.expect("released");
    assert_eq!(refused(&tasks[2], &first).await, missing());
    world
        .download_through(&tasks[2].id, &second, &acme())
        .await
        .expect("a file");
    world.stop().await;
}

// B25, F16
async fn proofs_of_identity_and_business_papers_are_the_platforms(database: TestDatabase) {
    let world = World::new(database).await;
    let one = pb::DocumentsForm {
        min_count: 1,
        max_count: 1,
    };
    let Some(Form::Classification(questions)) = classification().form.and_then(|form| form.form) else {
        panic!("a classification")
    };
    let business = pb::ClassificationForm {
        documents: Some(one),
        ..questions
    };
    // Also where the client itself has asked for them.
    world.require(of(Form::Identity(one))).await;
    world.require(of(Form::Classification(business))).await;
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    for (seed, task) in (1..).zip(world.tasks_of(&case.id).await) {
        let id = hand_in(&world, &ada, &task, seed).await;
        confirm(&world, &task).await;
        let state = world.document(&id).await.expect("a document").state();
        assert_eq!(state, pb::document::State::Released);
        let refused = world.download_through(&task.id, &id, &acme()).await;
        assert_eq!(refusal(refused), missing(), "{}", task.title);
        let request = pb::GetTaskRequest { task_id: task.id };
        let seen = world
            .tasks(acme())
            .get_task(request)
            .await
            .expect("the task")
            .into_inner();
        assert_eq!(
            seen.task.expect("the task").submission,
            None,
            "its ids are not told either"
        );
    }
    world.stop().await;
}

// B20, F16
async fn who_shares_a_document_reads_it_through_their_own_case(database: TestDatabase) {
    let world = World::new(database).await;
    let for_all = pb::TaskTemplateContent {
        valid_days: 365,
        ..certificate()
    };
    world.template("", for_all).await.expect("a template");
    let (ada, of_acme) = world.ada().await;
    world.review(&of_acme.id).await.expect("reviewed");
    let first = task_of(&world, &of_acme).await;
    let id = hand_in(&world, &ada, &first, 1).await;
    confirm(&world, &first).await;

    let offer = world.invitations.send("ada@example.com", fixed_terms());
    let beacon = ClientId::new();
    world
        .invitations
        .change(&offer.id, |it| it.client_id = beacon.to_string());
    let of_beacon = world.open_case(&ada.id, &offer.id).await.expect("a case");
    let second = task_of(&world, &of_beacon).await;
    assert_eq!(second.reused_task_id, first.id);
    let beacon = Caller::Client(beacon);
    for (client, own, others) in [(&acme(), &first, &second), (&beacon, &second, &first)] {
        world.download_through(&own.id, &id, client).await.expect("a file");
        let refused = world.download_through(&others.id, &id, client).await;
        assert_eq!(refusal(refused), missing(), "{client}");
    }
    world.decline(&of_acme.id, "").await.expect("declined");
    let refused = world.download_through(&first.id, &id, &acme()).await;
    assert_eq!(refusal(refused), missing(), "the offer has come to nothing");
    world.download_through(&second.id, &id, &beacon).await.expect("a file");
    world.stop().await;
}

// B20, B45
async fn a_client_reads_until_the_talent_leaves(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(certificate()).await;
    let invitation = world.invitations.send_to_cloud("ada@example.com");
    let activated = world.activate(activation(&invitation, "ada@example.com")).await;
    let activated = activated.expect("an account");
    let (ada, case) = (activated.person.expect("a person"), activated.case.expect("a case"));
    world.leave_profile(&case).await.expect("skipped");
    let task = task_of(&world, &case).await;
    let id = hand_in(&world, &ada, &task, 1).await;
    confirm(&world, &task).await;
    assert_eq!(world.case(&case.id).await.state(), case::State::Ready);
    let read = async |caller: &Caller| world.download_through(&task.id, &id, caller).await;
    read(&acme()).await.expect("she is ready for the next project");
    world.close(&ada.id, "").await.expect("closed");
    assert_eq!(refusal(read(&acme()).await), missing());
    world.reopen(&ada.id).await.expect("reopened");
    read(&acme()).await.expect("she is back");
    world.close(&ada.id, "").await.expect("closed");
    world.erase(&ada.id).await.expect("erased");
    for nobody in [acme(), operator("jo"), as_caller(&ada)] {
        assert_eq!(refusal(read(&nobody).await), missing(), "{nobody}");
        assert_eq!(refusal(world.download(&id, &nobody).await), missing(), "{nobody}");
    }
    world.stop().await;
}

// B20
async fn who_reads_takes_no_place_from_whose_it_is(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(certificate()).await;
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let task = task_of(&world, &case).await;
    // More than waits on the wires for somebody to take it.
    let id = hand_in_of(&world, &ada, &task, &pdf(4_000_000, 1)).await;
    confirm(&world, &task).await;
    let begin = async |mut client: DocumentServiceClient<Signed>, task_id: &str| {
        let request = pb::DownloadDocumentRequest {
            document_id: id.clone(),
            task_id: task_id.to_owned(),
        };
        client.download_document(request).await
    };
    let as_client = world.documents_as(acme());
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let begun = begin(as_client.clone(), &task.id).await;
        waiting.push(begun.expect("a download").into_inner());
    }
    let overloaded = (Code::Unavailable, "OVERLOADED".to_owned());
    assert_eq!(refusal(begin(as_client.clone(), &task.id).await), overloaded);
    let hers = begin(world.documents_as(as_caller(&ada)), "").await;
    hers.expect("a place of her own");
    drop(waiting);
    eventually("a free place", SOON, async || {
        let begun = begin(as_client.clone(), &task.id).await;
        begun.map(drop).map_err(|status| status.to_string())
    })
    .await;
    world.stop().await;
}
