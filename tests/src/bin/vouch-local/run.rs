//! `run`, `advance` and `token`.

use std::{path::Path, time::Duration};

use tonic::{Code, Status};
use vouch_primitives::{Clock, SystemClock, Timestamp};
use vouch_runtime::access::{Caller, issue};
use vouch_suite::{
    Clients, Cluster, Error, SERVICES, TestClock,
    cluster::{Plan, access},
};

use crate::{AdvanceArgs, FIRST_PORT, RunArgs, TokenArgs, signals::Signals};

/// The keys of the running system stay from one run to the next, so that tokens do.
const KEYS: &str = "data/keys";

/// Keeps everything running until Ctrl-C or SIGTERM.
pub async fn run(args: &RunArgs) -> Result<(), Error> {
    let plan = Plan {
        test_clock: args.test_clock.then(|| SystemClock.now()),
        first_port: Some(args.first_port),
        keys: Some(KEYS.into()),
        ..Plan::new(args.db.into())
    };
    let mut signals = Signals::listen()?;
    let starting = Cluster::start(plan, |what| eprintln!("{what} …"));
    let cluster = signals.unless_interrupted(starting).await?;
    for (name, address) in SERVICES.iter().zip(cluster.addresses()) {
        println!("{name:>12}  {}", address.trim_start_matches("http://"));
    }
    println!("{:>12}  {}", "nats", cluster.nats.url().trim_start_matches("nats://"));
    println!("{:>12}  {}", "mail", cluster.mail().display());
    if args.test_clock {
        let port = match args.first_port {
            FIRST_PORT => String::new(),
            other => format!("PORT={other} "),
        };
        println!("{:>12}  stands still; `make advance {port}BY=5days` moves it", "clock");
    }
    println!("Ctrl-C stops everything; the data goes with it.");
    let ended = tokio::select! {
        () = signals.next() => Ok(()),
        error = cluster.first_to_end() => Err(error),
    };
    eprintln!("stopping …");
    signals.unless_interrupted(cluster.stop()).await?;
    ended
}

/// Moves the test clock of a running system.
pub async fn advance(args: &AdvanceArgs) -> Result<(), Error> {
    let addresses = std::array::from_fn(|index| {
        let port = usize::from(args.first_port) + index;
        format!("http://127.0.0.1:{port}")
    });
    // Whoever has run nothing here has no keys to be let in with.
    if !Path::new(KEYS).join("identity.key").exists() {
        return Err(nothing_answers(args.first_port));
    }
    let clock = TestClock::of(&Clients::connect(&addresses, &access(Path::new(KEYS)))?);
    let now = clock.now().await.map_err(|error| no_clock(error, args.first_port))?;
    let to = match (&args.distance.by, &args.distance.to) {
        (Some(by), _) => later(now, by)?,
        (None, Some(to)) => to.parse().map_err(|_| {
            format!("{to:?} is neither a moment such as 2026-01-15T09:30:00Z nor a date such as 2026-01-15")
        })?,
        (None, None) => return Err("say how far: --by or --to".into()),
    };
    if to < now {
        return Err(format!("the test clock is at {now} and cannot go back to {to}").into());
    }
    clock.advance_to(to, |at| println!("{at}")).await
}

fn nothing_answers(first_port: u16) -> Error {
    let last = first_port.saturating_add(3);
    format!("nothing answers on 127.0.0.1, ports {first_port} to {last}: is `make run TEST_CLOCK=1` going?").into()
}

fn no_clock(error: Error, first_port: u16) -> Error {
    match error.downcast_ref::<Status>().map(Status::code) {
        Some(Code::Unavailable) => nothing_answers(first_port),
        Some(Code::Unimplemented) => "the system runs on the process clock: start it with TEST_CLOCK=1".into(),
        _ => error,
    }
}

/// The moment so much later: a number and a unit, such as `3months`.
fn later(now: Timestamp, by: &str) -> Result<Timestamp, Error> {
    let split = by.find(|c: char| !c.is_ascii_digit()).unwrap_or(by.len());
    let (number, unit) = by.split_at(split);
    let not_understood = || format!("{by:?} is not like 3months, 5days, 36hours or 90minutes");
    let number: u32 = number.parse().map_err(|_| not_understood())?;
    let seconds = |each: u64| now.saturating_add(Duration::from_secs(u64::from(number) * each));
    match unit.trim() {
        "month" | "months" => Ok(now.add_months_clamped(number)),
        "day" | "days" => Ok(now.add_days(number)),
        "hour" | "hours" => Ok(seconds(3_600)),
        "minute" | "minutes" => Ok(seconds(60)),
        _ => Err(not_understood().into()),
    }
}

/// Prints a token for somebody, signed with the keys of `run`.
pub fn token(args: &TokenArgs) -> Result<(), Error> {
    let caller: Caller = args.subject.parse()?;
    let lasting = Duration::from_secs(args.hours * 3600);
    println!("{}", issue(&access(Path::new(KEYS)), &caller, lasting)?);
    Ok(())
}
