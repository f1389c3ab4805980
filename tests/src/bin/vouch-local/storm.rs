//! `storm`.

use std::time::Duration;

use vouch_suite::{Error, storm::Storm};

use crate::{StormArgs, signals::Signals};

/// Storms until enough were killed, telling every few seconds how far it is.
pub async fn storm(args: &StormArgs) -> Result<(), Error> {
    let storm = Storm {
        engine: args.db.into(),
        seed: args.seed.unwrap_or_else(rand::random),
        at_least: Duration::ZERO,
        commands: args.commands,
        kills: args.kills,
    };
    eprintln!(
        "seed {}; at least {} kills; Ctrl-C stops everything",
        storm.seed, storm.kills
    );
    let mut signals = Signals::listen()?;
    let playing = storm.play(|report| eprintln!("{report}"));
    let report = signals.unless_interrupted(Box::pin(playing)).await?;
    println!("{report}");
    Ok(())
}
