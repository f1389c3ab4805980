//! Printing the values in force, without what nobody may read.

use std::collections::BTreeMap;
use std::fmt::Write;

use toml::Value;

use super::{Origin, Setting};

const MASK: &str = "***";

/// Names that hold a secret; a key counts when its last part ends with one of them.
const SECRET_NAMES: [&str; 6] = [
    "password",
    "secret",
    "token",
    "seed",
    "private_key",
    "secret_access_key",
];

pub(super) fn is_secret(key: &str) -> bool {
    SECRET_NAMES.iter().any(|name| key.ends_with(name))
}

pub(super) fn render(values: &BTreeMap<String, Setting>) -> String {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    for (key, setting) in values {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        let comment = match &setting.origin {
            Origin::Default => String::new(),
            other => format!("  # {other}"),
        };
        let lines = sections.entry(section).or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{name} = {}{comment}", masked(key, &setting.value));
    }
    let mut text = String::new();
    for (section, lines) in sections {
        if !section.is_empty() {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{section}]");
        }
        text.push_str(&lines);
    }
    text
}

fn masked(key: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => value.clone(),
        _ if is_secret(key) => Value::String(MASK.to_owned()),
        Value::String(text) => Value::String(mask_url(text)),
        Value::Array(items) => Value::Array(items.iter().map(|item| masked(key, item)).collect()),
        other => other.clone(),
    }
}

/// Masks what a connection string carries: `user:password@` and `?password=`. It would rather hide too much.
fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let rest: String = rest.split_inclusive(['?', '&']).map(mask_parameter).collect();
    match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{scheme}://{name}:{MASK}@{host}"),
            // A lone user is how NATS writes a token.
            None if scheme == "nats" || scheme == "tls" => format!("{scheme}://{MASK}@{host}"),
            None => format!("{scheme}://{rest}"),
        },
        None => format!("{scheme}://{rest}"),
    }
}

fn mask_parameter(part: &str) -> String {
    match part.split_once('=') {
        Some((name, value)) if is_secret(name) => {
            format!("{name}={MASK}{}", if value.ends_with('&') { "&" } else { "" })
        }
        _ => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::mask_url;

    #[test]
    fn connection_strings_lose_their_passwords_only() {
        for (plain, shown) in [
            ("sqlite:data/payments.db", "sqlite:data/payments.db"),
            ("postgres://vouch@db/payments", "postgres://vouch@db/payments"),
            (
                "postgres://vouch:s3cr@t/x@db:5432/payments",
                "postgres://vouch:***@db:5432/payments",
            ),
            (
                "postgres:///payments?host=/run&password=pw&user=u",
                "postgres:///payments?host=/run&password=***&user=u",
            ),
            (
                "postgres://u:p?w@h/db?sslmode=require",
                "postgres://u:***@h/db?sslmode=require",
            ),
            ("postgres:///payments?password=p@w", "postgres:///payments?password=***"),
            ("nats://tok@127.0.0.1:4222", "nats://***@127.0.0.1:4222"),
            ("http://127.0.0.1:4317", "http://127.0.0.1:4317"),
        ] {
            assert_eq!(mask_url(plain), shown);
        }
    }
}
