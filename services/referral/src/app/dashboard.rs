//! What a dashboard shows of a referrer, their statement for a period, and who refers best.

use std::collections::BTreeMap;

use vouch_primitives::{AttributionId, Currency, Money, ReferrerId, Timestamp, Uuid};
use vouch_proto::{Listed, Page, convert::to_wire_time, referral::v1 as pb};

use super::{App, books::wire_kind};
use crate::{
    domain::{Bond, BonusState, Screening, Tie},
    error::Error,
    store::{
        self,
        releases::{Period, ReleasePosition, Released},
    },
};

/// How many months a dashboard shows.
const MONTHS: u64 = 12;

/// How many ties are read at once.
const AT_ONCE: u64 = 1_000;

/// A statement: what had been released before and after the period, and a page of what was in it.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What had been released before the period.
    pub opening: Money,
    /// What had been released when it ended.
    pub closing: Money,
    /// The releases of this page, the oldest first.
    pub lines: Listed<pb::StatementLine, ReleasePosition>,
}

/// Where the money of a referrer stands in one currency, in minor units.
#[derive(Clone, Copy, Default)]
struct Balance {
    held: i64,
    pending: i64,
    released: i64,
}

impl App {
    /// What a dashboard shows: referees by state, rewards by month, and where the money stands.
    ///
    /// # Errors
    /// If there is no such referrer.
    pub async fn dashboard(&self, id: ReferrerId) -> Result<pb::GetDashboardResponse, Error> {
        let found = store::referrers::find(self.commands.db().reader(), id).await?;
        let referrer = found.ok_or_else(|| Error::not_found("referrer", id))?;
        // Asked before the rest is read, so that it is never ahead of it; and all of the rest is of one moment.
        let posted = self.posted(referrer.account).await;
        let conn = self.commands.db().read_tx().await?;
        let mut referees: BTreeMap<i32, u64> = BTreeMap::new();
        let mut balances: BTreeMap<Currency, Balance> = BTreeMap::new();
        let mut after: Option<AttributionId> = None;
        loop {
            let ties = store::ties::of_referrer(&conn, id, after, AT_ONCE).await?;
            for tie in &ties {
                *referees.entry(i32::from(state_of(tie))).or_default() += 1;
                add(&mut balances, tie)?;
            }
            after = ties.last().map(|tie| AttributionId::from_uuid(tie.id));
            if after.is_none() {
                break;
            }
        }
        let mut after: Option<Uuid> = None;
        loop {
            let ties = store::ties::introductions_of(&conn, id, after, AT_ONCE).await?;
            for tie in &ties {
                add(&mut balances, tie)?;
            }
            after = ties.last().map(|tie| tie.id);
            if after.is_none() {
                break;
            }
        }
        let months = store::releases::months_of(&conn, id, MONTHS).await?;
        let balance = |(currency, balance): (Currency, Balance)| {
            let money = |minor: i64| Some(Money::new(minor, currency).into());
            pb::RewardBalance {
                held: money(balance.held),
                pending: money(balance.pending),
                available: money(balance.released),
                paid: posted
                    .as_ref()
                    .map(|posted| posted.get(&currency).copied().unwrap_or(Money::zero(currency)).into()),
            }
        };
        Ok(pb::GetDashboardResponse {
            referees: referees
                .into_iter()
                .map(|(state, referees)| pb::RefereeCount { state, referees })
                .collect(),
            months: months
                .into_iter()
                .map(|(month, released)| pb::MonthlyReward {
                    month: Some(to_wire_time(month)),
                    released: Some(released.into()),
                })
                .collect(),
            balances: balances.into_iter().map(balance).collect(),
        })
    }

    /// A referrer's statement for a period.
    ///
    /// # Errors
    /// If there is no such referrer.
    pub async fn statement(&self, period: Period, page: &Page<ReleasePosition>) -> Result<Statement, Error> {
        let conn = self.commands.db().read_tx().await?;
        if store::referrers::find(&conn, period.referrer).await?.is_none() {
            return Err(Error::not_found("referrer", period.referrer));
        }
        let before = async |moment| store::releases::before(&conn, period.referrer, period.currency, moment).await;
        let (opening, closing) = (before(period.from).await?, before(period.until).await?);
        let released = store::releases::page_of(&conn, period, page).await?;
        let Listed { items, next } = page.cut(released, Released::position);
        let items = items.iter().map(line).collect();
        Ok(Statement {
            opening,
            closing,
            lines: Listed { items, next },
        })
    }

    /// Those to whom most was released within the months of two moments, the most first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn leaders(
        &self,
        currency: Currency,
        (from, until): (Timestamp, Timestamp),
        most: u64,
    ) -> Result<Vec<pb::Leader>, Error> {
        let months = (from.start_of_month(), until.start_of_month());
        let found = store::releases::leaders(self.commands.db().reader(), currency, months, most).await?;
        let mut leaders: Vec<pb::Leader> = Vec::with_capacity(found.len());
        for (nth, (referrer, released)) in (1_u32..).zip(found) {
            let released = Some(released.into());
            let same = leaders.last().filter(|before| before.released == released);
            leaders.push(pb::Leader {
                place: same.map_or(nth, |before| before.place),
                referrer_id: referrer.to_string(),
                released,
            });
        }
        Ok(leaders)
    }
}

/// Where a referee stands.
fn state_of(tie: &Tie) -> pb::referee_count::State {
    let bonus = match &tie.bond {
        Bond::Attribution(attribution) => attribution.bonus,
        Bond::Introduction(_) => BonusState::Open,
    };
    match bonus {
        _ if tie.is_refused() => pb::referee_count::State::Rejected,
        BonusState::Void => pb::referee_count::State::Left,
        _ if !tie.is_hired() && tie.screening == Screening::Passed => pb::referee_count::State::Screened,
        _ if !tie.is_hired() => pb::referee_count::State::Joined,
        BonusState::Due => pb::referee_count::State::Stayed,
        BonusState::Open => pb::referee_count::State::Hired,
    }
}

fn add(balances: &mut BTreeMap<Currency, Balance>, tie: &Tie) -> Result<(), Error> {
    for (kind, currency) in tie.rewards.keys() {
        let figures = tie.figures(*kind, *currency)?;
        let balance = balances.entry(*currency).or_default();
        balance.held += figures.held;
        balance.pending += figures.pending;
        balance.released += figures.released;
    }
    Ok(())
}

fn line(released: &Released) -> pb::StatementLine {
    let currency = released.release.cumulative.currency;
    pb::StatementLine {
        tie_id: released.tie.to_string(),
        kind: i32::from(wire_kind(released.release.kind)),
        amount: Some(Money::new(released.amount_minor, currency).into()),
        cumulative: Some(released.release.cumulative.into()),
        release_time: Some(to_wire_time(released.released_at)),
    }
}
