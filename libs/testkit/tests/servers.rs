//! The test kit's own suite: what other suites rely on without looking.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use vouch_testkit::{
    Engine, NatsServer, PostgresServer, Process, Signal, SmtpSink, TestDatabase, eventually, on_both_databases,
    smtp::Stage, tools,
};

const SOON: Duration = Duration::from_secs(10);

on_both_databases! { databases_are_apart }

async fn databases_are_apart(database: TestDatabase) {
    let other = TestDatabase::new(database.engine()).await;
    assert_ne!(database.url(), other.url());
}

fn psql(url: &str, sql: &str) -> Result<String, String> {
    let output = Command::new("psql")
        .args([url, "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-Atqc", sql])
        .output()
        .expect("psql");
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).expect("text").trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[tokio::test]
async fn a_postgres_database_is_empty_durable_and_gone_after_the_test() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let url = database.url().to_owned();
    assert_eq!(psql(&url, "show fsync").as_deref(), Ok("on"));
    assert_eq!(psql(&url, "show synchronous_commit").as_deref(), Ok("on"));
    assert_eq!(psql(&url, "show max_connections").as_deref(), Ok("300"));
    assert_eq!(
        psql(&url, "select count(*) from pg_tables where schemaname = 'public'").as_deref(),
        Ok("0")
    );
    let mut busy = Command::new("psql")
        .args([&url, "-c", "select pg_sleep(60)"])
        .spawn()
        .expect("psql");
    eventually("somebody is connected", SOON, async || {
        let connected = psql(
            &url,
            "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%'",
        )?;
        if connected == "2" { Ok(()) } else { Err(connected) }
    })
    .await;
    drop(database);
    assert!(psql(&url, "select 1").is_err_and(|error| error.contains("does not exist")));
    busy.wait().expect("psql was disconnected");
}

#[tokio::test]
async fn a_private_postgres_recovers_from_every_way_of_stopping() {
    let mut server = PostgresServer::start_private().await.expect("a server");
    let url = server.create_database("books").await.expect("a database");
    psql(&url, "create table entry (id int primary key)").expect("a table");
    for round in 0..3 {
        psql(&url, &format!("insert into entry values ({round})")).expect("a row");
        // A connection that computes does not look up to see whether the postmaster is still there.
        let count = "select count(*) from generate_series(1, 1000000000)";
        let busy = Command::new("psql").args([&url, "-qc", count]).spawn();
        let mut busy = busy.expect("psql");
        eventually("a connection computes", SOON, async || {
            let query = format!("select count(*) from pg_stat_activity where query = '{count}'");
            let computing = psql(&url, &query)?;
            if computing == "1" { Ok(()) } else { Err(computing) }
        })
        .await;
        match round {
            0 => server.stop().await.expect("stopped"),
            1 => server.stop_immediately().await.expect("aborted"),
            _ => server.kill().await.expect("killed"),
        }
        assert!(psql(&url, "select 1").is_err(), "round {round}");
        server.start_again().await.expect("started again");
        assert_eq!(psql(&url, "select count(*) from entry"), Ok((round + 1).to_string()));
        busy.wait().expect("psql was disconnected");
    }
    let (port, directory) = (server.port(), server.url("books"));
    drop(server);
    assert!(
        TcpStream::connect(("127.0.0.1", port)).is_err(),
        "{directory} still answers"
    );
}

#[tokio::test]
async fn nats_keeps_its_store_over_a_kill() {
    let mut nats = NatsServer::start().await.expect("nats-server");
    let made = request(
        &nats,
        "$JS.API.STREAM.CREATE.LEDGER",
        r#"{"name":"LEDGER","subjects":["ledger.>"],"storage":"file"}"#,
    );
    assert!(made.contains("\"did_create\":true"), "{made}");
    let stored = request(&nats, "ledger.entry", "one");
    assert!(stored.contains("\"seq\":1"), "{stored}");
    for round in 0..2 {
        if round == 0 {
            nats.kill().await.expect("killed")
        } else {
            nats.stop().await.expect("stopped")
        }
        assert!(TcpStream::connect(nats.url().trim_start_matches("nats://")).is_err());
        nats.start_again().await.expect("started again");
        let info = request(&nats, "$JS.API.STREAM.INFO.LEDGER", "");
        assert!(info.contains("\"messages\":1"), "round {round}: {info}");
    }
    nats.restart().await.expect("restarted");
}

/// One request in the protocol's own words, so that the test kit needs no client.
fn request(nats: &NatsServer, subject: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(nats.url().trim_start_matches("nats://")).expect("connected");
    stream.set_read_timeout(Some(SOON)).expect("a limit");
    let length = body.len();
    write!(
        stream,
        "CONNECT {{\"verbose\":false}}\r\nSUB answer 1\r\nPUB {subject} answer {length}\r\n{body}\r\n"
    )
    .expect("sent");
    let mut read = String::new();
    let mut buffer = [0; 4096];
    while !(read.contains("MSG answer 1 ") && read.ends_with("}\r\n")) {
        let count = stream.read(&mut buffer).expect("an answer");
        assert_ne!(count, 0, "closed after {read}");
        read.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    read
}

#[tokio::test]
async fn settings_that_nats_does_not_understand_are_told() {
    let error = NatsServer::start_with("nonsense {")
        .await
        .expect_err("refused")
        .to_string();
    assert!(error.contains("Parse error"), "{error}");
}

#[tokio::test]
async fn the_smtp_sink_takes_and_refuses() {
    let mut sink = SmtpSink::start().await.expect("a sink");
    sink.refuse_next(Stage::Recipient, "550 5.1.1 nobody here")
        .expect("planned");
    sink.refuse_next(Stage::Data, "451 4.7.1 later").expect("planned");
    for expected in ["550 5.1.1 nobody here", "451 4.7.1 later", "250 2.0.0 taken"] {
        let said = send(
            &sink,
            "Subject: =?utf-8?q?caf=C3=A9?=\r\nContent-Type: text/plain\r\n\r\nhello",
        );
        assert!(said.contains(expected), "{said}");
    }
    let attempts = sink.attempts().expect("records");
    assert_eq!(
        attempts.iter().map(|attempt| attempt.accepted()).collect::<Vec<_>>(),
        [false, false, true]
    );
    let taken = &sink.messages().expect("records")[0];
    assert_eq!(
        (taken.from.as_str(), taken.to.as_slice()),
        ("ada@example.com", &["bob@example.com".to_owned()][..])
    );
    assert_eq!((taken.header("subject"), taken.text.trim()), (Some("café"), "hello"));
    sink.stop().await.expect("stopped");
    assert!(TcpStream::connect(("127.0.0.1", sink.port())).is_err());
    sink.start_again().await.expect("started again");
    assert!(send(&sink, "\r\nagain").contains("250 2.0.0 taken"));
    assert_eq!(sink.messages().expect("records").len(), 2);
}

fn send(sink: &SmtpSink, message: &str) -> String {
    let stream = TcpStream::connect(("127.0.0.1", sink.port())).expect("connected");
    stream.set_read_timeout(Some(SOON)).expect("a limit");
    let mut said = String::new();
    let mut buffer = [0; 4096];
    let mut hear = |said: &mut String| {
        let count = (&stream).read(&mut buffer).expect("an answer");
        said.push_str(&String::from_utf8_lossy(&buffer[..count]));
    };
    hear(&mut said);
    for line in [
        "HELO test",
        "MAIL FROM:<ada@example.com>",
        "RCPT TO:<bob@example.com>",
        "DATA",
    ] {
        write!(&stream, "{line}\r\n").expect("sent");
        hear(&mut said);
        if said.contains("550") {
            return said;
        }
    }
    write!(&stream, "{message}\r\n.\r\n").expect("sent");
    hear(&mut said);
    said
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let ghost = Process::spawn(
        "ghost",
        &Command::new("/no/such/program"),
        &directory.path().join("log"),
    )
    .expect("setpriv");
    assert!(!ghost.ended(SOON).await.expect("ended").success());
    assert!(
        ghost.last_words().contains("/no/such/program"),
        "{}",
        ghost.last_words()
    );
    ghost.signal(Signal::KILL);
}

/// The outer test kills a copy of this test binary, which runs the test below and waits in it.
#[tokio::test]
async fn children_die_with_a_parent_that_is_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let told = directory.path().join("child");
    let mut parent = Command::new(std::env::current_exe().expect("this binary"));
    parent
        .args(["--exact", "helper::start_a_child_and_wait", "--ignored"])
        .env("VOUCH_TESTKIT_TELL", &told);
    let parent = Process::spawn("parent", &parent, &directory.path().join("log")).expect("started");
    let child: u32 = eventually("the child runs", SOON, async || {
        fs::read_to_string(&told)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| parent.last_words())
    })
    .await;
    let alive = || fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(alive());
    parent.end_with(Signal::KILL, SOON).await.expect("killed");
    eventually("the child is gone", SOON, async || {
        if alive() { Err("alive".to_owned()) } else { Ok(()) }
    })
    .await;
}

mod helper {
    use super::*;

    #[tokio::test]
    #[ignore = "a part of children_die_with_a_parent_that_is_killed"]
    async fn start_a_child_and_wait() {
        let Some(tell) = std::env::var_os("VOUCH_TESTKIT_TELL") else {
            return;
        };
        let directory = tempfile::tempdir().expect("a directory");
        let mut sleep = Command::new("sleep");
        let child = Process::spawn("sleep", sleep.arg("60"), &directory.path().join("log")).expect("started");
        let new = std::path::Path::new(&tell).with_extension("new");
        fs::write(&new, child.id().to_string())
            .and_then(|()| fs::rename(&new, &tell))
            .expect("told");
        child
            .ended(Duration::from_secs(60))
            .await
            .expect("the parent is killed before");
    }
}

#[test]
fn the_repository_is_found() {
    assert!(tools::repository().join("libs/testkit/Cargo.toml").is_file());
}
