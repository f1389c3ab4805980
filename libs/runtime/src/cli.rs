//! The command line of all four programs, and what stands around a running service: the runtime, telemetry, signals.
//!
//! A `main.rs` is a table of contents:
//!
//! ```ignore
//! use std::process::ExitCode;
//!
//! use vouch_payments::{Config, DEFAULTS, Service, events};
//! use vouch_runtime::cli::{self, Args, Command, Failure, Program};
//!
//! const PROGRAM: Program = Program {
//!     service: "payments",
//!     name: env!("CARGO_PKG_NAME"),
//!     version: env!("CARGO_PKG_VERSION"),
//!     about: "Contracts, earnings, the ledger and its balances.",
//! };
//!
//! fn main() -> ExitCode {
//!     cli::exit(run(&PROGRAM.parse()))
//! }
//!
//! fn run(args: &Args) -> Result<(), Failure> {
//!     let loaded = PROGRAM.load(args, DEFAULTS, Config::validate)?;
//!     let config = &loaded.config;
//!     match &args.command {
//!         Command::CheckConfig => cli::print("the configuration is good"),
//!         Command::PrintConfig => cli::print(loaded.render()),
//!         Command::Migrate => PROGRAM.migrate(&config.common, async { Service::migrate(config).await }),
//!         Command::Reconcile(asked) => PROGRAM.reconcile(&config.common, &events::router().subscriptions(), asked),
//!         Command::Serve => PROGRAM.serve(&config.common, async |stop| Service::build(config).await?.run(stop).await),
//!     }
//! }
//! ```

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use vouch_messaging::Subscription;

use crate::config::{Common, ConfigErrors, Layers, Loaded, TelemetryConfig};
use crate::reconcile::{self, Reconcile};
use crate::shutdown::Signals;
use crate::telemetry::{self, TelemetryError};

/// How long the last spans, metrics and logs may take to leave.
const FLUSH: Duration = Duration::from_secs(3);
/// Threads for blocking work: reading files, looking up names, flushing.
const BLOCKING_THREADS: usize = 8;

/// One of the four programs.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The service, such as `payments`: prefix of its variables, name of its stream.
    pub service: &'static str,
    /// The binary, such as `vouch-payments`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it does, in a line for `--help`.
    pub about: &'static str,
}

/// What was asked for on the command line.
#[derive(Debug, Parser)]
#[command(
    after_help = "Every setting has a default; `print-config` shows them all. A file and then environment variables \
                  (VOUCH_<SERVICE>__SECTION__KEY, or …__KEY_FILE for a secret in a file) override them.\n\
                  Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 130 stopped by a second signal."
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// A TOML file with settings that differ from the defaults.
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What a program can do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the service until SIGTERM or SIGINT; a second signal ends it at once.
    Serve,
    /// Create or update the tables, the event stream and its consumers, then exit.
    Migrate,
    /// Compare what the services that this one listens to have told with what was applied here, and name every event
    /// that is missing. Asks the running services: this one, and the others at their addresses in `[peers]`.
    Reconcile(Reconcile),
    /// Check the configuration and tell everything that is wrong with it.
    CheckConfig,
    /// Print the settings in force, and of those that are no defaults where they come from; secrets are masked.
    PrintConfig,
}

/// What one program can do beside what all can.
#[derive(Debug, Subcommand)]
pub enum Asked<Own: Subcommand> {
    /// What all can do.
    #[command(flatten)]
    Common(Command),
    /// What it alone can.
    #[command(flatten)]
    Own(Own),
}

/// What was asked for on the command line of a program that can do more than others.
#[derive(Debug, Parser)]
struct OwnArgs<Own: Subcommand> {
    #[command(subcommand)]
    command: Asked<Own>,
    /// A TOML file with settings that differ from the defaults.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why a program did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Logs, traces or metrics cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The system refused something a process needs.
    #[error("the process cannot be set up")]
    System(#[from] std::io::Error),
    /// The work itself failed.
    #[error(transparent)]
    Work(Box<dyn Error + Send + Sync>),
    /// A second signal came before the service had stopped.
    #[error("stopped by a second signal")]
    Impatience,
}

impl Program {
    /// Reads the command line; `--help`, `--version` and mistakes end the process here.
    pub fn parse(&self) -> Args {
        let command = Args::command().name(self.name).version(self.version).about(self.about);
        Args::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }

    /// The same for a program that can do more than others: what was asked for of its own, if anything was.
    pub fn parse_own<Own: Subcommand>(&self) -> (Args, Option<Own>) {
        let command = OwnArgs::<Own>::command()
            .name(self.name)
            .version(self.version)
            .about(self.about);
        let args = OwnArgs::<Own>::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
        let (command, own) = match args.command {
            Asked::Common(command) => (command, None),
            Asked::Own(own) => (Command::CheckConfig, Some(own)),
        };
        let config = args.config;
        (Args { command, config }, own)
    }

    /// Loads the configuration: defaults, `--config`, environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load<C: DeserializeOwned>(
        &self,
        args: &Args,
        defaults: &str,
        validate: impl FnOnce(&C) -> Vec<String>,
    ) -> Result<Loaded<C>, Failure> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
        let layers = Layers::new(self.service, defaults)
            .file(args.config.as_deref())
            .env(variables);
        Ok(layers.load(validate)?)
    }

    /// Runs a service with everything around it; `work` gets the token that the first signal cancels.
    ///
    /// # Errors
    /// When it cannot be set up, fails, or a second signal comes.
    pub fn serve<E>(
        &self,
        config: &Common,
        work: impl AsyncFnOnce(CancellationToken) -> Result<(), E>,
    ) -> Result<(), Failure>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.block_on(config, config.telemetry.clone(), work)
    }

    /// Runs a short task, such as `migrate`, with logs and traces, but without `/metrics`: a service may be using it.
    ///
    /// # Errors
    /// When it cannot be set up, fails, or is interrupted.
    pub fn migrate<E>(&self, config: &Common, work: impl Future<Output = Result<(), E>>) -> Result<(), Failure>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let telemetry = TelemetryConfig {
            metrics_listen: String::new(),
            ..config.telemetry.clone()
        };
        self.block_on(config, telemetry, async |stop: CancellationToken| {
            tokio::select! {
                result = work => result.map_err(Into::into),
                () = stop.cancelled() => Err("interrupted".into()),
            }
        })
    }

    /// Names every event that is missing here, of those that the service subscribes to.
    ///
    /// # Errors
    /// When something cannot be asked, or is missing.
    pub fn reconcile(&self, config: &Common, subscriptions: &[Subscription], asked: &Reconcile) -> Result<(), Failure> {
        self.migrate(
            config,
            reconcile::run(self.service, config, subscriptions, asked, print),
        )
    }

    fn block_on<E>(
        &self,
        config: &Common,
        telemetry: TelemetryConfig,
        work: impl AsyncFnOnce(CancellationToken) -> Result<(), E>,
    ) -> Result<(), Failure>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.server.worker_threads)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name(self.name)
            .enable_all()
            .build()?;
        let result = runtime.block_on(async {
            let telemetry = telemetry::init(self.service, self.version, &telemetry).await?;
            let mut signals = Signals::listen()?;
            let stop = CancellationToken::new();
            let impatience = async {
                signals.next().await;
                stop.cancel();
                signals.next().await;
            };
            let result = tokio::select! {
                result = work(stop.clone()) => result.map_err(|error| Failure::Work(error.into())),
                () = impatience => return Err(Failure::Impatience),
            };
            if let Err(error) = &result {
                tracing::error!(error = vouch_storage::describe(error), "failed");
            }
            telemetry.shutdown(FLUSH).await;
            result
        });
        // Whatever still runs has had its time.
        runtime.shutdown_background();
        result
    }
}

/// Writes a result to standard output. Logs go to standard error, so the two never mix.
///
/// # Errors
/// When nobody reads it.
pub fn print(text: impl AsRef<str>) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{}", text.as_ref().trim_end())?;
    Ok(())
}

/// Turns the end of a program into its exit status, and says why if it is not zero.
pub fn exit(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    // Nothing is left to do when standard error is closed, too.
    let _ = writeln!(std::io::stderr(), "error: {}", vouch_storage::describe(&failure));
    match failure {
        Failure::Config(_) => ExitCode::from(2),
        Failure::Impatience => ExitCode::from(130),
        Failure::Telemetry(_) | Failure::System(_) | Failure::Work(_) => ExitCode::FAILURE,
    }
}
