//! Documents: uploaded into quarantine, looked at, handed out to whom they concern [B20, F16].

use futures::{StreamExt, stream};
use tonic::Code;
use vouch_primitives::ClientId;
use vouch_proto::onboarding::v1::{self as pb, document::State};
use vouch_runtime::access::Caller;
use vouch_testkit::{S3Server, TestDatabase, on_both_databases};

use crate::{
    papers::{as_caller, docx, files_below, messages, pdf, piece, sent_by, upload_for},
    tables::{count, counts},
    world::{World, refusal, violations},
};

on_both_databases! {
    a_file_is_kept_as_it_came,
    a_bucket_keeps_files_as_well,
    the_same_upload_again_is_the_same_document,
    bad_files_are_refused_and_leave_nothing,
    bad_requests_are_told_everything,
    documents_are_their_owners_alone,
    a_document_is_reviewed_once,
    a_document_that_nobody_has_used_can_be_deleted,
}

async fn a_file_is_kept_as_it_came(database: TestDatabase) {
    let world = World::new(database).await;
    kept_as_it_came(&world).await;
    let kept = files_below(&world.directory().join("documents"));
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.iter().all(|name| !name.contains("iploma")), "{kept:?}");
    assert_eq!(files_below(&world.directory().join("uploads")), [""; 0]);
    world.stop().await;
}

async fn a_bucket_keeps_files_as_well(database: TestDatabase) {
    let server = S3Server::start().await.expect("an S3 server");
    let world = World::with(database, |config| {
        config.documents.url = format!("s3://{}/papers/2026", server.bucket());
        config.documents.endpoint = server.endpoint();
        config.documents.access_key_id = "test".to_owned();
        config.documents.secret_access_key = "test".to_owned();
    })
    .await;
    let ids = kept_as_it_came(&world).await;
    let objects = server.objects().await.expect("a list");
    assert_eq!(objects.len(), 2, "{objects:?}");
    assert!(
        objects.iter().all(|name| name.starts_with("papers/2026/")),
        "{objects:?}"
    );
    for id in ids {
        world.delete(&id).await.expect("deleted");
    }
    world.until_only_timers(&[]).await;
    assert_eq!(server.objects().await.expect("a list"), [""; 0]);
    assert_eq!(files_below(&world.directory().join("documents")), [""; 0]);
    world.stop().await;
}

/// A small file, and one that a bucket takes in parts.
async fn kept_as_it_came(world: &World) -> Vec<String> {
    let ada = world.somebody("ada@example.com").await;
    let mut ids = Vec::new();
    for (name, file) in [
        ("Diploma.pdf", pdf(100, 1)),
        ("diploma, all pages.PDF", pdf(11_000_000, 2)),
    ] {
        let sent = world.upload(upload_for(&ada, name), &file).await.expect("a document");
        assert_eq!(
            (sent.file_name.as_str(), sent.content_type.as_str()),
            (name, "application/pdf")
        );
        assert_eq!(usize::try_from(sent.size_bytes), Ok(file.len()));
        assert_eq!(
            (sent.state(), sent.purpose.as_str()),
            (State::Quarantined, "my diploma")
        );
        assert_eq!(world.document(&sent.id).await.expect("a document"), sent);
        let (told, got) = world.download(&sent.id, &as_caller(&ada)).await.expect("a file");
        assert_eq!(told, sent);
        assert!(got == file, "{} bytes of {} came back", got.len(), file.len());
        ids.insert(0, sent.id);
    }
    let listed: Vec<_> = world
        .documents_of(&ada)
        .await
        .into_iter()
        .map(|document| document.id)
        .collect();
    assert_eq!(listed, ids, "the newest first");
    world.until_only_timers(&[]).await;
    ids
}

async fn the_same_upload_again_is_the_same_document(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    let (first, file) = (upload_for(&ada, "diploma.pdf"), pdf(100_000, 1));
    let document = world.upload(first.clone(), &file).await.expect("a document");
    let before = counts(&world.db).await;
    assert_eq!(world.upload(first.clone(), &file).await.expect("the same"), document);
    // The same bytes in one piece.
    let whole = pb::UploadDocumentRequest {
        data: file.clone(),
        last: true,
        ..first.clone()
    };
    assert_eq!(world.send(stream::iter([whole])).await.expect("the same"), document);
    let reused = (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned());
    let other_bytes = world.upload(first.clone(), &pdf(100_000, 2)).await;
    assert_eq!(refusal(other_bytes), reused);
    let other_name = pb::UploadDocumentRequest {
        file_name: "other.pdf".to_owned(),
        ..first.clone()
    };
    let other_caller = sent_by(&as_caller(&ada), stream::iter(messages(first, &file)));
    assert_eq!(refusal(world.upload(other_name, &file).await), reused);
    let mut answers = world
        .documents
        .clone()
        .upload_document(other_caller)
        .await
        .expect("a stream")
        .into_inner();
    assert_eq!(refusal(answers.message().await), reused);
    world.until_only_timers(&[]).await;
    assert_eq!(files_below(&world.directory().join("documents")).len(), 1);
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

async fn bad_files_are_refused_and_leave_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    let before = counts(&world.db).await;
    let good = pdf(1_000, 1);
    for (name, file, expected) in [
        ("a.pdf", b"".as_slice(), "data REQUIRED"),
        ("a.pdf", b"<html><script>", "data TYPE_NOT_TAKEN"),
        ("a.png", &good, "file_name OTHER_TYPE"),
        ("a.pdf", b"\x89PNG\r\n\x1a\n and so on", "file_name OTHER_TYPE"),
        ("a.pdf", &good[..900], "data INCOMPLETE"),
        ("a.docx", b"PK\x03\x04 no directory", "data INCOMPLETE"),
        (
            "a.docx",
            b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            "data TYPE_NOT_TAKEN",
        ),
    ] {
        let refused = world.upload(upload_for(&ada, name), file).await;
        assert_eq!(
            violations(refused),
            [expected],
            "{name} {:?}",
            &file[..file.len().min(20)]
        );
    }
    let good_docx = docx("");
    let lies = good_docx.iter().enumerate().map(|(at, byte)| match at {
        // The name that the first part has where it lies, not in the directory.
        30 => b'{',
        _ => *byte,
    });
    let macros = docx("<Default Extension=\"bin\" ContentType=\"application/vnd.ms-office.vbaProject\"/>");
    for file in [lies.collect::<Vec<_>>(), macros] {
        let refused = world.upload(upload_for(&ada, "a.docx"), &file).await;
        assert_eq!(violations(refused), ["data UNSAFE_FILE"]);
    }
    // Without its last piece it was cut off, however whole it looks.
    let cut = messages(upload_for(&ada, "a.pdf"), &good)
        .into_iter()
        .map(|message| pb::UploadDocumentRequest { last: false, ..message });
    assert_eq!(
        violations(world.send(stream::iter(cut.collect::<Vec<_>>())).await),
        ["data INCOMPLETE"]
    );
    // What is wrong is told before all has come.
    let endless = stream::iter([upload_for(&ada, "a.pdf"), piece(b"a program")]).chain(stream::pending());
    assert_eq!(violations(world.send(endless).await), ["data TYPE_NOT_TAKEN"]);
    let nobody = pb::UploadDocumentRequest {
        person_id: vouch_primitives::PersonId::new().to_string(),
        ..upload_for(&ada, "a.pdf")
    };
    assert_eq!(
        refusal(world.upload(nobody, &good).await),
        (Code::NotFound, "NOT_FOUND".to_owned())
    );
    assert_eq!(counts(&world.db).await, before);
    for directory in ["documents", "uploads"] {
        assert_eq!(files_below(&world.directory().join(directory)), [""; 0]);
    }
    let taken = world
        .upload(upload_for(&ada, "a.docx"), &good_docx)
        .await
        .expect("a document");
    let (_, file) = world.download(&taken.id, &as_caller(&ada)).await.expect("a file");
    assert!(file == good_docx, "it is kept as it came");
    world.stop().await;
}

async fn bad_requests_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let before = counts(&world.db).await;
    let nothing = world.send(stream::iter([pb::UploadDocumentRequest::default()])).await;
    let told = ["request_id REQUIRED", "person_id REQUIRED", "file_name REQUIRED"];
    assert_eq!(violations(nothing), told);
    for (name, expected) in [
        ("../../etc/passwd.pdf", "file_name INVALID_FORMAT"),
        ("a\\b.pdf", "file_name INVALID_FORMAT"),
        ("a\u{202e}fdp.pdf", "file_name INVALID_FORMAT"),
        ("a\0.pdf", "file_name INVALID_FORMAT"),
        ("run.exe", "file_name TYPE_NOT_TAKEN"),
        (&format!("{}.pdf", "x".repeat(200)), "file_name TOO_LONG"),
    ] {
        let request = pb::UploadDocumentRequest {
            request_id: "7".to_owned(),
            person_id: "ada".to_owned(),
            file_name: name.to_owned(),
            purpose: "x".repeat(201),
            ..Default::default()
        };
        let told = [
            "request_id INVALID_FORMAT",
            "person_id INVALID_FORMAT",
            expected,
            "purpose TOO_LONG",
        ];
        assert_eq!(violations(world.send(stream::iter([request])).await), told, "{name:?}");
    }
    let mut documents = world.documents.clone();
    let nothing = documents.reject_document(pb::RejectDocumentRequest::default()).await;
    let told = ["request_id REQUIRED", "document_id REQUIRED", "reason REQUIRED"];
    assert_eq!(violations(nothing), told);
    let page = pb::ListDocumentsRequest {
        person_id: "7".to_owned(),
        page_size: 101,
        page_token: "next".to_owned(),
    };
    let told = [
        "person_id INVALID_FORMAT",
        "page_size OUT_OF_RANGE",
        "page_token INVALID_FORMAT",
    ];
    assert_eq!(violations(documents.list_documents(page).await), told);
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

async fn documents_are_their_owners_alone(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, eve) = (
        world.somebody("ada@example.com").await,
        world.somebody("eve@example.com").await,
    );
    let document = world.upload(upload_for(&ada, "diploma.pdf"), &pdf(100, 1)).await;
    let id = document.expect("a document").id;
    world.release(&id).await.expect("released");
    let missing = (Code::NotFound, "NOT_FOUND".to_owned());
    for stranger in [as_caller(&eve), Caller::Client(ClientId::new())] {
        assert_eq!(refusal(world.download(&id, &stranger).await), missing, "{stranger}");
        let (document_id, task_id) = (id.clone(), String::new());
        let request = sent_by(&stranger, pb::GetDocumentRequest { document_id, task_id });
        assert_eq!(refusal(world.documents.clone().get_document(request).await), missing);
    }
    world.download(&id, &as_caller(&ada)).await.expect("her own");
    let operator = Caller::Operator("jo".to_owned());
    world.download(&id, &operator).await.expect("an operator's business");
    // Nobody uploads for somebody else, and nobody reviews their own.
    let for_ada = sent_by(
        &as_caller(&eve),
        stream::iter(messages(upload_for(&ada, "a.pdf"), &pdf(9, 1))),
    );
    let refused = world.documents.clone().upload_document(for_ada).await;
    assert_eq!(refusal(refused), (Code::PermissionDenied, "NOT_YOURS".to_owned()));
    let request = pb::ReleaseDocumentRequest {
        request_id: crate::example::request_id(),
        document_id: id,
    };
    let refused = world
        .documents
        .clone()
        .release_document(sent_by(&as_caller(&ada), request))
        .await;
    assert_eq!(
        refusal(refused),
        (Code::PermissionDenied, "CALLER_NOT_ALLOWED".to_owned())
    );
    world.stop().await;
}

async fn a_document_is_reviewed_once(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    let one = world
        .upload(upload_for(&ada, "one.pdf"), &pdf(100, 1))
        .await
        .expect("a document");
    let two = world
        .upload(upload_for(&ada, "two.pdf"), &pdf(100, 1))
        .await
        .expect("a document");
    let released = world.release(&one.id).await.expect("released");
    assert_eq!(released.state(), State::Released);
    assert!(released.decide_time.is_some());
    assert_eq!(world.release(&one.id).await.expect("as before"), released);
    let rejected = world
        .reject_document(&two.id, "It is blurred.")
        .await
        .expect("rejected");
    assert_eq!(
        (rejected.state(), rejected.reject_reason.as_str()),
        (State::Rejected, "It is blurred.")
    );
    assert_eq!(
        world.reject_document(&two.id, "It is dark.").await.expect("as before"),
        rejected
    );
    let refused = |reason: &str| (Code::FailedPrecondition, reason.to_owned());
    assert_eq!(
        refusal(world.reject_document(&one.id, "late").await),
        refused("DOCUMENT_RELEASED")
    );
    assert_eq!(refusal(world.release(&two.id).await), refused("DOCUMENT_REJECTED"));
    for id in [&one.id, &two.id] {
        assert_eq!(refusal(world.delete(id).await), refused("DOCUMENT_IN_USE"));
    }
    assert_eq!(world.documents_of(&ada).await, [rejected, released]);
    world.stop().await;
}

async fn a_document_that_nobody_has_used_can_be_deleted(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    let document = world.upload(upload_for(&ada, "diploma.pdf"), &pdf(100, 1)).await;
    let id = document.expect("a document").id;
    let request = pb::DeleteDocumentRequest {
        request_id: crate::example::request_id(),
        document_id: id.clone(),
    };
    for _ in 0..2 {
        let mut documents = world.documents.clone();
        documents.delete_document(request.clone()).await.expect("deleted");
    }
    let missing = (Code::NotFound, "NOT_FOUND".to_owned());
    assert_eq!(refusal(world.document(&id).await), missing);
    assert_eq!(refusal(world.delete(&id).await), missing);
    world.until_only_timers(&[]).await;
    assert_eq!(count(&world.db, "document").await, 0);
    assert_eq!(files_below(&world.directory().join("documents")), [""; 0]);
    world.stop().await;
}
