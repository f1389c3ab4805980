//! Files of people to invite: every row counts once, however often the file is sent.

use std::fmt::Write as _;

use futures::{StreamExt, stream};
use tonic::{Code, Status};
use vouch_proto::invitation::v1::{self as pb, import_invitations_request::Content};
use vouch_testkit::{Engine, TestDatabase, on_both_databases, tools};

use crate::{
    tables::{count, counts, told},
    world::{World, fixed_terms, refusal, request_id, violations},
};

on_both_databases! {
    a_file_is_imported_line_by_line,
    the_same_file_again_sends_nothing_twice,
    a_dry_run_says_all_and_leaves_nothing,
    a_file_that_was_cut_off_is_resumed,
    a_file_that_cannot_be_read_is_refused,
}

fn import(client: &pb::Client) -> pb::ImportInvitationsRequest {
    pb::ImportInvitationsRequest {
        request_id: request_id(),
        client_id: client.id.clone(),
        talent_type: pb::TalentType::Freelancer.into(),
        content: Some(Content::ContractTerms(fixed_terms())),
        ..Default::default()
    }
}

fn file(rows: usize) -> String {
    let mut file = "recipient_email,recipient_name\n".to_owned();
    for nth in 0..rows {
        writeln!(file, "talent{nth}@example.com,Talent {nth}").expect("memory");
    }
    file
}

/// The file in pieces, of which the last one says so if it is `whole`.
fn messages(first: pb::ImportInvitationsRequest, file: &str, whole: bool) -> Vec<pb::ImportInvitationsRequest> {
    let pieces = file
        .as_bytes()
        .chunks(10_007)
        .map(|piece| pb::ImportInvitationsRequest {
            data: piece.to_vec(),
            ..Default::default()
        });
    let mut messages: Vec<_> = [first].into_iter().chain(pieces).collect();
    if let Some(last) = messages.last_mut() {
        last.last = whole;
    }
    messages
}

/// All answers, and how the stream ended.
async fn send(
    world: &World,
    first: pb::ImportInvitationsRequest,
    file: &str,
) -> (Vec<pb::ImportInvitationsResponse>, Result<(), Status>) {
    let messages = stream::iter(messages(first, file, true));
    let mut answers = match world.invitations.clone().import_invitations(messages).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return (Vec::new(), Err(status)),
    };
    let mut got = Vec::new();
    loop {
        match answers.next().await {
            Some(Ok(answer)) => got.push(answer),
            Some(Err(status)) => return (got, Err(status)),
            None => return (got, Ok(())),
        }
    }
}

async fn whole(world: &World, first: pb::ImportInvitationsRequest, file: &str) -> Vec<pb::ImportInvitationsResponse> {
    let (answers, end) = send(world, first, file).await;
    end.expect("a whole import");
    assert_eq!(answers.iter().filter(|answer| answer.done).count(), 1);
    assert!(answers.last().is_some_and(|answer| answer.done), "{answers:?}");
    answers
}

fn refusals(answers: &[pb::ImportInvitationsResponse]) -> Vec<(u64, String)> {
    let all = answers.iter().flat_map(|answer| &answer.refusals);
    all.map(|row| (row.line, row.refusal.clone().expect("a refusal").reason))
        .collect()
}

async fn a_file_is_imported_line_by_line(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.client(pb::Plan::Enterprise).await;
    let file = "\u{feff}personal_message, recipient_email ,recipient_name\r\n\
                \"Come,\nplease.\",ada@example.com,Ada Lovelace\r\n\
                ,nobody,\r\n\
                ,joan@example.com\r\n\
                \r\n\
                ,Ada@Example.com,Ada again\r\n\
                ,eve@example.com,";
    let request = pb::ImportInvitationsRequest {
        personal_message: "Let us go on.".to_owned(),
        ..import(&client)
    };
    let answers = whole(&world, request, file).await;
    let last = answers.last().expect("an answer");
    assert_eq!((last.line, last.accepted, last.refused), (8, 2, 3));
    let expected = [(4, "INVALID_REQUEST"), (5, "INVALID_REQUEST"), (7, "ADDRESS_REPEATED")];
    assert_eq!(
        refusals(&answers),
        expected.map(|(line, reason)| (line, reason.to_owned()))
    );
    let [ada, eve] = ["ada@example.com", "eve@example.com"]
        .map(|email| async { world.open_invitations(email).await.pop().expect("an invitation") });
    let (ada, eve) = (ada.await, eve.await);
    assert_eq!(
        (ada.recipient_name.as_str(), ada.personal_message.as_str()),
        ("Ada Lovelace", "Come,\nplease.")
    );
    assert_eq!(
        (eve.recipient_name.as_str(), eve.personal_message.as_str()),
        ("", "Let us go on.")
    );
    world.stop().await;
}

async fn the_same_file_again_sends_nothing_twice(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.client(pb::Plan::Enterprise).await;
    let (request, rows) = (import(&client), file(1_200) + "talent7@example.com,again\n");
    let first = whole(&world, request.clone(), &rows).await;
    let progress: Vec<_> = first
        .iter()
        .map(|answer| (answer.line, answer.accepted, answer.refused))
        .collect();
    assert_eq!(
        progress,
        [(501, 500, 0), (1_001, 1_000, 0), (1_202, 1_200, 1), (1_202, 1_200, 1)]
    );
    assert_eq!(
        refusals(&first),
        [(1_202, "ADDRESS_REPEATED".to_owned())],
        "also of another batch"
    );
    assert_eq!(whole(&world, request.clone(), &rows).await, first);
    assert_eq!(told::<pb::InvitationSent>(&world.db).await.len(), 1_200);
    assert_eq!(count(&world.db, "mail").await, 1_200);

    let other = rows.replace("Talent 700", "Talent 007");
    let (answers, end) = send(&world, request, &other).await;
    assert_eq!(answers.len(), 1, "the first batch is as it was");
    assert_eq!(
        refusal::<()>(end),
        (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned())
    );
    world.stop().await;
}

async fn a_dry_run_says_all_and_leaves_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let before = counts(&world.db).await;
    let request = pb::ImportInvitationsRequest {
        dry_run: true,
        ..import(&client)
    };
    let rows = file(600) + "talent7@example.com,again\n";
    let answers = whole(&world, request.clone(), &rows).await;
    let last = answers.last().expect("an answer");
    assert_eq!(
        (last.accepted, last.refused),
        (20, 581),
        "as many as the plan allows, over all batches"
    );
    assert_eq!(counts(&world.db).await, before);
    let really = pb::ImportInvitationsRequest {
        dry_run: false,
        ..request
    };
    let really = whole(&world, really, &rows).await;
    assert_eq!(refusals(&really), refusals(&answers), "what was said comes true");
    world.stop().await;
}

async fn a_file_that_was_cut_off_is_resumed(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.client(pb::Plan::Enterprise).await;
    let (request, rows) = (import(&client), file(1_200));
    // The stream ends in the midst of a row of the second batch, as if its caller had ended it.
    let (head, _) = rows.split_at(rows.find("talent700@example.com").expect("a row") + "talent700@example.co".len());
    let cut_off = stream::iter(messages(request.clone(), head, false));
    let answer = world.invitations.clone().import_invitations(cut_off).await;
    let mut answers = answer.expect("a stream").into_inner();
    let batch = answers.next().await.expect("an answer").expect("progress");
    assert_eq!((batch.accepted, batch.done), (500, false));
    let end = answers.next().await.expect("an end").map(|_| ());
    assert_eq!(violations(end), ["data INCOMPLETE"]);
    assert_eq!(count(&world.db, "invitation").await, 500);
    // Or its caller leaves.
    let left = stream::iter(messages(request.clone(), head, false)).chain(stream::pending());
    let answer = world.invitations.clone().import_invitations(left).await;
    let mut answers = answer.expect("a stream").into_inner();
    assert_eq!(answers.next().await.expect("an answer").expect("progress"), batch);
    drop(answers);
    let answers = whole(&world, request, &rows).await;
    assert_eq!(answers.last().expect("an answer").accepted, 1_200);
    assert_eq!(count(&world.db, "invitation").await, 1_200);
    world.stop().await;
}

async fn a_file_that_cannot_be_read_is_refused(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let before = counts(&world.db).await;
    let long = format!("recipient_email\n\"{}", "a".repeat(600_000));
    for (file, expected) in [
        ("", "data REQUIRED"),
        ("recipient_name\nAda\n", "data REQUIRED"),
        ("recipient_email,salary\nada@example.com,1\n", "data INVALID_FORMAT"),
        (&long, "data TOO_LONG"),
    ] {
        let (_, end) = send(&world, import(&client), file).await;
        assert_eq!(violations(end), [expected], "{}", &file[..file.len().min(50)]);
    }
    let nothing = pb::ImportInvitationsRequest {
        data: b"recipient_email\n".to_vec(),
        ..Default::default()
    };
    let (_, end) = send(&world, nothing, "recipient_email\n").await;
    let expected = [
        "request_id REQUIRED",
        "client_id REQUIRED",
        "talent_type REQUIRED",
        "content REQUIRED",
    ];
    assert_eq!(violations(end), expected);
    let strange = pb::ImportInvitationsRequest {
        client_id: "019c0000-0000-7000-8000-00000000acae".to_owned(),
        ..import(&client)
    };
    let (_, end) = send(&world, strange, "recipient_email\nada@example.com\n").await;
    assert_eq!(refusal::<()>(end), (Code::NotFound, "NOT_FOUND".to_owned()));
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

/// What this process, and the service in it, hold in memory.
fn resident_kib() -> u64 {
    tools::resident_kib(std::process::id())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 100,000 rows twice, about three minutes"]
async fn long_a_hundred_thousand_rows_are_queued_and_not_held_in_memory() {
    let world = World::new(TestDatabase::new(Engine::Sqlite).await).await;
    let client = world.client(pb::Plan::Enterprise).await;
    let request = import(&client);
    let dry = pb::ImportInvitationsRequest {
        dry_run: true,
        ..request.clone()
    };
    // The hashes of 80,000 addresses are 5 MiB of it.
    let grown = grown_by_import(&world, dry).await;
    assert!(grown < 20 * 1024, "a dry run has grown by {grown} KiB");
    assert_eq!(count(&world.db, "invitation").await, 0);
    // The bus of this test keeps all events, where NATS would have them: 80,000 times half a KiB.
    let grown = grown_by_import(&world, request).await;
    assert!(grown < 80 * 1024, "grown by {grown} KiB");
    assert_eq!(count(&world.db, "invitation").await, 100_000);
    world.stop().await;
}

/// How much memory the last four fifths of 100,000 rows have cost.
async fn grown_by_import(world: &World, request: pb::ImportInvitationsRequest) -> u64 {
    let rows = file(100_000);
    let messages = messages(request, &rows, true);
    let answer = world
        .invitations
        .clone()
        .import_invitations(stream::iter(messages))
        .await;
    let mut answers = answer.expect("a stream").into_inner();
    let (mut after_a_fifth, mut accepted) = (0, 0);
    while let Some(answer) = answers.next().await {
        accepted = answer.expect("progress").accepted;
        // The list of statements is this test's.
        world.asked_about("");
        if accepted == 20_000 {
            after_a_fifth = resident_kib();
        }
        if accepted % 10_000 == 0 {
            eprintln!("{accepted} rows, {} KiB", resident_kib());
        }
    }
    assert_eq!(accepted, 100_000);
    resident_kib().saturating_sub(after_a_fifth)
}
