//! The four services and a real nats-server on this machine: the demo, `make run`, and the test clock.

#![expect(clippy::print_stdout, reason = "what it tells is what it is for")]

mod demo;
mod run;
mod signals;
mod storm;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum, value_parser};
use tonic::Status;
use vouch_suite::{Error, Nkeys};
use vouch_testkit::Engine;

use crate::signals::Interrupted;

/// The port of the first service unless another one is asked for.
const FIRST_PORT: u16 = 7101;
/// The last first port that leaves room for the other three.
const LAST_FIRST_PORT: i64 = 65_532;

/// Runs Vouch on this machine, on real parts.
#[derive(Debug, Parser)]
#[command(name = "vouch-local", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell the story of one referral and stop everything again.
    Demo(DemoArgs),
    /// Keep nats-server and the four services running until Ctrl-C.
    Run(RunArgs),
    /// Move the test clock of a running system, from due timer to due timer.
    Advance(AdvanceArgs),
    /// Kill processes of a fresh system while people use it, and compare the books with the answers.
    Storm(StormArgs),
    /// Print a token with which to call a running system.
    Token(TokenArgs),
    /// Make the keys of NATS' users in a directory, beside the permissions that a nats-server gives them.
    Nkeys(NkeysArgs),
}

/// How the demo is played and told.
#[derive(Debug, clap::Args)]
struct DemoArgs {
    /// A story for people, or one line of JSON for programs.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// The database.
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    db: Database,
    /// A CSV file of earnings: earning_id,referee,date,amount,currency,refund_of. Amounts are in major units.
    #[arg(long, value_name = "FILE", env = "VOUCH_INPUT")]
    input: Option<PathBuf>,
}

/// What is kept running.
#[derive(Debug, clap::Args)]
struct RunArgs {
    /// The database.
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    db: Database,
    /// Time stands still until `advance` moves it.
    #[arg(long)]
    test_clock: bool,
    /// The port of the first service (invitation); onboarding, payments and referral follow.
    #[arg(long, env = "VOUCH_FIRST_PORT", default_value_t = FIRST_PORT, value_parser = value_parser!(u16).range(1..=LAST_FIRST_PORT))]
    first_port: u16,
}

/// Which clock is moved, and how far.
#[derive(Debug, clap::Args)]
struct AdvanceArgs {
    #[command(flatten)]
    distance: Distance,
    /// The port of the first service.
    #[arg(long, env = "VOUCH_FIRST_PORT", default_value_t = FIRST_PORT, value_parser = value_parser!(u16).range(1..=LAST_FIRST_PORT))]
    first_port: u16,
}

/// How long it storms: until so many were killed, so many commands carried out.
#[derive(Debug, clap::Args)]
struct StormArgs {
    /// The database.
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    db: Database,
    /// So many processes are killed, at least.
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// So many commands are carried out, at least.
    #[arg(long, default_value_t = 0)]
    commands: u64,
    /// What chance does; a failing storm can be played again, though not to the same microsecond.
    #[arg(long)]
    seed: Option<u64>,
}

/// Whose token.
#[derive(Debug, clap::Args)]
struct TokenArgs {
    /// operator:<name>, client:<id>, person:<id> or service:<name>; `operator` alone is operator:local.
    #[arg(long = "as", value_name = "SUBJECT", value_parser = subject)]
    subject: String,
    /// How long it is good for.
    #[arg(long, default_value_t = 12, value_parser = value_parser!(u64).range(1..=8_760))]
    hours: u64,
}

/// Where the keys go.
#[derive(Debug, clap::Args)]
struct NkeysArgs {
    /// The directory. What is there stays: a user keeps its key.
    directory: PathBuf,
}

fn subject(text: &str) -> Result<String, String> {
    let subject = if text == "operator" { "operator:local" } else { text };
    match subject.parse::<vouch_runtime::access::Caller>() {
        Ok(_) => Ok(subject.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// How far time moves: one of the two.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Distance {
    /// By so much: a whole number of months, days, hours or minutes, such as 3months, 1day, 36hours, 90minutes.
    #[arg(long)]
    by: Option<String>,
    /// To this moment, RFC 3339 or a date (its first moment in UTC): 2026-01-15T09:30:00Z, 2026-01-15.
    #[arg(long)]
    to: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

impl From<Database> for Engine {
    fn from(database: Database) -> Self {
        match database {
            Database::Sqlite => Self::Sqlite,
            Database::Postgres => Self::Postgres,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Demo(args) => demo::demo(&args).await,
        Command::Run(args) => run::run(&args).await,
        Command::Advance(args) => run::advance(&args).await,
        Command::Storm(args) => storm::storm(&args).await,
        Command::Token(args) => run::token(&args),
        Command::Nkeys(args) => Nkeys::make(&args.directory).map(drop),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("{error}");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// A status prints everything that came with it, headers too; what the service said is enough.
fn told(error: &Error) -> String {
    match error.downcast_ref::<Status>() {
        Some(status) => format!("{}: {}", status.code(), status.message()),
        None => error.to_string(),
    }
}
