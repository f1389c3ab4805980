//! What was released, held against what payments has posted: two lists in the order of ties, gone through side by side.

use std::collections::{BTreeMap, VecDeque};

use vouch_primitives::{AccountId, Currency, Money, Uuid};
use vouch_proto::{
    payments::v1 as payments,
    referral::v1::{
        RewardKind as WireKind,
        reconcile_rewards_response::{End, Mismatch, Part, mismatch::Standing},
    },
};

use super::{App, books::wire_kind};
use crate::{
    domain::{RewardKind, Tie},
    error::Error,
    store::{self, ties::ReleasedTotal},
};

/// How many totals are read at a time.
const PAGE: u64 = 100;

/// A total on either side: its tie, its kind and currency, its account and minor units.
type Total = (Uuid, (WireKind, Currency), (AccountId, i64));

/// The totals of one tie: account and minor units, by kind and currency.
type Totals = BTreeMap<(WireKind, Currency), (AccountId, i64)>;

/// A list that is read page by page.
#[derive(Debug)]
struct Side {
    read: VecDeque<Total>,
    /// Where the next page begins; `None` when there is none.
    next: Option<String>,
}

/// A comparison under way.
#[derive(Debug)]
pub struct Reconciliation {
    app: App,
    ours: Side,
    theirs: Side,
    totals: u64,
    mismatches: u64,
    over: bool,
}

impl App {
    /// Begins to compare what was released with what payments has posted.
    #[must_use]
    pub fn reconcile_rewards(&self) -> Reconciliation {
        let side = || Side {
            read: VecDeque::new(),
            next: Some(String::new()),
        };
        Reconciliation {
            app: self.clone(),
            ours: side(),
            theirs: side(),
            totals: 0,
            mismatches: 0,
            over: false,
        }
    }

    /// A page of what was posted.
    async fn posted_page(&self, side: &mut Side) -> Result<(), Error> {
        let Some(page_token) = side.next.take() else {
            return Ok(());
        };
        let request = payments::ListAllRewardPostingsRequest {
            page_size: u32::try_from(PAGE).unwrap_or(u32::MAX),
            page_token,
        };
        let listed = self.payments.clone().list_all_reward_postings(request).await;
        let listed = listed
            .map_err(|status| Error::PaymentsUnavailable(Box::new(status)))?
            .into_inner();
        for posting in &listed.postings {
            side.read.push_back(read(posting).ok_or(Error::PaymentsUnreadable)?);
        }
        side.next = Some(listed.next_page_token).filter(|token| !token.is_empty());
        Ok(())
    }

    /// A page of what was released. The token is the last total that was read.
    async fn released_page(&self, side: &mut Side) -> Result<(), Error> {
        let Some(token) = side.next.take() else {
            return Ok(());
        };
        let after = token.parse().ok();
        let conn = self.commands.db().reader();
        let mut found = store::ties::released_after(conn, after, PAGE).await?;
        // A tie's totals stay together: the last tie of a full page is read again, unless it is the only one.
        let full = u64::try_from(found.len()).unwrap_or(u64::MAX) >= PAGE;
        if full && let (Some(first), Some(last)) = (found.first().map(|it| it.0), found.last().map(|it| it.0)) {
            if first != last {
                found.retain(|it| it.0 != last);
            }
            side.next = found.last().map(|it| it.0.to_string());
        }
        let is_bonus = |(_, (kind, _), _): &&ReleasedTotal| *kind == RewardKind::SignUpBonus;
        let bonuses: Vec<Uuid> = found.iter().filter(is_bonus).map(|(tie, ..)| *tie).collect();
        let ties = store::ties::attributions(conn, &bonuses).await?;
        let own = found
            .into_iter()
            .map(|(tie, (kind, currency), total)| (tie, (wire_kind(kind), currency), total));
        let mut read: Vec<Total> = own.chain(ties.iter().flat_map(benefits)).collect();
        read.sort_by_key(|(tie, ..)| *tie);
        side.read.extend(read);
        Ok(())
    }
}

/// What was released to the referee of a tie in turn [R24].
fn benefits(tie: &Tie) -> Vec<Total> {
    let bonuses = tie.rewards.keys().filter(|(kind, _)| *kind == RewardKind::SignUpBonus);
    let released = bonuses.filter_map(|(_, currency)| Some((*currency, tie.benefit(*currency)?)));
    released
        .map(|(currency, (account, due))| (tie.id, (WireKind::RefereeBenefit, currency), (account, due.minor)))
        .collect()
}

/// A posting as it is known here.
fn read(posting: &payments::RewardPosting) -> Option<Total> {
    let posted = posting.posted.as_ref()?;
    let kind = WireKind::from_str_name(&format!("REWARD_KIND_{}", posting.kind))?;
    let key = (kind, posted.currency_code.parse().ok()?);
    let account = posting.account_id.parse().ok()?;
    Some((posting.tie_id.parse().ok()?, key, (account, posted.minor_units)))
}

impl Side {
    /// The tie at the head.
    fn head(&self) -> Option<Uuid> {
        self.read.front().map(|(tie, ..)| *tie)
    }

    /// Whether all totals of the tie at the head have been read.
    fn is_whole(&self) -> bool {
        self.next.is_none() || self.read.back().is_some_and(|(tie, ..)| Some(*tie) != self.head())
    }

    /// Takes the totals of this tie, if it is at the head.
    fn take(&mut self, tie: Uuid) -> Totals {
        let mut totals = Totals::new();
        while self.head() == Some(tie)
            && let Some((_, key, total)) = self.read.pop_front()
        {
            totals.insert(key, total);
        }
        totals
    }
}

impl Reconciliation {
    /// The next parts of the answer; `None` after the end.
    ///
    /// # Errors
    /// If payments cannot be asked, or the database fails.
    pub async fn next(&mut self) -> Result<Option<Vec<Part>>, Error> {
        let mut parts = Vec::new();
        while parts.is_empty() && !self.over {
            // Asked before the rest is read: what is posted meanwhile was released before.
            while !self.theirs.is_whole() {
                self.app.posted_page(&mut self.theirs).await?;
            }
            while !self.ours.is_whole() {
                self.app.released_page(&mut self.ours).await?;
            }
            match self.ours.head().into_iter().chain(self.theirs.head()).min() {
                Some(tie) => parts = self.compare(tie),
                None => {
                    self.over = true;
                    parts.push(Part::End(End {
                        totals: self.totals,
                        mismatches: self.mismatches,
                    }));
                }
            }
        }
        Ok(Some(parts).filter(|parts| !parts.is_empty()))
    }

    fn compare(&mut self, tie: Uuid) -> Vec<Part> {
        let (ours, mut theirs) = (self.ours.take(tie), self.theirs.take(tie));
        let mut pairs: Vec<_> = ours
            .into_iter()
            .map(|(key, it)| (key, Some(it), theirs.remove(&key)))
            .collect();
        pairs.extend(theirs.into_iter().map(|(key, it)| (key, None, Some(it))));
        let mut parts = Vec::new();
        for ((kind, currency), released, posted) in pairs {
            self.totals += 1;
            let minor = |side: Option<(AccountId, i64)>| side.map_or(0, |(_, minor)| minor);
            let standing = match (released, posted) {
                _ if minor(released) == 0 && minor(posted) == 0 => continue,
                (Some((account, _)), Some((other, _))) if account != other => Standing::OtherAccount,
                _ if minor(released) == minor(posted) => continue,
                (_, None) => Standing::Missing,
                (None, _) => Standing::Extra,
                _ => Standing::OtherAmount,
            };
            let money = |side| Some(Money::new(minor(side), currency).into());
            parts.push(Part::Mismatch(Mismatch {
                standing: standing.into(),
                tie_id: tie.to_string(),
                kind: kind.into(),
                account_id: released
                    .or(posted)
                    .map(|(account, _)| account.to_string())
                    .unwrap_or_default(),
                released: money(released),
                posted: money(posted),
            }));
        }
        self.mismatches += u64::try_from(parts.len()).unwrap_or(u64::MAX);
        parts
    }
}
