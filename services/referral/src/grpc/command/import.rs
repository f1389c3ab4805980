//! The other end of `ImportBooks`: a file on the command line, sent to the running service.

use std::path::PathBuf;

use tokio::{fs::File, io::AsyncReadExt as _, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use vouch_proto::referral::v1::{
    self as pb, books_service_client::BooksServiceClient, import_books_request::Table, import_books_response::Part,
};
use vouch_runtime::{
    cli::{self, Failure},
    client,
    config::Common,
};
use vouch_storage::BoxError;

/// How much of the file a message carries.
const PIECE: usize = 128 * 1024;

/// What is to be imported.
#[derive(Clone, Debug, clap::Args)]
pub struct Import {
    /// What the rows are; in this order, the first before the others.
    #[arg(value_enum)]
    pub table: Rows,
    /// The CSV file.
    pub file: PathBuf,
    /// Say what would become of it, and keep nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Where this service is called, such as http://127.0.0.1:7104; by default where its configuration says it listens.
    #[arg(long, value_name = "URL")]
    pub at: Option<String>,
}

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Rows {
    /// Who vouched for whom.
    Referrals,
    /// What was paid for it.
    Paid,
    /// What was earned, and what was refunded of it.
    Earnings,
}

/// Rows were refused.
#[derive(Debug, thiserror::Error)]
#[error("{0} rows are refused")]
struct RowsRefused(u64);

/// Sends the file, and prints each row that is refused, with its line.
///
/// # Errors
/// If the file cannot be read, the service refuses, or rows are refused.
pub async fn import(service: &str, config: &Common, asked: &Import) -> Result<(), BoxError> {
    let channel = client::to_oneself(service, config, asked.at.as_deref())?;
    let file = File::open(&asked.file).await?;
    let (pieces, messages) = mpsc::channel(4);
    let feeding = tokio::spawn(feed(file, pieces, table(asked.table), asked.dry_run));
    let request = ReceiverStream::new(messages);
    let mut parts = BooksServiceClient::new(channel)
        .import_books(request)
        .await?
        .into_inner();
    let name = asked.file.display();
    while let Some(part) = parts.message().await? {
        match part.part {
            Some(Part::Progress(progress)) => tracing::info!(rows = progress.rows, "under way"),
            Some(Part::Refusal(it)) => print(format!(
                "{name}:{}: {}: {}: {}",
                it.line, it.column, it.reason, it.description
            ))?,
            Some(Part::End(end)) => {
                feeding.await??;
                let how = if asked.dry_run { "would be " } else { "" };
                print(format!(
                    "{} {how}new, {} known, {} refused",
                    end.new, end.known, end.refused
                ))?;
                return match end.refused {
                    0 => Ok(()),
                    refused => Err(RowsRefused(refused).into()),
                };
            }
            None => {}
        }
    }
    Err("the service has stopped before the end: send the file again".into())
}

fn print(line: String) -> Result<(), Failure> {
    cli::print(line)
}

const fn table(rows: Rows) -> Table {
    match rows {
        Rows::Referrals => Table::Referrals,
        Rows::Paid => Table::Paid,
        Rows::Earnings => Table::Earnings,
    }
}

async fn feed(
    mut file: File,
    pieces: mpsc::Sender<pb::ImportBooksRequest>,
    table: Table,
    dry_run: bool,
) -> Result<(), std::io::Error> {
    loop {
        let mut data = vec![0; PIECE];
        let read = file.read(&mut data).await?;
        data.truncate(read);
        let piece = pb::ImportBooksRequest {
            table: table.into(),
            dry_run,
            data,
            last: read == 0,
        };
        // Who has left says why in the answer.
        if pieces.send(piece).await.is_err() || read == 0 {
            return Ok(());
        }
    }
}
