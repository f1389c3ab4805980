//! What was answered, what is in the books, and the oracle that compares the two.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use sea_orm::{FromQueryResult, Statement};
use serde_json::{Value, json};
use tokio::process::Command;
use vouch_primitives::Uuid;
use vouch_proto::common::v1 as common;
use vouch_storage::{DatabaseConfig, Db};
use vouch_testkit::tools::python;

use crate::{Error, Story, story::fixed_milestones};

/// The answers, one JSON object a line, in the order in which they came.
pub struct Answers {
    directory: PathBuf,
    file: Mutex<File>,
    noted: AtomicU64,
}

impl Answers {
    pub fn new(directory: &Path) -> Result<Self, Error> {
        Ok(Self {
            directory: directory.to_owned(),
            file: Mutex::new(File::create(directory.join("answers.jsonl"))?),
            noted: AtomicU64::new(0),
        })
    }

    pub fn note(&self, answer: &Value) -> Result<(), Error> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{answer}")?;
        self.noted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// How many answers there are: one for each command.
    pub fn commands(&self) -> u64 {
        self.noted.load(Ordering::Relaxed)
    }

    /// Lets the oracle compare, and says what it said. Where the books differ, both sides are kept.
    pub async fn compare(&self, state: &Value) -> Result<String, Error> {
        let (answers, books) = (self.directory.join("answers.jsonl"), self.directory.join("books.json"));
        fs::write(&books, state.to_string())?;
        let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("storm/oracle.py");
        let output = Command::new(python()?)
            .arg(oracle)
            .args([&answers, &books])
            .output()
            .await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let kept = tempfile::Builder::new().prefix("vouch-storm-").tempdir()?.keep();
        fs::copy(&answers, kept.join("answers.jsonl"))?;
        fs::copy(&books, kept.join("books.json"))?;
        let told = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "the books differ from the answers, both are in {}:\n{told}",
            kept.display()
        )
        .into())
    }
}

/// What referral and payments say about the referrals and the contracts.
pub async fn programme(story: &Story, referrers: &[&str], contracts: &[String]) -> Result<Value, Error> {
    let mut attributions = Vec::new();
    for referrer in referrers {
        for attribution in story.attributions(referrer).await? {
            for total in &attribution.totals {
                attributions.push(json!({
                    "referrer": referrer, "person": attribution.referee_person_id,
                    "currency": total.earnings.as_ref().map(|money| money.currency_code.clone()),
                    "earnings": minor(total.earnings.as_ref()), "window": minor(total.window_earnings.as_ref()),
                    "share": minor(total.lifetime_share.as_ref()), "bonus": minor(total.bonus.as_ref()),
                }));
            }
        }
    }
    let mut milestones = Vec::new();
    for contract in contracts {
        let contract = story.contract(contract).await?;
        for milestone in fixed_milestones(&contract) {
            milestones.push(json!({
                "contract": contract.id, "id": milestone.id, "state": milestone.state().as_str_name(),
                "minor": minor(milestone.amount.as_ref()), "earning": milestone.earning_id,
            }));
        }
    }
    Ok(json!({"attributions": attributions, "milestones": milestones}))
}

fn minor(money: Option<&common::Money>) -> i64 {
    money.map_or(0, |money| money.minor_units)
}

#[derive(FromQueryResult)]
struct Row {
    kind: String,
    owner_id: Uuid,
    currency: String,
    moved: i64,
    balance: Option<i64>,
}

/// The ledger as its tables have it: each account with the sum of its transfers (credits less debits) and its balance.
pub async fn ledger(url: &str) -> Result<Value, Error> {
    let config = DatabaseConfig {
        url: url.to_owned(),
        max_connections: 5,
    };
    let database = Db::connect(&config).await?;
    let sql = "SELECT a.kind, a.owner_id, a.currency, b.amount_minor AS balance, CAST(\
        (SELECT COALESCE(SUM(amount_minor), 0) FROM transfer WHERE credit_account_id = a.id) - \
        (SELECT COALESCE(SUM(amount_minor), 0) FROM transfer WHERE debit_account_id = a.id) AS BIGINT) AS moved \
        FROM ledger_account a LEFT JOIN balance b ON b.account_id = a.id";
    let rows = Row::find_by_statement(Statement::from_string(database.backend(), sql))
        .all(database.reader())
        .await?;
    database.close().await?;
    let rows = rows.into_iter().map(|row| {
        let (owner, currency) = (row.owner_id, row.currency);
        json!({"kind": row.kind, "owner": owner, "currency": currency, "moved": row.moved, "balance": row.balance})
    });
    Ok(rows.collect())
}
