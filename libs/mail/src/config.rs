//! Where mail goes.

use std::fmt;

use serde::{Deserialize, Serialize};
use vouch_primitives::EmailAddress;

/// Where mail goes. An empty text means "none".
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// To files, or to an SMTP server.
    pub transport: TransportKind,
    /// The sender's address; its domain also ends every `Message-ID`.
    pub from: String,
    /// For `files`: the directory of the `.eml` files, made when it is missing.
    pub directory: String,
    /// For `smtp`: the server's host name, which its certificate must bear.
    pub host: String,
    /// For `smtp`: its port; 587 is usual with `starttls`, 465 with `tls`.
    pub port: u16,
    /// For `smtp`: how the connection is encrypted.
    pub tls: Tls,
    /// For `smtp`: path of a PEM file with authorities to trust beside the well-known ones.
    pub ca_file: String,
    /// For `smtp`: user name, with `password`.
    pub user: String,
    /// Secret.
    pub password: String,
}

/// What carries mail away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportKind {
    /// Every mail becomes an `.eml` file: the embedded default.
    #[default]
    Files,
    /// An SMTP server.
    Smtp,
}

/// Encryption of the connection to the SMTP server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// None; for a server on the same machine.
    None,
    /// STARTTLS; a server that does not offer it gets no mail.
    #[default]
    StartTls,
    /// From the first byte.
    Tls,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            transport: TransportKind::Files,
            from: "no-reply@vouch.example".to_owned(),
            directory: "data/mail".to_owned(),
            host: String::new(),
            port: 587,
            tls: Tls::StartTls,
            ca_file: String::new(),
            user: String::new(),
            password: String::new(),
        }
    }
}

impl MailConfig {
    /// All that cannot work, as `key: reason`.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |good: bool, line: &str| {
            if !good {
                problems.push(line.to_owned());
            }
        };
        check(
            self.from.parse::<EmailAddress>().is_ok(),
            "mail.from: not an e-mail address",
        );
        match self.transport {
            TransportKind::Files => check(!self.directory.is_empty(), "mail.directory: must be given for files"),
            TransportKind::Smtp => {
                check(!self.host.is_empty(), "mail.host: must be given for smtp");
                check(self.port > 0, "mail.port: must not be 0");
                let login = self.user.is_empty() == self.password.is_empty();
                check(login, "mail.password: user and password belong together");
                let clear = self.tls == Tls::None && !self.password.is_empty();
                check(
                    !clear || is_this_machine(&self.host),
                    "mail.tls: a password needs starttls or tls",
                );
            }
        }
        problems
    }
}

impl fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailConfig")
            .field("transport", &self.transport)
            .field("from", &self.from)
            .field("directory", &self.directory)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("ca_file", &self.ca_file)
            .field("user", &self.user)
            .field("password", &if self.password.is_empty() { "" } else { "***" })
            .finish()
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_at_once() {
        let smtp = MailConfig {
            transport: TransportKind::Smtp,
            from: "nobody".to_owned(),
            port: 0,
            ..Default::default()
        };
        let told = smtp.validate();
        for key in ["mail.from", "mail.host", "mail.port"] {
            assert!(
                told.iter().any(|problem| problem.starts_with(key)),
                "{key} is not in {told:?}"
            );
        }
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(MailConfig::default().validate(), [""; 0]);
    }

    #[test]
    fn a_password_is_never_sent_in_the_clear_nor_shown() {
        let mut config = MailConfig {
            transport: TransportKind::Smtp,
            host: "smtp.example.com".to_owned(),
            tls: Tls::None,
            user: "vouch".to_owned(),
            password: "s3cret".to_owned(),
            ..Default::default()
        };
        assert_eq!(config.validate(), ["mail.tls: a password needs starttls or tls"]);
        config.host = "127.0.0.1".to_owned();
        assert_eq!(config.validate(), [""; 0]);
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
