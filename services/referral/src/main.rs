//! `vouch-referral`: serve, migrate, reconcile, import, rebuild, check-config, print-config.

use std::process::ExitCode;

use vouch_referral::{Config, DEFAULTS, NAME, Service, events, grpc::command};
use vouch_runtime::cli::{self, Args, Command, Failure, Program};

const PROGRAM: Program = Program {
    service: NAME,
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    about: "Who vouched for whom, what they are due for it, and why.",
};

/// What this program alone can do.
#[derive(Debug, clap::Subcommand)]
enum Own {
    /// Take in books that were kept elsewhere, from a CSV file, and name every row that is refused. Asks the running service. Sending
    /// a file again does no harm.
    Import(command::Import),
    /// Compute the books anew, and name every difference to those in use, which stay open. Asks the running service.
    Rebuild(command::Rebuild),
}

fn main() -> ExitCode {
    let (args, own) = PROGRAM.parse_own::<Own>();
    cli::exit(run(&args, own))
}

fn run(args: &Args, own: Option<Own>) -> Result<(), Failure> {
    let loaded = PROGRAM.load(args, DEFAULTS, Config::validate)?;
    let config = &loaded.config;
    match own {
        Some(Own::Import(asked)) => {
            return PROGRAM.migrate(&config.common, command::import(NAME, &config.common, &asked));
        }
        Some(Own::Rebuild(asked)) => {
            let subscriptions = events::router().subscriptions();
            return PROGRAM.migrate(
                &config.common,
                command::rebuild(NAME, &config.common, subscriptions, &asked),
            );
        }
        None => {}
    }
    match &args.command {
        Command::CheckConfig => cli::print("the configuration is good"),
        Command::PrintConfig => cli::print(loaded.render()),
        Command::Migrate => PROGRAM.migrate(&config.common, Service::migrate(config)),
        Command::Reconcile(asked) => PROGRAM.reconcile(&config.common, &events::router().subscriptions(), asked),
        Command::Serve => PROGRAM.serve(&config.common, async |stop| {
            Service::build(config).await?.run(stop).await
        }),
    }
}
