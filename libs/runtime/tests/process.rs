//! A service as the operator sees it: a process with a command line, signals and an exit status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use vouch_testkit::{NatsServer, Process, Signal, eventually, tools};

const PATIENCE: Duration = Duration::from_secs(20);

/// The example `minimal`, which is built with the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    test.ancestors()
        .nth(2)
        .expect("target/debug/deps")
        .join("examples/minimal")
}

fn output(args: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(program())
        .args(args)
        .envs(env.iter().copied())
        .output()
        .expect("started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Service {
    process: Process,
    port: u16,
}

impl Service {
    fn start(home: &Path, nats: &str) -> Self {
        let port = tools::free_port().expect("a port");
        let mut command = Command::new(program());
        command
            .arg("serve")
            .env("VOUCH_MINIMAL__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("VOUCH_MINIMAL__SERVER__SHUTDOWN_GRACE", "2s")
            .env("VOUCH_MINIMAL__NATS__URL", nats)
            .env(
                "VOUCH_MINIMAL__DATABASE__URL",
                format!("sqlite:{}", home.join("minimal.db").display()),
            )
            .env("VOUCH_MINIMAL__ACCESS__KEYS", home.join("keys"))
            .env("VOUCH_MINIMAL__MAIL__DIRECTORY", home.join("mail"));
        let process = Process::spawn("minimal", &command, &home.join("log")).expect("started");
        Self { process, port }
    }

    async fn health(&self, entry: &str) -> Result<ServingStatus, String> {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.port)).expect("an address");
        let channel = endpoint.connect().await.map_err(|error| error.to_string())?;
        let request = HealthCheckRequest {
            service: entry.to_owned(),
        };
        let answer = HealthClient::new(channel)
            .check(request)
            .await
            .map_err(|status| status.to_string())?;
        Ok(answer.into_inner().status())
    }

    async fn reaches(&self, entry: &str, wanted: ServingStatus) {
        eventually(entry, PATIENCE, async || match self.health(entry).await {
            Ok(status) if status == wanted => Ok(()),
            other => Err(format!("{other:?}; {}", self.process.last_words())),
        })
        .await;
    }

    fn resident_kib(&self) -> u64 {
        // Its id is that of `setpriv`, which becomes the program.
        tools::resident_kib(self.process.id().cast_unsigned())
    }
}

#[tokio::test]
async fn an_idle_service_is_small_follows_its_bus_and_stops_on_a_signal() {
    let home = tempfile::tempdir().expect("a directory");
    let mut nats = NatsServer::start().await.expect("a nats-server");
    let service = Service::start(home.path(), &nats.url());
    service.reaches("readiness", ServingStatus::Serving).await;
    let resident = service.resident_kib();
    // Not optimised, and with the contracts of all services in it, which reflection tells with their comments.
    assert!(resident < 44 * 1024, "{resident} KiB");
    service.reaches("bus", ServingStatus::Serving).await;
    nats.stop().await.expect("stopped");
    service.reaches("bus", ServingStatus::NotServing).await;
    service.reaches("readiness", ServingStatus::Serving).await;
    nats.restart().await.expect("restarted");
    service.reaches("bus", ServingStatus::Serving).await;
    let status = service
        .process
        .end_with(Signal::TERM, PATIENCE)
        .await
        .expect("it stops");
    assert!(status.success(), "{status}\n{}", service.process.last_words());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let home = tempfile::tempdir().expect("a directory");
    let nats = NatsServer::start().await.expect("a nats-server");
    let service = Service::start(home.path(), &nats.url());
    service.reaches("readiness", ServingStatus::Serving).await;
    // A connection that stays keeps the drain going until its time is up.
    let _silent = tokio::net::TcpStream::connect(("127.0.0.1", service.port))
        .await
        .expect("connected");
    service.process.signal(Signal::TERM);
    eventually("draining", PATIENCE, async || {
        let log = service.process.last_words();
        if log.contains("stopping") { Ok(()) } else { Err(log) }
    })
    .await;
    let status = service.process.end_with(Signal::INT, PATIENCE).await.expect("it ends");
    assert_eq!(status.code(), Some(130), "{}", service.process.last_words());
}

#[test]
fn configuration_mistakes_end_it_with_status_2_and_all_the_reasons() {
    let bad = output(
        &["check-config"],
        &[
            ("VOUCH_MINIMAL__SERVER__PORT", "1"),
            ("VOUCH_MINIMAL__CLOCK__TEST", "maybe"),
        ],
    );
    assert_eq!(bad.status.code(), Some(2));
    let told = text(&bad.stderr);
    assert!(
        told.contains("server.port: unknown key (from environment variable VOUCH_MINIMAL__SERVER__PORT)"),
        "{told}"
    );
    assert!(told.contains("clock.test: expected true or false"), "{told}");
    let good = output(&["check-config"], &[]);
    assert!(good.status.success());
    assert_eq!(text(&good.stdout), "the configuration is good\n");
}

#[test]
fn printing_the_configuration_goes_to_standard_output_alone() {
    let printed = output(&["print-config"], &[("VOUCH_MINIMAL__NATS__PASSWORD", "hunter2")]);
    assert!(printed.status.success());
    let shown = text(&printed.stdout);
    assert!(shown.contains("password = \"***\""), "{shown}");
    assert!(shown.contains("[peers]") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(text(&printed.stderr), "");
}

#[test]
fn help_tells_what_can_be_done() {
    let help = text(&output(&["--help"], &[]).stdout);
    for part in [
        "Does nothing, properly.",
        "serve",
        "migrate",
        "check-config",
        "print-config",
        "--config",
    ] {
        assert!(help.contains(part), "{part:?} is not in\n{help}");
    }
    assert!(text(&output(&["--version"], &[]).stdout).starts_with("vouch-minimal "));
    assert_eq!(output(&["sing"], &[]).status.code(), Some(2));
}

#[test]
fn a_port_that_is_taken_is_told() {
    let home = tempfile::tempdir().expect("a directory");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let database = format!("sqlite:{}", home.path().join("x.db").display());
    let env = [
        ("VOUCH_MINIMAL__SERVER__LISTEN", address.as_str()),
        ("VOUCH_MINIMAL__DATABASE__URL", &database),
    ];
    let failed = output(&["serve"], &env);
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        text(&failed.stderr).contains(&format!("cannot listen on {address}")),
        "{}",
        text(&failed.stderr)
    );
}

#[test]
fn a_certificate_that_cannot_be_read_is_named_at_the_start() {
    let home = tempfile::tempdir().expect("a directory");
    let (keys, absent) = (home.path().join("keys"), home.path().join("absent.pem"));
    let database = format!("sqlite:{}", home.path().join("minimal.db").display());
    let absent = absent.display().to_string();
    let output = output(
        &["serve"],
        &[
            ("VOUCH_MINIMAL__DATABASE__URL", &database),
            ("VOUCH_MINIMAL__ACCESS__KEYS", &keys.display().to_string()),
            ("VOUCH_MINIMAL__TLS__CERTIFICATE_FILE", &absent),
            ("VOUCH_MINIMAL__TLS__KEY_FILE", &absent),
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains(&format!("error: tls.certificate_file {absent}: ")),
        "{said}"
    );
}
