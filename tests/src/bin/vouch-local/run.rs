//! `run` and `advance`.

use tokio::signal::unix::{SignalKind, signal};
use vouch_primitives::{Clock, SystemClock, Timestamp};
use vouch_suite::{Clients, Cluster, Error, SERVICES, TestClock, cluster::Plan};

use crate::{AdvanceArgs, RunArgs};

/// Keeps everything running until Ctrl-C or SIGTERM.
pub async fn run(args: &RunArgs) -> Result<(), Error> {
    let plan = Plan {
        engine: args.db.into(),
        test_clock: args.test_clock.then(|| SystemClock.now()),
        first_port: Some(args.first_port),
    };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let cluster = Cluster::start(plan, |what| eprintln!("{what} …")).await?;
    for (name, address) in SERVICES.iter().zip(cluster.addresses()) {
        println!("{name:>12}  {}", address.trim_start_matches("http://"));
    }
    println!("{:>12}  {}", "nats", cluster.nats.url().trim_start_matches("nats://"));
    println!("{:>12}  {}", "mail", cluster.mail().display());
    if args.test_clock {
        println!("{:>12}  stands still; `make advance BY=5days` moves it", "clock");
    }
    println!("Ctrl-C stops everything; the data goes with it.");
    let ended = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        error = cluster.first_to_end() => Err(error),
    };
    eprintln!("stopping …");
    cluster.stop().await?;
    ended
}

/// Moves the test clock of a running system.
pub async fn advance(args: &AdvanceArgs) -> Result<(), Error> {
    let addresses = std::array::from_fn(|index| {
        let port = usize::from(args.first_port) + index;
        format!("http://127.0.0.1:{port}")
    });
    let clock = TestClock::of(&Clients::connect(&addresses)?);
    let now = clock
        .now()
        .await
        .map_err(|error| format!("no system with a test clock answers: {error}"))?;
    let to = match (&args.by, &args.to) {
        (Some(by), _) => later(now, by)?,
        (None, Some(to)) => to.parse()?,
        (None, None) => return Err("say how far: --by or --to".into()),
    };
    if to < now {
        return Err(format!("the test clock is at {now} and cannot go back to {to}").into());
    }
    clock.advance_to(to, |at| println!("{at}")).await
}

/// The moment so much later: a number and a unit, such as `3months`.
fn later(now: Timestamp, by: &str) -> Result<Timestamp, Error> {
    let split = by.find(|c: char| !c.is_ascii_digit()).unwrap_or(by.len());
    let (number, unit) = by.split_at(split);
    let not_understood = || format!("{by:?} is not like 3months, 5days, 36hours or 90minutes");
    let number: u32 = number.parse().map_err(|_| not_understood())?;
    let seconds = |each: u64| now.saturating_add(std::time::Duration::from_secs(u64::from(number) * each));
    match unit.trim().trim_end_matches('s') {
        "month" => Ok(now.add_months_clamped(number)),
        "day" => Ok(now.add_days(number)),
        "hour" => Ok(seconds(3_600)),
        "minute" => Ok(seconds(60)),
        _ => Err(not_understood().into()),
    }
}
