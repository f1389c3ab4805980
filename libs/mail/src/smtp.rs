//! Mail to an SMTP server.
//!
//! The connections are kept here and not in lettre's own pool: that one takes back a connection whose conversation was
//! cut off by a time limit, and the next mail would hear the answer to the last one. Here, a connection is kept only
//! after an answer that ended its conversation. Opening a connection apart from sending also tells a server that does
//! not let us in, which is no fault of the mail, from one that refuses the mail.

use std::{path::Path, sync::Mutex, time::Duration};

use lettre::{
    Message,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        extension::ClientId,
        response::Response,
    },
};
use tokio::time::{Instant, timeout};
use vouch_storage::describe;

use crate::{MailConfig, MailError, Tls, sender::Refusal};

/// The longest that one mail may take, connecting included. Less than a claimed row stays claimed.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// How long a connection may idle before it is not used again; servers hang up after a minute or more.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// An SMTP server, and the connections to it that wait for work.
pub(crate) struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    parameters: TlsParameters,
    credentials: Option<Credentials>,
    hello: ClientId,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    pub(crate) fn try_new(config: &MailConfig) -> Result<Self, MailError> {
        let mut parameters = TlsParameters::builder(config.host.clone());
        if !config.ca_file.is_empty() {
            for certificate in certificates(Path::new(&config.ca_file))? {
                parameters = parameters.add_root_certificate(certificate);
            }
        }
        let parameters = parameters
            .build_rustls()
            .map_err(|error| MailError::Configuration(describe(&error)))?;
        let login = || Credentials::new(config.user.clone(), config.password.clone());
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            tls: config.tls,
            parameters,
            credentials: (!config.user.is_empty()).then(login),
            hello: ClientId::default(),
            idle: Mutex::default(),
        })
    }

    /// Hands the message over and gives the server's reply.
    pub(crate) async fn deliver(&self, message: &Message) -> Result<String, Refusal> {
        let late = |_| Refusal::Temporary(format!("the server took longer than {} s", TIME_LIMIT.as_secs()));
        // A connection that is cut off by the limit is dropped with the future that holds it.
        timeout(TIME_LIMIT, self.converse(message)).await.map_err(late)?
    }

    /// Says goodbye on all connections that wait.
    pub(crate) async fn close(&self) {
        while let Some((mut connection, _)) = self.take_idle() {
            // Who does not answer to a goodbye is left.
            let _ = timeout(Duration::from_secs(1), connection.quit()).await;
        }
    }

    async fn converse(&self, message: &Message) -> Result<String, Refusal> {
        let connected = self.connection().await;
        let mut connection = connected.map_err(|error| Refusal::Temporary(describe(&error)))?;
        let reply = connection
            .send(message.envelope(), &message.formatted())
            .await
            .map_err(refusal)?;
        self.waiting().push((connection, Instant::now()));
        Ok(text_of(&reply))
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, Error> {
        while let Some((mut connection, since)) = self.take_idle() {
            if since.elapsed() < IDLE_LIMIT && connection.test_connected().await {
                return Ok(connection);
            }
        }
        let wrapped = (self.tls == Tls::Tls).then(|| self.parameters.clone());
        let address = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, Some(TIME_LIMIT), &self.hello, wrapped, None).await?;
        if self.tls == Tls::StartTls {
            connection.starttls(self.parameters.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    fn take_idle(&self) -> Option<(AsyncSmtpConnection, Instant)> {
        self.waiting().pop()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
        // Nothing can panic while the list is held, and a list of connections has no state to spoil.
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What a failure after the connection stood means for the mail.
fn refusal(error: Error) -> Refusal {
    let reason = describe(&error);
    // 530 "authentication required" is about us. What lettre itself cannot send, it can never send.
    let about_us = error.status().is_some_and(|code| u16::from(code) == 530);
    if error
        .status()
        .is_some_and(|code| is_no_mailbox(u16::from(code), &reason))
    {
        Refusal::NoMailbox(reason)
    } else if (error.is_permanent() && !about_us) || error.is_client() {
        Refusal::Permanent(reason)
    } else {
        Refusal::Temporary(reason)
    }
}

/// Whether a server says that there is no such mailbox: by the enhanced code that most servers add (RFC 3463: 5.1.x is
/// about the address, 5.2.1 about a mailbox that is closed), else by one of the old codes for it. 550 alone is said of
/// unwanted content, too, mostly with 5.7.x.
fn is_no_mailbox(code: u16, reply: &str) -> bool {
    let enhanced = reply.split(|c: char| !c.is_ascii_digit() && c != '.').find(|word| {
        let parts: Vec<_> = word.split('.').collect();
        parts.len() == 3 && parts[0] == "5" && parts.iter().all(|part| !part.is_empty() && part.len() <= 3)
    });
    match enhanced {
        Some(enhanced) => enhanced.starts_with("5.1.") || enhanced == "5.2.1",
        None => [550, 551, 553].contains(&code),
    }
}

fn text_of(reply: &Response) -> String {
    let lines: Vec<&str> = reply.message().collect();
    format!("{} {}", reply.code(), lines.join(" "))
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, MailError> {
    let bad = |reason: String| MailError::Configuration(format!("mail.ca_file {}: {reason}", file.display()));
    let pem = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    let end = "-----END CERTIFICATE-----";
    let certificates: Result<Vec<_>, _> = pem
        .split_inclusive(end)
        .filter(|part| part.contains(end))
        .map(|part| Certificate::from_pem(part.as_bytes()))
        .collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(bad("has no certificate".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(bad(describe(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::is_no_mailbox;

    #[test]
    fn no_mailbox_is_told_from_no_thanks() {
        for (code, reply, expected) in [
            (
                550,
                "permanent error (550): 5.1.1 <ada@example.com>: no such user",
                true,
            ),
            (553, "5.1.3 bad destination mailbox address syntax", true),
            (550, "5.2.1 mailbox disabled", true),
            (550, "no such user", true),
            (551, "user not local", true),
            (550, "5.7.1 message looks like spam, see 10.1.2.3", false),
            (552, "5.2.2 mailbox full", false),
            (554, "transaction failed", false),
            (421, "try later", false),
        ] {
            assert_eq!(is_no_mailbox(code, reply), expected, "{code} {reply}");
        }
    }
}
