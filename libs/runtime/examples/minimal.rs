//! The smallest service: no rule, no table of its own, but all that every service has. The four services have the
//! same `main`; their tests start this one to see how a process behaves.

use std::process::ExitCode;

use sea_orm_migration::{MigrationTrait, MigratorTrait};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use vouch_runtime::chassis::{self, Chassis, ChassisError};
use vouch_runtime::cli::{self, Args, Command, Failure, Program};
use vouch_runtime::config::Common;

const PROGRAM: Program = Program {
    service: "minimal",
    name: "vouch-minimal",
    version: env!("CARGO_PKG_VERSION"),
    about: "Does nothing, properly.",
};
const DEFAULTS: &str = include_str!("../tests/config.default.toml");

fn main() -> ExitCode {
    cli::exit(run(&PROGRAM.parse()))
}

fn run(args: &Args) -> Result<(), Failure> {
    let loaded = PROGRAM.load(args, DEFAULTS, |config: &Config| config.common.validate())?;
    let common = &loaded.config.common;
    match &args.command {
        Command::CheckConfig => cli::print("the configuration is good"),
        Command::PrintConfig => cli::print(loaded.render()),
        Command::Migrate => PROGRAM.migrate(common, chassis::migrate::<Migrator>("minimal", common, &[])),
        // It listens to nobody.
        Command::Reconcile(asked) => PROGRAM.reconcile(common, &[], asked),
        Command::Serve => PROGRAM.serve(common, async |stop| serve(common, stop).await),
    }
}

async fn serve(config: &Common, stop: CancellationToken) -> Result<(), ChassisError> {
    Chassis::connect::<Migrator>("minimal", config)
        .await?
        .mail()
        .run(stop)
        .await
}

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(flatten)]
    common: Common,
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        [
            vouch_storage::migrations(),
            vouch_messaging::migrations(),
            vouch_mail::migrations(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
