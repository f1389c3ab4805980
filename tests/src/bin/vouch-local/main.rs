//! The four services and a real nats-server on this machine: the demo, `make run`, and the test clock.

#![expect(clippy::print_stdout, reason = "what it tells is what it is for")]

mod demo;
mod run;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use vouch_testkit::Engine;

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
    #[arg(long, value_name = "FILE")]
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
    #[arg(long, env = "VOUCH_FIRST_PORT", default_value_t = 7101)]
    first_port: u16,
}

/// How far time moves.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct AdvanceArgs {
    /// By so much: 3months, 5days, 36hours, 90minutes.
    #[arg(long)]
    by: Option<String>,
    /// To this moment: 2026-01-01T00:00:00Z.
    #[arg(long)]
    to: Option<String>,
    /// The port of the first service.
    #[arg(long, env = "VOUCH_FIRST_PORT", default_value_t = 7101, group = "where")]
    first_port: u16,
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
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
