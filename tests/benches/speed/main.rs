//! How fast the house is, and how fast its parts are by themselves: `make bench`.
//!
//! Everything is real: nats-server with its files, SQLite as services open it, PostgreSQL with fsync. Two services, the
//! bus and the database share the processors with whoever measures, as they do on a small machine.
//!
//! | file | measures |
//! |---|---|
//! | [`path`] | earnings that wait on the stream until they are posted; how long one takes; NATS by itself |
//! | [`tape`] | the statements of that path once more, by themselves |
//! | [`lookups`] | tokens that open nothing, by what became of them |
//! | [`calls`] | unary calls, one transaction each; transactions that share commits |
//! | [`touches`] | clicks on links, in one line and each by itself |
//! | [`monday`] | the Monday close of hourly contracts, and its statements by themselves |
//! | [`stored`] | the path beside few earnings and beside many |
//! | [`scene`], [`stage`] | whom it is about, and where it plays |
//! | [`report`] | the table, the JSON, the picture |

#![expect(clippy::print_stdout, reason = "what it tells is what it is for")]

mod calls;
mod lookups;
mod monday;
mod path;
mod report;
mod scene;
mod stage;
mod stored;
mod tape;
mod touches;

use std::{env, path::PathBuf, process::ExitCode, sync::Arc};

use tokio::time::Instant;
use vouch_suite::Error;
use vouch_testkit::Engine;

use crate::{
    report::{Report, load, micros},
    scene::Scene,
    stage::Stage,
    tape::{Score, Tape},
    touches::Way,
};

/// How much is done, so that all of it takes about half an hour, or less than a minute.
struct Size {
    name: &'static str,
    earnings: usize,
    referees: usize,
    calls: usize,
    contracts: usize,
    /// How many earnings are stored already: few, and many.
    stored: [usize; 2],
    runs: usize,
}

const FULL: Size = Size {
    name: "full",
    earnings: 200_000,
    referees: 4_000,
    calls: 20_000,
    contracts: 100_000,
    stored: [10_000, 5_000_000],
    runs: 3,
};
const SMALL: Size = Size {
    name: "small",
    earnings: 4_000,
    referees: 400,
    calls: 500,
    contracts: 2_000,
    stored: [1_000, 20_000],
    runs: 1,
};

/// How many callers wait for an answer at the same time.
const CALLERS: [usize; 2] = [1, 64];

#[tokio::main]
async fn main() -> ExitCode {
    match measure().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", vouch_storage::describe(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<(), Error> {
    let mut size = match env::var("VOUCH_BENCH_SIZE").as_deref() {
        Ok("small") => SMALL,
        _ => FULL,
    };
    if let Ok(earnings) = env::var("VOUCH_BENCH_EARNINGS").unwrap_or_default().parse() {
        size.earnings = earnings;
    }
    let only = env::var("VOUCH_BENCH_ONLY").unwrap_or_default();
    let scene = Scene::new(size.referees);
    let mut report = Report {
        size: size.name,
        earnings: size.earnings,
        referees: size.referees,
        processors: std::thread::available_parallelism()?.get(),
        lines: Vec::new(),
    };
    let wanted = |part: &str| part.contains(&only);
    if wanted("bus") {
        bus(&mut report, &size, &scene).await?;
    }
    for engine in Engine::BOTH {
        let mut rate = 0;
        for batch in [64, 512] {
            if wanted(&format!("path {engine} {batch}")) {
                rate = accrual(&mut report, &size, &scene, engine, batch).await?;
            }
        }
        if rate > 0 {
            latency(&mut report, &size, &scene, engine, rate / 2).await?;
        }
        if wanted(&format!("stored {engine}")) {
            stored(&mut report, &size, &scene, engine).await?;
        }
        if wanted(&format!("calls {engine}")) {
            writes(&mut report, &size, engine).await?;
        }
        if wanted(&format!("monday {engine}")) {
            monday(&mut report, &size, engine).await?;
        }
        if wanted(&format!("lookups {engine}")) {
            lookups(&mut report, &size, engine).await?;
        }
        if wanted(&format!("touches {engine}")) {
            clicks(&mut report, &size, &scene, engine).await?;
        }
        if wanted(&format!("commits {engine}")) {
            commits(&mut report, &size, engine).await?;
        }
    }
    println!("{}", report.table());
    let directory = env::var("VOUCH_BENCH_OUT").map_or_else(|_| PathBuf::from("target/bench"), PathBuf::from);
    report.write(&directory)?;
    eprintln!("wrote {}", directory.display());
    Ok(())
}

/// The path and its database by itself, in turn.
async fn accrual(report: &mut Report, size: &Size, scene: &Scene, engine: Engine, batch: usize) -> Result<u64, Error> {
    let tapes = [Arc::new(Tape::default()), Arc::new(Tape::default())];
    path::throughput(engine, scene, size.earnings, batch, Some(&tapes)).await?;
    let scores = tapes.map(|tape| tape.score());
    let (mut whole, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..size.runs {
        let busy = load();
        whole.push((path::throughput(engine, scene, size.earnings, batch, None).await?, busy));
        let busy = load();
        alone.push((replay(engine, scene, scores.clone()).await?, busy));
    }
    let database = engine.to_string();
    let commits: usize = scores.iter().map(Score::commits).sum();
    let rate = report.rate(
        &format!("earnings, batches of {batch}"),
        &database,
        size.earnings,
        &whole,
    );
    let what = format!("database alone, {commits} transactions");
    report.rate(&what, &database, size.earnings, &alone);
    report.compare();
    Ok(rate)
}

/// The path beside few stored earnings and beside many.
async fn stored(report: &mut Report, size: &Size, scene: &Scene, engine: Engine) -> Result<(), Error> {
    let count = size.earnings / 10;
    let taken = stored::in_turn(engine, scene, size.stored, (count, 512, size.runs + 2)).await?;
    for (stored, runs) in size.stored.iter().zip(&taken) {
        let what = format!("earnings beside {stored} stored");
        report.rate(&what, &engine.to_string(), count, runs);
    }
    Ok(())
}

/// The Monday close and its database by itself, in turn. The first close comes before anything was recorded, so that the memory it
/// takes is its own.
async fn monday(report: &mut Report, size: &Size, engine: Engine) -> Result<(), Error> {
    let worked = monday::Worked::new(size.contracts)?;
    let busy = load();
    let first = monday::close(engine, &worked, None).await?;
    let memory = [(first.memory, busy.clone())];
    let (mut whole, mut alone) = (vec![(first.took, busy)], Vec::new());
    let tape = Arc::new(Tape::default());
    monday::close(engine, &worked, Some(&tape)).await?;
    let batches = monday::batches(&tape);
    let transactions = batches.iter().filter(|batch| batch.len() > 1).count();
    // Two are enough of what takes minutes.
    for run in 0..size.runs.min(2) {
        if run > 0 {
            let busy = load();
            whole.push((monday::close(engine, &worked, None).await?.took, busy));
        }
        let busy = load();
        // What a transaction has done that was tried again is on the tape twice, and such a tape cannot be played.
        match monday::replay(engine, &worked, batches.clone()).await {
            Ok(took) => alone.push((took, busy)),
            Err(error) => eprintln!("the tape cannot be played: {error}"),
        }
    }
    let database = engine.to_string();
    report.rate("monday close, contracts", &database, size.contracts, &whole);
    if !alone.is_empty() {
        let what = format!("database alone, {transactions} transactions");
        report.rate(&what, &database, size.contracts, &alone);
        report.compare();
    }
    report.memory("monday close, memory", &database, &memory);
    Ok(())
}

/// How long both databases need by themselves, at the same time.
async fn replay(engine: Engine, scene: &Scene, [referral, payments]: [Score; 2]) -> Result<u64, Error> {
    let stage = Stage::set(engine, scene, None).await?;
    let begin = Instant::now();
    let (referral_db, payments_db) = (stage.referral.clone(), stage.payments.clone());
    let other = tokio::spawn(async move { payments.play(&payments_db).await });
    tokio::spawn(async move { referral.play(&referral_db).await }).await??;
    other.await??;
    Ok(micros(begin.elapsed()))
}

async fn latency(report: &mut Report, size: &Size, scene: &Scene, engine: Engine, rate: u64) -> Result<(), Error> {
    let count = size.earnings.min(usize::try_from(rate)?.saturating_mul(10));
    let (mut middle, mut late) = (Vec::new(), Vec::new());
    for _ in 0..size.runs {
        let busy = load();
        let taken = path::latencies(engine, scene, count, rate).await?;
        let at = |percent: usize| {
            taken
                .get((taken.len() * percent / 100).min(taken.len() - 1))
                .copied()
                .unwrap_or(0)
        };
        middle.push((at(50), busy.clone()));
        late.push((at(99), busy));
    }
    let database = engine.to_string();
    report.time(&format!("earned to posted at {rate}/s, p50"), &database, &middle);
    report.time(&format!("earned to posted at {rate}/s, p99"), &database, &late);
    Ok(())
}

async fn bus(report: &mut Report, size: &Size, scene: &Scene) -> Result<(), Error> {
    let (mut published, mut pulled) = (Vec::new(), Vec::new());
    for _ in 0..size.runs {
        let busy = load();
        let (publish, pull) = path::bus_alone(scene, size.earnings).await?;
        published.push((publish, busy.clone()));
        pulled.push((pull, busy));
    }
    report.rate("nats alone: publish, acked, by 512", "-", size.earnings, &published);
    report.rate("nats alone: pull and ack, by 512", "-", size.earnings, &pulled);
    Ok(())
}

/// Tokens that are looked up, each kind as often.
async fn lookups(report: &mut Report, size: &Size, engine: Engine) -> Result<(), Error> {
    let mut runs = lookups::KINDS.map(|_| Vec::new());
    for _ in 0..size.runs {
        let busy = load();
        let times = lookups::times(engine, size.calls / 4).await?;
        for (run, of_kind) in runs.iter_mut().zip(times) {
            run.push((of_kind, busy.clone()));
        }
    }
    let database = engine.to_string();
    for (kind, runs) in lookups::KINDS.iter().zip(&runs) {
        for percent in [50, 99] {
            let at = |times: &Vec<u64>| times.get(times.len() * percent / 100).copied().unwrap_or(0);
            let values: Vec<_> = runs.iter().map(|(times, busy)| (at(times), busy.clone())).collect();
            report.time(
                &format!("look up a token that is {kind}, p{percent}"),
                &database,
                &values,
            );
        }
    }
    Ok(())
}

/// Clicks on links: how many are stored, in the line and each by itself, and what the database alone does.
async fn clicks(report: &mut Report, size: &Size, scene: &Scene, engine: Engine) -> Result<(), Error> {
    let (count, visitors) = (size.calls * 5, 512);
    let tape = Arc::new(Tape::default());
    touches::stored(engine, scene, Way::Line, visitors, count, Some(&tape)).await?;
    let score = tape.score();
    let (mut line, mut each, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size.runs {
        let busy = load();
        each.push((
            touches::stored(engine, scene, Way::Each, visitors, count, None).await?,
            busy,
        ));
        let busy = load();
        line.push((
            touches::stored(engine, scene, Way::Line, visitors, count, None).await?,
            busy,
        ));
        let busy = load();
        alone.push((touches::alone(engine, scene, score.clone()).await?, busy));
    }
    let database = engine.to_string();
    report.rate("clicks, each by itself", &database, count, &each);
    report.rate(
        &format!("clicks in one line, {visitors} visitors"),
        &database,
        count,
        &line,
    );
    let what = format!("database alone, {} transactions", score.commits());
    report.rate(&what, &database, count, &alone);
    report.compare();
    Ok(())
}

/// Transactions at the same time, each with a commit of its own, and with commits that they share.
async fn commits(report: &mut Report, size: &Size, engine: Engine) -> Result<(), Error> {
    let (mut own, mut shared) = (Vec::new(), Vec::new());
    let tasks = CALLERS[1];
    let count = size.calls - size.calls % tasks;
    for _ in 0..size.runs {
        let busy = load();
        own.push((calls::commits(engine, false, tasks, count).await?, busy));
        let busy = load();
        shared.push((calls::commits(engine, true, tasks, count).await?, busy));
    }
    let database = engine.to_string();
    report.rate(&format!("transactions of {tasks} tasks"), &database, count, &own);
    report.rate("the same, sharing commits", &database, count, &shared);
    Ok(())
}

async fn writes(report: &mut Report, size: &Size, engine: Engine) -> Result<(), Error> {
    for callers in CALLERS {
        let count = if callers == 1 { size.calls / 5 } else { size.calls };
        let mut runs = Vec::new();
        for _ in 0..size.runs {
            let busy = load();
            runs.push((calls::writes(engine, callers, count).await?, busy));
        }
        report.rate(
            &format!("unary writes, {callers} callers"),
            &engine.to_string(),
            count,
            &runs,
        );
    }
    Ok(())
}
