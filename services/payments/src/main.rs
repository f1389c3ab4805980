//! The program `vouch-payments`: `serve`, `migrate`, `reconcile`, `check-config`, `print-config`.

use std::process::ExitCode;

use vouch_payments::{Config, DEFAULTS, NAME, Service, events};
use vouch_runtime::cli::{self, Args, Command, Failure, Program};

const PROGRAM: Program = Program {
    service: NAME,
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    about: "Contracts, earnings and the double-entry ledger: where all money is booked.",
};

fn main() -> ExitCode {
    cli::exit(run(&PROGRAM.parse()))
}

fn run(args: &Args) -> Result<(), Failure> {
    let loaded = PROGRAM.load(args, DEFAULTS, Config::validate)?;
    let config = &loaded.config;
    match &args.command {
        Command::CheckConfig => cli::print("the configuration is good"),
        Command::PrintConfig => cli::print(loaded.render()),
        Command::Migrate => PROGRAM.migrate(&config.common, async { Service::migrate(config).await }),
        Command::Reconcile(asked) => PROGRAM.reconcile(&config.common, &events::router().subscriptions(), asked),
        Command::Serve => PROGRAM.serve(&config.common, async |stop| {
            Service::build(config).await?.run(stop).await
        }),
    }
}
