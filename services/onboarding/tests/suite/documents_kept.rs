//! What uploads may cost, and what is left of those that come to nothing.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{Stream, StreamExt, stream};
use sea_orm::{ConnectionTrait, DbBackend};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use vouch_onboarding::{
    app::SWEEP_FILE,
    domain::{Document, DocumentState},
    error::Error,
    store,
};
use vouch_primitives::{Clock, DocumentId, StoredFileId};
use vouch_proto::onboarding::v1 as pb;
use vouch_storage::{
    StorageError,
    timers::{self, NewTimer},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases, tools::resident_kib};

use crate::{
    papers::{as_caller, files_below, pdf, piece, upload_for},
    tables::{count, counts},
    world::{SOON, World, refusal, violations},
};

on_both_databases! {
    an_endless_file_is_refused_at_the_cap_in_flat_memory,
    an_upload_that_breaks_off_leaves_nothing,
    what_a_crash_has_left_goes_in_a_day,
    while_the_store_is_away_the_caller_waits,
    a_file_that_was_changed_is_not_handed_out,
    as_many_uploads_as_the_service_takes_on,
    as_many_documents_as_a_person_may_have,
    the_table_keeps_the_rules_by_itself,
}

const CAP: u64 = 25 * 1024 * 1024;

async fn an_endless_file_is_refused_at_the_cap_in_flat_memory(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    // What is made once and kept is not to count.
    world
        .upload(upload_for(&ada, "first.pdf"), &pdf(3_000_000, 1))
        .await
        .expect("a document");
    let rows = counts(&world.db).await;
    let before = resident_kib(std::process::id());
    let (sent, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let pieces = a_gibibyte(Arc::clone(&sent), Arc::clone(&most));
    let messages = stream::iter([upload_for(&ada, "endless.pdf"), piece(b"%PDF-1.7\n")]).chain(pieces);
    assert_eq!(violations(world.send(messages).await), ["data OUT_OF_RANGE"]);
    let (sent, most) = (sent.load(Ordering::Relaxed), most.load(Ordering::Relaxed));
    assert!((CAP..2 * CAP).contains(&sent), "{sent} bytes were sent");
    let grown = most.saturating_sub(before) * 1024;
    assert!(grown < CAP / 2, "{grown} bytes more than before");
    assert_eq!(counts(&world.db).await, rows);
    world.stop().await;
}

/// So many pieces, each made when it is asked for. Counts the bytes, and how much memory the process has at most.
fn a_gibibyte(sent: Arc<AtomicU64>, most: Arc<AtomicU64>) -> impl Stream<Item = pb::UploadDocumentRequest> + Send {
    stream::iter(0..16 * 1024).map(move |nth| {
        sent.fetch_add(64 * 1024, Ordering::Relaxed);
        if nth % 16 == 0 {
            most.fetch_max(resident_kib(std::process::id()), Ordering::Relaxed);
        }
        piece(&[b'x'; 64 * 1024])
    })
}

/// An upload that has begun and waits for its second piece. Without its sender it has no more to come, and is cut off.
#[derive(Debug)]
struct Begun {
    _more: mpsc::Sender<pb::UploadDocumentRequest>,
    answers: Streaming<pb::UploadDocumentResponse>,
}

async fn begun(world: &World, person: &pb::Person) -> Result<Begun, Status> {
    let first = pb::UploadDocumentRequest {
        data: b"%PDF-1.7\n and more to come".to_vec(),
        ..upload_for(person, "slow.pdf")
    };
    let (more, rest) = mpsc::channel(1);
    let messages = stream::iter([first]).chain(ReceiverStream::new(rest));
    let answers = world.documents.clone().upload_document(messages).await?.into_inner();
    Ok(Begun { _more: more, answers })
}

async fn an_upload_that_breaks_off_leaves_nothing(database: TestDatabase) {
    let mut world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    let rows = counts(&world.db).await;
    let broken = begun(&world, &ada).await.expect("a stream");
    assert_eq!(
        counts(&world.db).await,
        rows,
        "nothing is written before a file is whole"
    );
    let Begun {
        _more: more,
        mut answers,
    } = broken;
    drop(more);
    assert_eq!(violations(answers.message().await), ["data INCOMPLETE"]);
    let other = begun(&world, &ada).await.expect("a stream");
    world.die_and_start_again().await;
    drop(other);
    assert_eq!(counts(&world.db).await, rows);
    for directory in ["documents", "uploads"] {
        assert_eq!(files_below(&world.directory().join(directory)), [""; 0]);
    }
    world.stop().await;
}

/// An upload of a process that died while, or after, the bytes went into the store.
async fn what_a_crash_has_left_goes_in_a_day(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    let kept = world.upload(upload_for(&ada, "kept.pdf"), &pdf(100, 1)).await;
    let kept = kept.expect("a document");
    let in_a_day = world.clock.now().saturating_add(Duration::from_secs(24 * 60 * 60));
    for half in ["", "#1"] {
        let upload = document(&ada, DocumentState::Uploading);
        let name = upload.stored_as.to_string();
        let shard = world.directory().join("documents").join(&name[name.len() - 2..]);
        fs::create_dir_all(&shard).expect("a directory");
        fs::write(shard.join(format!("{name}{half}")), "%PDF-").expect("a file");
        let timer = NewTimer {
            kind: SWEEP_FILE,
            key: upload.stored_as.as_uuid(),
            due: in_a_day,
        };
        insert(&world, &[upload], &[timer]).await;
    }
    assert_eq!(world.documents_of(&ada).await.len(), 1, "nobody sees them");
    assert_eq!(files_below(&world.directory().join("documents")).len(), 3);
    world.wait_until(in_a_day);
    world.until_only_timers(&[]).await;
    assert_eq!(count(&world.db, "document").await, 1);
    assert_eq!(files_below(&world.directory().join("documents")).len(), 1);
    world.download(&kept.id, &as_caller(&ada)).await.expect("still there");
    world.stop().await;
}

async fn while_the_store_is_away_the_caller_waits(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    let (first, file) = (upload_for(&ada, "diploma.pdf"), pdf(100, 1));
    let (store, aside) = (world.directory().join("documents"), world.directory().join("aside"));
    fs::rename(&store, &aside).expect("away");
    fs::write(&store, "no directory").expect("in its place");
    let away = (Code::Unavailable, "FILES_UNAVAILABLE".to_owned());
    assert_eq!(refusal(world.upload(first.clone(), &file).await), away);
    assert_eq!(world.documents_of(&ada).await, []);
    fs::remove_file(&store).expect("gone");
    fs::rename(&aside, &store).expect("back");
    let sent = world.upload(first, &file).await.expect("the same request again");
    assert_eq!(world.documents_of(&ada).await, [sent]);
    // What is left of the first attempt is taken away again and again until it can be.
    eventually("the timers", SOON, async || {
        world.wait_until(world.clock.now().saturating_add(Duration::from_secs(60)));
        match (count(&world.db, "timer").await, count(&world.db, "document").await) {
            (0, 1) => Ok(()),
            left => Err(format!("{left:?} timers and documents")),
        }
    })
    .await;
    assert_eq!(files_below(&store).len(), 1);
    world.stop().await;
}

async fn a_file_that_was_changed_is_not_handed_out(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    let sent = world.upload(upload_for(&ada, "diploma.pdf"), &pdf(100, 1)).await;
    let sent = sent.expect("a document");
    let store = world.directory().join("documents");
    let name = files_below(&store).pop().expect("a file");
    let file = store.join(&name[name.len() - 2..]).join(&name);
    let lost = (Code::Internal, "INTERNAL".to_owned());
    fs::write(&file, pdf(100, 2)).expect("changed");
    assert_eq!(refusal(world.download(&sent.id, &as_caller(&ada)).await), lost);
    fs::remove_file(&file).expect("gone");
    assert_eq!(refusal(world.download(&sent.id, &as_caller(&ada)).await), lost);
    world.stop().await;
}

async fn as_many_uploads_as_the_service_takes_on(database: TestDatabase) {
    let world = World::new(database).await;
    let overloaded = (Code::Unavailable, "OVERLOADED".to_owned());
    let mut running = Vec::new();
    for nth in 0..8 {
        let person = world.somebody(&format!("p{nth}@example.com")).await;
        for _ in 0..2 {
            running.push(begun(&world, &person).await.expect("a stream"));
        }
        assert_eq!(refusal(begun(&world, &person).await), overloaded, "two of one person");
    }
    let ninth = world.somebody("p8@example.com").await;
    assert_eq!(refusal(begun(&world, &ninth).await), overloaded, "sixteen in all");
    running.pop();
    eventually("a free place", SOON, async || {
        let sent = world.upload(upload_for(&ninth, "a.pdf"), &pdf(100, 1)).await;
        sent.map_err(|status| status.to_string())
    })
    .await;
    drop(running);
    world.stop().await;
}

async fn as_many_documents_as_a_person_may_have(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    world
        .verify(&world.token_for("ada@example.com").await)
        .await
        .expect("verified");
    let many: Vec<_> = (0..199).map(|_| document(&ada, DocumentState::Quarantined)).collect();
    insert(&world, &many, &[]).await;
    let last = world.upload(upload_for(&ada, "last.pdf"), &pdf(100, 1)).await;
    let last = last.expect("the two hundredth");
    let refused = (Code::FailedPrecondition, "TOO_MANY_DOCUMENTS".to_owned());
    let more = upload_for(&ada, "more.pdf");
    assert_eq!(refusal(world.upload(more.clone(), &pdf(100, 1)).await), refused);
    world.delete(&last.id).await.expect("deleted");
    world.upload(more, &pdf(100, 1)).await.expect("room again");
    world.stop().await;
}

async fn the_table_keeps_the_rules_by_itself(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.somebody("ada@example.com").await;
    let two = [DocumentState::Quarantined, DocumentState::Uploading].map(|state| document(&ada, state));
    insert(&world, &two, &[]).await;
    let set = async |what: &str| {
        let statement = format!("UPDATE document SET {what}");
        let statement = &statement;
        let written = world.db.write_tx(|txn| async move {
            txn.execute_unprepared(statement).await.map_err(StorageError::from)?;
            Ok::<_, StorageError>(())
        });
        written.await.is_ok()
    };
    let short = match world.db.backend() {
        DbBackend::Postgres => "sha256 = 'short'::bytea",
        _ => "sha256 = x'00'",
    };
    assert!(set("size_bytes = 26214400").await);
    for broken in [
        "size_bytes = 0",
        "size_bytes = 26214401",
        short,
        "content_type = 'EXE'",
        "state = 'GOOD'",
        "state = 'RELEASED'",
        "state = 'REJECTED', decided_at = 1",
        "decided_at = 1",
        "reject_reason = 'bad'",
        "file_name = ''",
        "file_name = 'a/b.pdf'",
        "file_name = '..pdf'",
        "person_id = id",
        "stored_as = person_id",
    ] {
        assert!(!set(broken).await, "{broken}");
    }
    world.stop().await;
}

/// A document that no upload has brought.
fn document(person: &pb::Person, state: DocumentState) -> Document {
    Document {
        id: DocumentId::new(),
        person_id: person.id.parse().expect("an id"),
        stored_as: StoredFileId::new(),
        file_name: "diploma.pdf".parse().expect("a name"),
        purpose: String::new(),
        size: 5,
        sha256: [7; 32],
        state,
        created_at: crate::example::start(),
    }
}

async fn insert(world: &World, documents: &[Document], due: &[NewTimer]) {
    let written = world.db.write_tx(|txn| async move {
        for document in documents {
            store::documents::insert(&txn, document).await?;
        }
        timers::schedule(&txn, due).await?;
        Ok::<_, Error>(())
    });
    written.await.expect("rows");
}
