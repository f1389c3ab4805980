//! TLS between services: who is let in, whom they trust, and what is said about files that cannot be used.

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use support::{Scripted, Served, channel, config, scripted, signer};
use tokio::net::TcpListener;
use tonic::{Code, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use vouch_proto::payments::v1::earning_service_client::EarningServiceClient;
use vouch_proto::payments::v1::{GetEarningRequest, GetEarningResponse};
use vouch_runtime::config::{Common, ConfigErrors, Layers, TlsConfig};
use vouch_runtime::server::Server;
use vouch_runtime::{Peer, Tls};
use vouch_testkit::Authority;

/// The settings of somebody with a certificate of `issuer` who trusts those of `trusted`.
fn settings(issuer: Option<&Authority>, trusted: &Authority) -> TlsConfig {
    let mut settings = TlsConfig {
        ca_file: trusted.ca_file(),
        ..TlsConfig::default()
    };
    if let Some(issuer) = issuer {
        let own = issuer.issue("own");
        settings.certificate_file = own.certificate_file;
        settings.key_file = own.key_file;
    }
    settings
}

fn read(settings: &TlsConfig) -> Tls {
    Tls::read(settings).expect("good files")
}

fn server(tls: Tls) -> Server {
    support::server(&config(""))
        .with(Scripted::server(async |_| Ok(())))
        .tls(tls)
}

/// A server with a certificate of `authority`, which checks those of its callers.
async fn served(authority: &Authority, require_client_certificate: bool) -> Served {
    let settings = TlsConfig {
        require_client_certificate,
        ..settings(Some(authority), authority)
    };
    Served::start(server(read(&settings))).await
}

async fn call(scheme: &str, address: SocketAddr, tls: &Tls) -> Result<GetEarningResponse, Status> {
    let peers = BTreeMap::from([("test".to_owned(), format!("{scheme}://{address}"))]);
    let peer = Peer::connect(&peers, "test", tls, signer("operator:test")).expect("a peer");
    let answer = EarningServiceClient::new(peer)
        .get_earning(GetEarningRequest::default())
        .await;
    answer.map(Response::into_inner)
}

async fn is_refused(scheme: &str, address: SocketAddr, tls: &Tls) {
    let status = call(scheme, address, tls).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn calls_go_over_tls_to_whom_our_authority_vouches_for() {
    let (ours, other) = (Authority::new(), Authority::new());
    let served = served(&ours, false).await;
    assert_eq!(
        call("https", served.address, &read(&settings(None, &ours)))
            .await
            .expect("answered"),
        scripted()
    );
    is_refused("https", served.address, &read(&settings(None, &other))).await;
    is_refused("http", served.address, &read(&settings(None, &ours))).await;

    let plain = Served::start(server(Tls::default())).await;
    assert_eq!(
        call("http", plain.address, &Tls::default()).await.expect("answered"),
        scripted()
    );
    is_refused("https", plain.address, &read(&settings(None, &ours))).await;
}

#[tokio::test]
async fn a_caller_needs_a_certificate_where_one_is_required() {
    let (ours, other) = (Authority::new(), Authority::new());
    let strict = served(&ours, true).await;
    assert_eq!(
        call("https", strict.address, &read(&settings(Some(&ours), &ours)))
            .await
            .expect("answered"),
        scripted()
    );
    is_refused("https", strict.address, &read(&settings(None, &ours))).await;
    is_refused("https", strict.address, &read(&settings(Some(&other), &ours))).await;

    let lenient = served(&ours, false).await;
    for caller in [None, Some(&ours)] {
        let tls = read(&settings(caller, &ours));
        assert_eq!(
            call("https", lenient.address, &tls).await.expect("answered"),
            scripted()
        );
    }
    is_refused("https", lenient.address, &read(&settings(Some(&other), &ours))).await;
}

#[tokio::test]
async fn probes_in_plaintext_see_health_and_nothing_else() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let probes = listener.local_addr().expect("an address");
    let strict = TlsConfig {
        require_client_certificate: true,
        ..settings(Some(&authority), &authority)
    };
    let server = server(read(&strict)).health_on(listener);
    server.health().set_ready(true).await;
    let served = Served::start(server).await;

    let readiness = HealthCheckRequest {
        service: "readiness".to_owned(),
    };
    let answer = HealthClient::new(channel(probes).await).check(readiness).await;
    assert_eq!(answer.expect("answered").into_inner().status, 1);
    let refused = call("http", probes, &Tls::default()).await.expect_err("not served");
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
    assert_eq!(
        call("https", served.address, &read(&strict)).await.expect("answered"),
        scripted()
    );
    served.stop().await;
    assert!(
        tokio::net::TcpStream::connect(probes).await.is_err(),
        "it still listens"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_key() {
    let authority = Authority::new();
    let good = settings(Some(&authority), &authority);
    read(&good);
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.display().to_string()
    };
    let garbage = file("garbage", "hello");
    let hollow = file(
        "hollow",
        "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
    );
    let foreign = authority.issue("foreign").key_file;
    let with = |change: &dyn Fn(&mut TlsConfig)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings
    };
    let absent = "/nowhere/at.all".to_owned();
    for (settings, key, path) in [
        (
            with(&|it| it.certificate_file.clone_from(&absent)),
            "tls.certificate_file",
            &absent,
        ),
        (
            with(&|it| it.certificate_file.clone_from(&garbage)),
            "tls.certificate_file",
            &garbage,
        ),
        (with(&|it| it.key_file.clone_from(&absent)), "tls.key_file", &absent),
        (with(&|it| it.key_file.clone_from(&garbage)), "tls.key_file", &garbage),
        (with(&|it| it.key_file.clone_from(&foreign)), "tls.key_file", &foreign),
        (with(&|it| it.ca_file.clone_from(&absent)), "tls.ca_file", &absent),
        (with(&|it| it.ca_file.clone_from(&garbage)), "tls.ca_file", &garbage),
        (with(&|it| it.ca_file.clone_from(&hollow)), "tls.ca_file", &hollow),
    ] {
        let error = Tls::read(&settings).expect_err(key).to_string();
        assert!(error.starts_with(&format!("{key} {path}: ")), "{error}");
    }
}

fn problems(env: &[(&str, &str)]) -> Vec<String> {
    let env = env
        .iter()
        .map(|(key, value)| (format!("VOUCH_TEST__{key}"), (*value).to_owned()));
    let layers = Layers::new("test", include_str!("config.default.toml")).env(env);
    match layers.load(Common::validate) {
        Ok(_) => Vec::new(),
        Err(ConfigErrors(problems)) => problems.into_iter().map(|problem| problem.key).collect(),
    }
}

#[test]
fn settings_that_need_others_say_so() {
    let (certificate, key) = (("TLS__CERTIFICATE_FILE", "a.pem"), ("TLS__KEY_FILE", "a.key"));
    let (ca, required) = (("TLS__CA_FILE", "ca.pem"), ("TLS__REQUIRE_CLIENT_CERTIFICATE", "true"));
    let secure = ("PEERS__PAYMENTS", "https://payments:7103");
    assert_eq!(problems(&[certificate, key, ca, required, secure]), [""; 0]);
    assert_eq!(problems(&[certificate]), ["tls.certificate_file"]);
    assert_eq!(problems(&[key]), ["tls.certificate_file"]);
    assert_eq!(
        problems(&[certificate, key, required]),
        ["tls.require_client_certificate"]
    );
    assert_eq!(problems(&[ca, required]), ["tls.require_client_certificate"]);
    assert_eq!(problems(&[secure]), ["peers.payments"]);
    assert_eq!(problems(&[("SERVER__HEALTH_LISTEN", "7110")]), ["server.health_listen"]);
}
