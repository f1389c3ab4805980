//! Configuration: what overrides what, and that every mistake is told at once, with its key, source and reason.

use std::io::Write;

use serde::Deserialize;
use vouch_runtime::config::{Common, ConfigErrors, Layers, Loaded, LogFormat};

const DEFAULTS: &str = include_str!("config.default.toml");
const PREFIX: &str = "VOUCH_PAYMENTS__";

/// What a service's own `Config` looks like.
#[derive(Debug, Deserialize)]
struct Config {
    #[serde(flatten)]
    common: Common,
    payments: Payments,
}

#[derive(Debug, Deserialize)]
struct Payments {
    review_days: u32,
}

/// Loads with a file of this text and variables named without their prefix.
fn load(file: &str, env: &[(&str, &str)]) -> Result<Loaded<Config>, ConfigErrors> {
    let defaults = format!("{DEFAULTS}\n[payments]\nreview_days = 14\n");
    let mut stored = tempfile::NamedTempFile::new().expect("a file");
    stored.write_all(file.as_bytes()).expect("written");
    let env = env
        .iter()
        .map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()));
    let others = [
        ("PATH".to_owned(), "/bin".to_owned()),
        ("VOUCH_REFERRAL__X".to_owned(), "1".to_owned()),
    ];
    Layers::new("payments", &defaults)
        .file(Some(stored.path()))
        .env(env.chain(others))
        .load(|config: &Config| config.common.validate())
}

fn problems(file: &str, env: &[(&str, &str)]) -> Vec<(String, String)> {
    let errors = load(file, env).expect_err("the configuration is bad");
    errors
        .0
        .into_iter()
        .map(|problem| (problem.key, problem.reason))
        .collect()
}

#[test]
fn the_defaults_are_good_by_themselves() {
    let config = load("", &[]).expect("good").config;
    assert_eq!(config.payments.review_days, 14);
    assert_eq!(config.common.server.deadline.as_secs(), 10);
    assert_eq!(config.common.peers["payments"], "http://127.0.0.1:7103");
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
    let file = "[server]\ndeadline = '7s'\nworker_threads = 3\n[payments]\nreview_days = 5";
    let env = [
        ("SERVER__WORKER_THREADS", "4"),
        ("TELEMETRY__LOG_FORMAT", "json"),
        ("NATS__REQUIRE_TLS", "true"),
        ("PEERS__PAYMENTS", "http://payments:7103"),
    ];
    let config = load(file, &env).expect("good").config;
    assert_eq!(config.common.server.deadline.as_secs(), 7);
    assert_eq!(config.common.server.worker_threads, 4);
    assert_eq!(config.common.telemetry.log_format, LogFormat::Json);
    assert!(config.common.nats.require_tls);
    assert_eq!(config.common.peers["payments"], "http://payments:7103");
    assert_eq!(config.payments.review_days, 5);
}

#[test]
fn every_mistake_of_every_layer_is_told_at_once() {
    let file = "[server]\nlisten = 7103\ndeadlin = '1s'\nkeep_alive = 'soon'\n[peers]\nreferral = 'http://x'";
    let env = [
        ("SERVER__MAX_MESSAGE_BYTES", "many"),
        ("TELEMETRY__LOG_FORMAT", "xml"),
        ("SERVER__PORT", "1"),
        ("PAYMENTS__REVIEW_DAYS", "-1"),
    ];
    let told = problems(file, &env);
    let reasons: Vec<_> = told
        .iter()
        .map(|(key, reason)| (key.as_str(), reason.as_str()))
        .collect();
    for expected in [
        ("server.listen", "expected a string, found an integer"),
        ("server.deadlin", "unknown key"),
        ("peers.referral", "unknown key"),
        ("server.max_message_bytes", "expected an integer"),
        ("server.port", "unknown key"),
    ] {
        assert!(reasons.contains(&expected), "{expected:?} is not in {reasons:#?}");
    }
    for (key, part) in [
        ("server.keep_alive", "expected a duration"),
        ("telemetry.log_format", "unknown variant `xml`"),
        ("payments.review_days", "-1"),
    ] {
        assert!(
            reasons.iter().any(|(k, r)| *k == key && r.contains(part)),
            "{key} is not in {reasons:#?}"
        );
    }
    assert_eq!(told.len(), 8, "{told:#?}");
}

#[test]
fn what_only_rules_can_see_names_its_source_too() {
    let env = [
        ("SERVER__WORKER_THREADS", "1"),
        ("CLOCK__START", "yesterday"),
        ("MAIL__FROM", "nobody"),
    ];
    let errors = load("[database]\nurl = 'mysql://x'", &env).expect_err("bad");
    let text = errors.to_string();
    for part in [
        "server.worker_threads: must be at least 2 (from environment variable VOUCH_PAYMENTS__SERVER__WORKER_THREADS)",
        "clock.start: not an RFC 3339 time (from environment variable",
        "clock.start: needs clock.test = true",
        "mail.from: not an e-mail address",
        "database.url: must start with sqlite: or postgres:// (from file /",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_told_with_the_rest() {
    assert_eq!(problems("[server", &[("SERVER__PORT", "1")]).len(), 2);
    let nowhere = Layers::new("payments", DEFAULTS).file(Some("/nowhere.toml".as_ref()));
    let told = nowhere.load(Common::validate).expect_err("no such file").to_string();
    assert!(
        told.starts_with("the configuration has a mistake\n  cannot be read: "),
        "{told}"
    );
    assert!(told.ends_with("(from file /nowhere.toml)"), "{told}");
}

#[test]
fn a_secret_may_come_from_a_file_but_not_from_two_places() {
    let mut secret = tempfile::NamedTempFile::new().expect("a file");
    writeln!(secret, "hunter2").expect("written");
    let path = secret.path().to_str().expect("a path");
    let config = load("", &[("NATS__PASSWORD_FILE", path)]).expect("good").config;
    assert_eq!(config.common.nats.password, "hunter2");
    // A key that ends in _file by itself is not taken for another one.
    let config = load("", &[("NATS__CA_FILE", "/ca.pem")]).expect("good").config;
    assert_eq!(config.common.nats.ca_file, "/ca.pem");
    let twice = problems("", &[("NATS__PASSWORD", "a"), ("NATS__PASSWORD_FILE", path)]);
    assert_eq!(twice.len(), 1);
    assert!(twice[0].1.starts_with("already given by"), "{twice:?}");
    let lost = problems("", &[("NATS__PASSWORD_FILE", "/nowhere")]);
    assert!(lost[0].1.contains("/nowhere"), "{lost:?}");
}

#[test]
fn printing_shows_the_sources_and_masks_the_secrets() {
    let env = [
        ("NATS__USER", "joe"),
        ("NATS__PASSWORD", "hunter2"),
        ("DATABASE__URL", "postgres://vouch:hunter3@db/payments?sslmode=require"),
    ];
    let loaded = load("[server]\ndeadline = '7s'", &env).expect("good");
    let printed = loaded.render();
    assert!(!printed.contains("hunter"), "{printed}");
    assert!(!format!("{loaded:?}").contains("hunter"), "{loaded:?}");
    assert!(
        printed.contains("url = \"postgres://vouch:***@db/payments?sslmode=require\"  # environment"),
        "{printed}"
    );
    assert!(printed.contains("deadline = \"7s\"  # file /"), "{printed}");
    // What is printed can be read again.
    let again: toml::Table = printed.parse().expect("toml");
    assert_eq!(again["payments"]["review_days"].as_integer(), Some(14));
}
