//! `demo`: the story, told to people or to programs.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use vouch_primitives::Timestamp;
use vouch_proto::referral::v1 as referral;
use vouch_suite::{
    Cluster, Error,
    cluster::Plan,
    earnings::{self, Entry},
    playback::{Outcome, Playback, REFERRER, Scene, beginning, date, money},
};

use crate::{DemoArgs, Format, signals::Signals};

const EXAMPLE: &str = include_str!("../../../data/earnings.csv");

/// Plays the earnings and tells what came of it.
pub async fn demo(args: &DemoArgs) -> Result<(), Error> {
    let entries = match &args.input {
        Some(path) => earnings::read_file(path)?,
        None => earnings::read(EXAMPLE.as_bytes())?,
    };
    let plan = Plan {
        test_clock: Some(beginning(&entries)),
        ..Plan::new(args.db.into())
    };
    let mut signals = Signals::listen()?;
    let starting = Cluster::start(plan, |what| eprintln!("{what} …"));
    let cluster = signals.unless_interrupted(starting).await?;
    let played = signals
        .unless_interrupted(Box::pin(play(&cluster, &entries, args.format)))
        .await;
    eprintln!("stopping everything …");
    // Whoever is in a hurry asks twice: then nothing is waited for.
    let stopped = signals.unless_interrupted(cluster.stop()).await;
    played.and(stopped)
}

async fn play(cluster: &Cluster, entries: &[Entry], format: Format) -> Result<(), Error> {
    let story = cluster.story()?;
    let human = format == Format::Human;
    let progress = progress(entries.len());
    let bar = progress.clone();
    let mut lines = 0_usize;
    let mut tell = move |at: Timestamp, scene: Scene<'_>| match scene {
        Scene::Progress(played, of) => {
            bar.set_position(u64::try_from(played).unwrap_or(0));
            if bar.is_hidden() && (played == of || played * 10 / of.max(1) > lines) {
                lines = played * 10 / of.max(1);
                eprintln!("{played} of {of} entries played");
            }
        }
        Scene::Line(line) if human => bar.suspend(|| println!("{}  {line}", day(at))),
        Scene::Mail(why, mail) if human => bar.suspend(|| {
            println!("            ({why})");
            println!("            | From: {}\n            | To: {}", mail.from, mail.to);
            println!("            | Subject: {}\n            |", mail.subject);
            mail.text
                .trim_end()
                .lines()
                .for_each(|line| println!("{}", format!("            | {line}").trim_end()));
        }),
        Scene::Line(_) | Scene::Mail(..) => {}
    };
    let mut playback = Playback::begin(&story, &mut tell).await?;
    playback.play(entries, &mut tell).await?;
    progress.finish_and_clear();
    let outcome = playback.outcome().await?;
    if human {
        explain(&playback, &story.explain(&playback.referrer.id).await?);
        conclude(&outcome);
    } else {
        println!("{}", serde_json::to_string(&outcome)?);
    }
    Ok(())
}

/// A bar on a terminal; elsewhere it is hidden, and plain lines are written.
fn progress(entries: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(entries).unwrap_or(0));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} entries, {elapsed}") {
        bar.set_style(style);
    }
    bar
}

fn explain(playback: &Playback<'_>, totals: &[referral::ExplainedTotal]) {
    println!("\n{REFERRER}'s balance, explained:");
    for total in totals {
        println!(
            "\n  {} released, {} posted by payments",
            amount(&total.released),
            amount(&total.posted)
        );
        for reward in &total.rewards {
            let referee = playback.name_of(&reward.referee_person_id).unwrap_or("?");
            let kind = match reward.kind() {
                referral::RewardKind::WindowBonus => "three-month bonus",
                _ => "lifetime share",
            };
            println!("    {} for {referee}: {kind}", amount(&reward.released));
            println!(
                "      {}; terms version {}, sha256 {}…",
                reward.reason,
                reward.terms_version,
                &reward.terms_content_hash[..12]
            );
            arithmetic(playback, reward).iter().for_each(|line| println!("{line}"));
        }
    }
}

/// The earnings that a reward is made of, one below the other, and their sum; as wide as what stands in them.
fn arithmetic(playback: &Playback<'_>, reward: &referral::ExplainedReward) -> Vec<String> {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for item in &reward.items {
        let entry = playback.entry_of(&item.earning_id).unwrap_or("?");
        let refunded = if item.reversal_id.is_empty() { "" } else { ", refunded" };
        rows.push([
            date(item.occur_time.as_ref()),
            amount(&item.amount),
            ten_thousandths(&item.exact_ten_thousandths),
            format!("  {entry}{refunded}"),
        ]);
    }
    rows.push([
        String::new(),
        amount(&reward.base),
        ten_thousandths(&reward.exact_ten_thousandths),
        format!(", rounded down: {}", amount(&reward.due)),
    ]);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (days, amounts, exacts) = (width(0), width(1), width(2));
    let line = |[day, amount, exact, what]: &[String; 4]| {
        let points = reward.basis_points;
        format!("      {day:days$}  {amount:>amounts$}  × {points} bp = {exact:>exacts$}{what}")
    };
    rows.iter().map(line).collect()
}

fn conclude(outcome: &Outcome) {
    println!(
        "\nThe ledger: debits less credits {} in all currencies; {} events published, {} dead letters.",
        outcome.trial_balance_minor, outcome.events_published, outcome.dead_letters
    );
    println!(
        "Everything above came out of the services; `make -s demo FORMAT=json` prints the same figures for programs."
    );
}

/// Minor units with four more decimals: exact shares are not rounded when they are shown.
fn ten_thousandths(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let padded = format!("{digits:0>5}");
    let (whole, fraction) = padded.split_at(padded.len() - 4);
    format!("{sign}{whole}.{fraction}")
}

fn amount(wire: &Option<vouch_proto::common::v1::Money>) -> String {
    wire.as_ref()
        .and_then(money)
        .map_or_else(|| "not known".to_owned(), |money| money.to_string())
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}
