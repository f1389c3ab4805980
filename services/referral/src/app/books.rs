//! What every change of ties ends with: whoever was hired is seen as such, clear cases pass, one-off bonuses and rewards of
//! clients are granted, what is due is released, and all of it is stored together with its news.

use std::collections::BTreeSet;

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{AccountId, Currency, Money, Timestamp, Uuid};
use vouch_proto::{convert::to_wire_time, referral::v1 as pb};
use vouch_storage::{Txn, timers};

use super::{App, inviting, match_signals, screening};
use crate::{
    domain::{Release, Reward, RewardKind, Tie},
    error::Error,
    store::{self, ties::Loaded},
};

/// The timer that rings when a part of what is pending for a tie is to be released; its key is the tie.
pub const RELEASE: &str = "reward.release";

impl App {
    /// The holds of some rewards have ended: what is free is released, all ties of a batch in one transaction.
    ///
    /// # Errors
    /// If a total does not fit, or the database fails.
    pub async fn on_releases_due(&self, txn: &Txn, due: &[Uuid], now: Timestamp) -> Result<(), Error> {
        let people = store::ties::payees(txn, due).await?;
        store::people::lock(txn, &people).await?;
        let mut ties = store::ties::of_people(txn, &people).await?;
        finish(txn, now, &mut ties).await
    }
}

/// Ends a change of ties, whose people are locked.
///
/// # Errors
/// If a total does not fit, or the database fails.
pub(super) async fn finish(txn: &Txn, now: Timestamp, ties: &mut [Loaded]) -> Result<(), Error> {
    let hired = ties.iter().filter(|loaded| loaded.is_newly_hired());
    inviting::hire(txn, now, &hired.map(|loaded| loaded.tie.payee).collect()).await?;
    screening::pass_clear(txn, now, ties, Loaded::is_newly_hired).await?;
    grant(txn, now, ties).await?;
    grant_of_clients(txn, now, ties).await?;
    let (mut released, mut told) = (Vec::new(), Vec::new());
    for loaded in ties.iter_mut() {
        for release in loaded.tie.release(now)? {
            let news = announce(&loaded.tie, now, release);
            released.extend(news.map(|event| (loaded.tie.id, event)));
            told.push(loaded.released(release, now));
        }
    }
    save(txn, now, ties).await?;
    match_signals::follow(txn, now, ties).await?;
    if released.is_empty() {
        return Ok(());
    }
    let epoch = store::programme::current_epoch(txn).await?;
    store::releases::insert(txn, epoch, &told).await?;
    let events: Vec<_> = released
        .into_iter()
        .map(|(tie, event)| NewEvent::new(tie, &pb::RewardReleased { epoch, ..event }))
        .collect();
    Ok(outbox::append(txn, now, &events).await?)
}

/// Stores ties, and sets the timers of what is pending.
pub(super) async fn save(txn: &Txn, now: Timestamp, ties: &[Loaded]) -> Result<(), Error> {
    store::ties::save(txn, now, ties).await?;
    let timer = |loaded: &Loaded| {
        Some(timers::NewTimer {
            kind: RELEASE,
            key: loaded.tie.id,
            due: loaded.moved_release()?,
        })
    };
    Ok(timers::schedule(txn, &ties.iter().filter_map(timer).collect::<Vec<_>>()).await?)
}

/// The news of all totals of a tie, in this epoch.
pub(super) fn totals(tie: &Tie, now: Timestamp, epoch: i64) -> impl Iterator<Item = NewEvent> {
    released_totals(tie)
        .flat_map(move |release| announce(tie, now, release))
        .map(move |event| NewEvent::new(tie.id, &pb::RewardReleased { epoch, ..event }))
}

/// All that was released of a tie so far.
pub(super) fn released_totals(tie: &Tie) -> impl Iterator<Item = Release> {
    let release = |((kind, currency), reward): (&(RewardKind, Currency), &Reward)| Release {
        kind: *kind,
        cumulative: Money::new(reward.released, *currency),
        sequence: reward.sequence,
    };
    tie.rewards.iter().map(release)
}

/// Decides the sign-up bonuses of those who have qualified or were rejected, in the order of their ids.
async fn grant(txn: &Txn, now: Timestamp, ties: &mut [Loaded]) -> Result<(), Error> {
    let wanted: BTreeSet<_> = ties
        .iter()
        .filter_map(|loaded| Some((loaded.tie.referrer, loaded.tie.needs_fund()?)))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut funds = store::funds::lock(txn, &wanted).await?;
    for loaded in ties.iter_mut() {
        let Some(currency) = loaded.tie.needs_fund() else {
            continue;
        };
        if let Some(fund) = funds.get_mut(&(loaded.tie.referrer, currency)) {
            loaded.tie.settle_sign_up(fund, now)?;
        }
    }
    Ok(store::funds::save(txn, &funds).await?)
}

/// Decides the rewards of clients for those who have qualified or were rejected, in the order of their ids [R32].
async fn grant_of_clients(txn: &Txn, now: Timestamp, ties: &mut [Loaded]) -> Result<(), Error> {
    let wanted: BTreeSet<_> = ties.iter().filter_map(|loaded| loaded.tie.needs_budget()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut programmes = store::client_programmes::lock(txn, &wanted).await?;
    for loaded in ties.iter_mut() {
        let programme = loaded.tie.needs_budget().and_then(|id| programmes.get_mut(&id));
        if let Some(programme) = programme {
            loaded.tie.settle_client_reward(programme, now)?;
        }
    }
    for programme in programmes.values() {
        store::client_programmes::save(txn, programme).await?;
    }
    Ok(())
}

/// The news of a release, and of the referee's benefit that comes and goes with it [R24]. The epoch is filled in when they are
/// stored.
fn announce(tie: &Tie, now: Timestamp, release: Release) -> impl Iterator<Item = pb::RewardReleased> {
    let news = |kind: pb::RewardKind, account: AccountId, cumulative: Money| pb::RewardReleased {
        tie_id: tie.id.to_string(),
        kind: i32::from(kind),
        account_id: account.to_string(),
        cumulative: Some(cumulative.into()),
        epoch: 0,
        sequence: release.sequence,
        release_time: Some(to_wire_time(now)),
        funding_client_id: tie
            .funder(release.kind)
            .map_or_else(String::new, |client| client.to_string()),
    };
    let benefit = match release.kind {
        RewardKind::SignUpBonus => tie.benefit(release.cumulative.currency),
        _ => None,
    };
    let own = news(wire_kind(release.kind), tie.account, release.cumulative);
    let in_turn = benefit.map(|(account, due)| news(pb::RewardKind::RefereeBenefit, account, due));
    [Some(own), in_turn].into_iter().flatten()
}

/// A kind on the wire.
pub(super) fn wire_kind(kind: RewardKind) -> pb::RewardKind {
    match kind {
        RewardKind::LifetimeShare => pb::RewardKind::LifetimeShare,
        RewardKind::WindowBonus => pb::RewardKind::WindowBonus,
        RewardKind::SignUpBonus => pb::RewardKind::SignUpBonus,
        RewardKind::IntroductionCommission => pb::RewardKind::IntroductionCommission,
        RewardKind::ClientReward => pb::RewardKind::ClientReward,
    }
}
