//! The embedded default: every mail becomes a file.

use std::{fs, path::Path, time::Duration};

use vouch_mail::MailConfig;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::world::{World, invitation};

on_both_databases! { mails_become_files_that_sort_by_time, a_directory_that_cannot_be_written_is_tried_again }

fn into(directory: &Path) -> MailConfig {
    MailConfig {
        directory: directory.display().to_string(),
        ..MailConfig::default()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

async fn mails_become_files_that_sort_by_time(database: TestDatabase) {
    let world = World::new(database).await;
    let directory = tempfile::tempdir().unwrap();
    let mail_directory = directory.path().join("not/there/yet");
    let sender = world.sender_here(&into(&mail_directory));
    let mut expected = Vec::new();
    for (subject, stamp) in [
        ("first", "20260302T093000.000000Z"),
        ("second", "20260302T093000.000007Z"),
        ("third", "20260302T093000.000014Z"),
    ] {
        let mut mail = invitation();
        mail.letter.subject = subject.to_owned();
        let id = world.write(&mail).await.unwrap();
        let sent = world.sent(&mail).await;
        expected.push(format!("{stamp}-{id}.eml"));
        assert_eq!(&sent.attempts[0].reply, expected.last().unwrap());
        world.pass_time(Duration::from_micros(7));
    }
    sender.stop().await;
    assert_eq!(names(&mail_directory), expected);
    let second = fs::read_to_string(mail_directory.join(&expected[1])).unwrap();
    for line in [
        "Subject: second\r\n",
        "To: \"Grace Hopper\" <grace@example.org>\r\n",
        "Content-Type: multipart/alternative;",
    ] {
        assert!(second.contains(line), "{line:?} is not in {second}");
    }
}

async fn a_directory_that_cannot_be_written_is_tried_again(database: TestDatabase) {
    let world = World::new(database).await;
    let directory = tempfile::tempdir().unwrap();
    let in_the_way = directory.path().join("mail");
    fs::write(&in_the_way, "a file where the directory should be").unwrap();
    let _sender = world.sender_here(&into(&in_the_way));
    let mail = invitation();
    world.write(&mail).await.unwrap();
    world.attempted(&mail, 1).await;
    fs::remove_file(&in_the_way).unwrap();
    world.pass_time(Duration::from_secs(30));
    assert_eq!(world.sent(&mail).await.attempts.len(), 2);
    assert_eq!(names(&in_the_way).len(), 1);
}
