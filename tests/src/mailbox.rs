//! The e-mails that the services wrote to files, as a mail programme would show them.

use std::{fs, path::PathBuf};

use mail_parser::MessageParser;

use crate::Error;

/// The directories of outgoing mail.
#[derive(Clone, Debug)]
pub struct Mailbox {
    directories: Vec<PathBuf>,
}

/// One e-mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The address that it went to.
    pub to: String,
    /// Whom it came from, as a mail programme shows it.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// The plain-text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// Where the file is.
    pub file: PathBuf,
}

impl Mailbox {
    /// The mail in these directories.
    #[must_use]
    pub fn new(directories: Vec<PathBuf>) -> Self {
        Self { directories }
    }

    /// All mail to an address, the oldest first.
    ///
    /// # Errors
    /// If a directory or a mail cannot be read.
    pub fn to(&self, address: &str) -> Result<Vec<Mail>, Error> {
        let mut files = Vec::new();
        for directory in self.directories.iter().filter(|directory| directory.exists()) {
            for entry in fs::read_dir(directory)? {
                files.push(entry?.path());
            }
        }
        files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
        files.sort_by_key(|file| file.file_name().map(ToOwned::to_owned));
        let mails: Vec<Mail> = files.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(mails.into_iter().filter(|mail| mail.to == address).collect())
    }

    /// The newest mail to an address that holds a link with a token, and the token.
    ///
    /// # Errors
    /// If there is none.
    pub fn token(&self, address: &str) -> Result<String, Error> {
        let mails = self.to(address)?;
        let newest = mails.iter().rev().find_map(Mail::token);
        newest.ok_or_else(|| format!("no mail to {address} with a token, {} without", mails.len()).into())
    }
}

impl Mail {
    /// The token in the link of the plain-text part.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        let (_, rest) = self.text.split_once("#token=")?;
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            .unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    }
}

fn read(file: PathBuf) -> Result<Mail, Error> {
    let raw = fs::read(&file)?;
    let unreadable = || format!("{} is not an e-mail", file.display());
    let message = MessageParser::default().parse(&raw).ok_or_else(unreadable)?;
    let address = |list: Option<&mail_parser::Address<'_>>| {
        list.and_then(|list| list.first()).map(|first| {
            let address = first.address().unwrap_or_default().to_owned();
            (
                first
                    .name()
                    .map_or_else(|| address.clone(), |name| format!("{name} <{address}>")),
                address,
            )
        })
    };
    let (_, to) = address(message.to()).ok_or_else(unreadable)?;
    let (from, _) = address(message.from()).ok_or_else(unreadable)?;
    Ok(Mail {
        to,
        from,
        subject: message.subject().unwrap_or_default().to_owned(),
        text: message.body_text(0).unwrap_or_default().into_owned(),
        html: message.body_html(0).unwrap_or_default().into_owned(),
        file,
    })
}
