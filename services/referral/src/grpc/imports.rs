//! `ImportBooks`: a CSV file comes in pieces, and is taken in batches of rows; what becomes of them is told meanwhile.

use std::{collections::BTreeSet, str::FromStr};

use csv::{ReaderBuilder, StringRecord, Trim};
use tokio::{sync::mpsc, time::Instant};
use tonic::{Status, Streaming};
use vouch_primitives::{Currency, InvalidId, Money, Timestamp};
use vouch_proto::{
    Fields, Violations,
    referral::v1::{
        self as pb,
        import_books_request::Table,
        import_books_response::{End, Part, Progress, Refusal},
    },
};
use vouch_runtime::grpc::pieces::{IDLE, next_piece, tell};

use super::books::refuse;
use crate::{
    app::{
        App,
        importing::{Earning, Importing, PaidElsewhere, Referral, Refused, Reversal, Row, Taken},
    },
    domain::{ReferralKind, RewardKind},
};

/// How large a file may be: it is held in memory, and a larger one is cut in two by whoever has it.
const LARGEST: usize = 64 << 20;

/// How many rows are taken in one transaction.
const ROWS: usize = 500;

/// An import whose first message has come.
pub(super) struct Begun {
    table: Table,
    dry_run: bool,
    first: pb::ImportBooksRequest,
    messages: Streaming<pb::ImportBooksRequest>,
}

/// An import whose file is there.
pub(super) struct Received {
    table: Table,
    dry_run: bool,
    file: Vec<u8>,
}

/// Reads what an import is about.
pub(super) async fn receive_first(mut messages: Streaming<pb::ImportBooksRequest>) -> Result<Begun, Status> {
    let first = messages.message().await?.unwrap_or_default();
    let (table, dry_run) = (first.table(), first.dry_run);
    if table == Table::Unspecified {
        return Err(refuse("table", "REQUIRED", "is required"));
    }
    Ok(Begun {
        table,
        dry_run,
        first,
        messages,
    })
}

impl Begun {
    /// Reads the whole file. One that ends before its last piece was cut off, and nothing of it is taken.
    pub(super) async fn receive(self) -> Result<Received, Status> {
        let Self {
            table,
            dry_run,
            first: mut piece,
            mut messages,
        } = self;
        let mut file = Vec::new();
        loop {
            if file.len() + piece.data.len() > LARGEST {
                return Err(refuse(
                    "data",
                    "OUT_OF_RANGE",
                    "comes to more than 64 MiB: cut the file in two",
                ));
            }
            file.append(&mut piece.data);
            if piece.last {
                // Lines end with a line feed and nothing else, the last one too.
                file.retain(|byte| *byte != b'\r');
                file.push(b'\n');
                return Ok(Received { table, dry_run, file });
            }
            piece = next_piece(&mut messages, "data", Instant::now() + IDLE).await?;
        }
    }
}

/// Takes the rows of a file.
pub(super) async fn run(
    app: &App,
    begun: Received,
    told: &mpsc::Sender<Result<pb::ImportBooksResponse, Status>>,
) -> Result<(), Status> {
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .comment(Some(b'#'))
        .from_reader(begun.file.as_slice());
    let columns = Columns::of(begun.table, reader.headers().map_err(unreadable)?.clone())?;
    let mut rows = Rows {
        import: app.import(begun.dry_run),
        told,
        read: Vec::with_capacity(ROWS),
        refused: Vec::new(),
        end: End::default(),
    };
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = line_of(&record, reader.position());
                match columns.row(&record) {
                    Ok(row) => rows.read.push((line, row)),
                    Err(violations) => rows.refuse(line, violations),
                }
            }
            Err(error) => match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    let line = reader.position().line().saturating_sub(1);
                    let mut fields = Fields::new();
                    fields.refuse("", "INVALID_FORMAT", format!("has {len} columns, not {expected_len}"));
                    rows.refuse(line, fields.into());
                }
                _ => return Err(unreadable(error)),
            },
        }
        if rows.are_many() && !rows.take().await? {
            return Ok(());
        }
    }
    if rows.take().await? {
        rows.tell(Part::End(rows.end)).await;
    }
    Ok(())
}

/// The line at which a record begins, when the reader stands at the beginning of the line after it.
fn line_of(record: &StringRecord, after: &csv::Position) -> u64 {
    let inside = record.as_slice().bytes().filter(|byte| *byte == b'\n').count();
    after.line().saturating_sub(u64::try_from(inside).unwrap_or(0) + 1)
}

/// Rows that were read and not taken yet.
struct Rows<'t> {
    import: Importing,
    told: &'t mpsc::Sender<Result<pb::ImportBooksResponse, Status>>,
    read: Vec<(u64, Row)>,
    refused: Vec<Refused>,
    end: End,
}

impl Rows<'_> {
    fn refuse(&mut self, line: u64, violations: Violations) {
        self.refused.extend(violations.0.into_iter().map(|violation| Refused {
            line,
            column: violation.field,
            reason: violation.reason,
            description: violation.description,
        }));
    }

    fn are_many(&self) -> bool {
        self.read.len() >= ROWS || self.refused.len() >= ROWS
    }

    /// Takes what was read, and tells what has become of it. Whether somebody is there to hear it.
    async fn take(&mut self) -> Result<bool, Status> {
        let mut taken = match self.read.is_empty() {
            true => Taken::default(),
            false => self.import.take(&self.read).await?,
        };
        self.read.clear();
        taken.refused.append(&mut self.refused);
        taken.refused.sort_by_key(|it| it.line);
        let lines: BTreeSet<_> = taken.refused.iter().map(|it| it.line).collect();
        self.end.new += taken.new;
        self.end.known += taken.known;
        self.end.refused += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        for it in taken.refused {
            let refusal = Refusal {
                line: it.line,
                column: it.column,
                reason: it.reason.to_owned(),
                description: it.description,
            };
            if !self.tell(Part::Refusal(refusal)).await {
                return Ok(false);
            }
        }
        let rows = self.end.new + self.end.known + self.end.refused;
        Ok(self.tell(Part::Progress(Progress { rows })).await)
    }

    async fn tell(&self, part: Part) -> bool {
        tell(self.told, Ok(pb::ImportBooksResponse { part: Some(part) })).await
    }
}

/// Where the columns of a table stand.
struct Columns {
    table: Table,
    headers: StringRecord,
}

impl Columns {
    fn of(table: Table, headers: StringRecord) -> Result<Self, Status> {
        let (wanted, optional): (&[&str], &[&str]) = match table {
            Table::Referrals => (
                &[
                    "referrer_person_id",
                    "referrer_account_id",
                    "referee_person_id",
                    "referee_account_id",
                    "joined_at",
                ],
                &["kind"],
            ),
            Table::Paid => (&["referee_person_id", "kind", "amount", "currency"], &[]),
            _ => (
                &[
                    "earning_id",
                    "person_id",
                    "account_id",
                    "client_id",
                    "contract_id",
                    "amount",
                    "currency",
                    "occurred_at",
                    "settled_at",
                ],
                &["refund_of"],
            ),
        };
        if let Some(missing) = wanted
            .iter()
            .find(|name| !headers.iter().any(|header| header == **name))
        {
            return Err(refuse("data", "REQUIRED", &format!("has no column {missing}")));
        }
        let known = |header: &&str| wanted.contains(header) || optional.contains(header);
        match headers.iter().find(|header| !known(header)) {
            Some(strange) => {
                let strange: String = strange.chars().take(50).collect();
                Err(refuse(
                    "data",
                    "INVALID_FORMAT",
                    &format!("has a column {strange:?} that is not known"),
                ))
            }
            None => Ok(Self { table, headers }),
        }
    }

    fn row(&self, record: &StringRecord) -> Result<Row, Violations> {
        let mut read = Read {
            columns: self,
            record,
            fields: Fields::new(),
        };
        let row = match self.table {
            Table::Referrals => read.referral(),
            Table::Paid => read.paid(),
            _ => read.earning(),
        };
        match row {
            Some(row) => read.fields.finish(row),
            None => Err(read.fields.into()),
        }
    }
}

/// A row, of which all that is wrong is noted.
struct Read<'r> {
    columns: &'r Columns,
    record: &'r StringRecord,
    fields: Fields,
}

impl Read<'_> {
    fn text(&self, column: &str) -> String {
        let place = self.columns.headers.iter().position(|header| header == column);
        place.and_then(|at| self.record.get(at)).unwrap_or_default().to_owned()
    }

    fn id<I: FromStr<Err = InvalidId>>(&mut self, column: &str) -> Option<I> {
        let text = self.text(column);
        self.fields.id(column, &text)
    }

    fn time(&mut self, column: &str) -> Option<Timestamp> {
        let text = self.text(column);
        let time = text.parse().ok();
        if time.is_none() {
            self.fields
                .refuse(column, "INVALID_FORMAT", "must be a date or an RFC 3339 moment");
        }
        time
    }

    fn money(&mut self) -> Option<Money> {
        let currency: Option<Currency> = {
            let text = self.text("currency");
            self.fields.currency("currency", &text)
        };
        let text = self.text("amount");
        match Money::parse_major(&text, currency?) {
            Ok(money) if (1..=Money::LARGEST_MINOR).contains(&money.minor) => Some(money),
            Ok(_) => {
                self.fields.refuse(
                    "amount",
                    "OUT_OF_RANGE",
                    "must be above zero, and not above 100 billion",
                );
                None
            }
            Err(error) => {
                self.fields.refuse("amount", "INVALID_FORMAT", error.to_string());
                None
            }
        }
    }

    fn referral(&mut self) -> Option<Row> {
        let kind = match self.text("kind").as_str() {
            "" => Some(ReferralKind::Friend),
            name => ReferralKind::of_name(name).filter(|kind| kind.attributes()),
        };
        if kind.is_none() {
            self.fields.refuse(
                "kind",
                "INVALID_FORMAT",
                "must be FRIEND, FREELANCER, THIRD_PARTY_SITE or AFFILIATE",
            );
        }
        let (referrer, referrer_account) = (self.id("referrer_person_id"), self.id("referrer_account_id"));
        let (referee, referee_account) = (self.id("referee_person_id"), self.id("referee_account_id"));
        let joined_at = self.time("joined_at");
        Some(Row::Referral(Referral {
            referrer: referrer?,
            referrer_account: referrer_account?,
            referee: referee?,
            referee_account: referee_account?,
            joined_at: joined_at?,
            kind: kind?,
        }))
    }

    fn paid(&mut self) -> Option<Row> {
        // What is paid for introductions has nobody's referral here that it could be taken off.
        let of_referral =
            |kind: &RewardKind| !matches!(kind, RewardKind::IntroductionCommission | RewardKind::ClientReward);
        let kind = RewardKind::of_name(&self.text("kind")).filter(of_referral);
        if kind.is_none() {
            self.fields.refuse(
                "kind",
                "INVALID_FORMAT",
                "must be LIFETIME_SHARE, WINDOW_BONUS or SIGN_UP_BONUS",
            );
        }
        let (referee, amount) = (self.id("referee_person_id"), self.money());
        Some(Row::Paid(PaidElsewhere {
            referee: referee?,
            kind: kind?,
            amount: amount?,
        }))
    }

    fn earning(&mut self) -> Option<Row> {
        let refund_of = self.text("refund_of");
        let (person, account) = (self.id("person_id"), self.id("account_id"));
        let (client, contract) = (self.id("client_id"), self.id("contract_id"));
        let (occurred_at, settled_at) = (self.time("occurred_at"), self.time("settled_at"));
        let amount = self.money();
        if refund_of.is_empty() {
            let id = self.id("earning_id");
            return Some(Row::Earning(Earning {
                id: id?,
                person: person?,
                account: account?,
                client: client?,
                contract: contract?,
                amount: amount?,
                occurred_at: occurred_at?,
                settled_at: settled_at?,
            }));
        }
        let (id, earning) = (self.id("earning_id"), self.id("refund_of"));
        Some(Row::Reversal(Reversal {
            id: id?,
            earning: earning?,
            person: person?,
            amount: amount?,
            reversed_at: settled_at?,
        }))
    }
}

fn unreadable(error: csv::Error) -> Status {
    let line = error
        .position()
        .map(|position| format!("line {}: ", position.line()))
        .unwrap_or_default();
    refuse("data", "INVALID_FORMAT", &format!("{line}{error}"))
}
