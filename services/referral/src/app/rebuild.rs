//! The books computed anew, beside those in use, which stay open: one piece after the other is locked, computed, compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};
use vouch_messaging::outbox;
use vouch_primitives::{Currency, PersonId, ReferrerId, RequestId, Timestamp, Uuid};
use vouch_proto::referral::v1::{
    self as pb,
    rebuild_response::{End, Part, Progress},
};
use vouch_storage::{Txn, timers};

use super::{
    App,
    attribution::WINDOW_END,
    books, match_signals,
    told::{self, Known, Streamed},
};
use crate::{
    domain::{Difference, Facts, RewardKind, Standing, Tie},
    error::Error,
    store::{self, releases::Released, ties::Loaded},
};

/// So many people's ties are computed in one transaction.
const PEOPLE: u64 = 200;

/// What came about so shortly before may not have been told yet.
const ON_ITS_WAY: Duration = Duration::from_secs(300);

/// So many timers whose moment has come are looked at; there are none, unless the worker is behind.
const WAITING: u64 = 1_000;

/// A rebuild under way.
#[derive(Debug)]
pub struct Rebuild {
    app: App,
    run: Uuid,
    begin_epoch: bool,
    /// When it began.
    begun_at: Timestamp,
    /// Since when the streams hold all, where what they hold is what counts.
    held_since: Option<Timestamp>,
    epoch: i64,
    after: Option<PersonId>,
    progress: Progress,
    ties: u64,
    differences: u64,
    live: Sha256,
    rebuilt: Sha256,
    over: bool,
}

/// What has come out for some people.
#[derive(Default)]
struct Piece {
    ties: u64,
    live: Vec<String>,
    rebuilt: Vec<String>,
    differences: Vec<(Uuid, Difference)>,
}

impl App {
    /// Begins to compute the books anew; with a new epoch, if what comes out is to take their place.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn rebuild(&self, run: RequestId, begin_epoch: bool) -> Result<Rebuild, Error> {
        let (run, now) = (run.as_uuid(), self.now());
        let begin = |txn: Arc<Txn>| async move {
            store::rebuilt::begin(&txn, run, now).await?;
            if begin_epoch {
                store::programme::begin_next_epoch(&txn, now).await?;
            }
            Ok::<_, Error>(store::programme::current_epoch(&*txn).await?)
        };
        let epoch = self.commands.db().write_tx(begin).await?;
        Ok(Rebuild {
            app: self.clone(),
            run,
            begin_epoch,
            begun_at: now,
            held_since: None,
            epoch,
            after: None,
            progress: Progress {
                people: 0,
                all_people: store::rebuilt::count_payees(self.commands.db().reader()).await?,
            },
            ties: 0,
            differences: 0,
            live: Sha256::new(),
            rebuilt: Sha256::new(),
            over: false,
        })
    }
}

impl Rebuild {
    /// Keeps events of the streams, and names those that cannot be read. Until [`Self::all_told`] nothing is computed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn take_told(&mut self, events: &[Streamed]) -> Result<Vec<Part>, Error> {
        let run = self.run;
        let keep = |txn: Arc<Txn>| async move { told::keep(&txn, run, events).await };
        let unreadable = self.app.commands.db().write_tx(keep).await?;
        Ok(self.told(&unreadable))
    }

    /// All has come that the streams hold, and this is since when they hold all.
    pub const fn all_told(&mut self, held_since: Timestamp) {
        self.held_since = Some(held_since);
    }

    /// Differences, which are counted.
    fn told(&mut self, differences: &[(Uuid, Difference)]) -> Vec<Part> {
        self.differences += u64::try_from(differences.len()).unwrap_or(u64::MAX);
        differences.iter().map(|(id, it)| to_wire(*id, it)).collect()
    }

    /// The next parts of the answer; `None` after the end.
    ///
    /// # Errors
    /// If a total does not fit, or the database fails.
    pub async fn next(&mut self) -> Result<Option<Vec<Part>>, Error> {
        if self.over {
            return Ok(None);
        }
        let reader = self.app.commands.db().reader();
        let people = store::rebuilt::payees(reader, self.after, PEOPLE).await?;
        let Some(last) = people.last().copied() else {
            return self.end().await.map(Some);
        };
        let (people, this) = (&people.into_iter().collect(), &*self);
        let piece = this
            .app
            .commands
            .db()
            .write_tx(|txn| async move { this.compute(&txn, people).await })
            .await?;
        self.after = Some(last);
        self.ties += piece.ties;
        self.progress.people += u64::try_from(people.len()).unwrap_or(u64::MAX);
        for (hash, lines) in [(&mut self.live, &piece.live), (&mut self.rebuilt, &piece.rebuilt)] {
            lines.iter().for_each(|line| hash.update(format!("{line}\n")));
        }
        let mut parts = self.told(&piece.differences);
        parts.push(Part::Progress(self.progress));
        Ok(Some(parts))
    }

    async fn compute(&self, txn: &Txn, people: &BTreeSet<PersonId>) -> Result<Piece, Error> {
        let now = self.app.now();
        store::people::lock(txn, people).await?;
        let mut ties = store::ties::of_people(txn, people).await?;
        ties.sort_by_key(|loaded| loaded.tie.id);
        let known = match self.held_since {
            None => told::stored(txn, people).await?,
            Some(since) => {
                let held = since..self.begun_at.saturating_sub(ON_ITS_WAY);
                told::streamed(txn, self.run, people, held).await?
            }
        };
        let rebuilt = self.rebuilt(txn, now, &known, &ties).await?;
        let mut piece = Piece {
            differences: known.differences,
            ..Piece::default()
        };
        for (loaded, rebuilt) in ties.iter_mut().zip(rebuilt) {
            let live = mem::replace(&mut loaded.tie, rebuilt);
            piece.ties += 1;
            piece.live.extend(live.lines_of_books());
            piece.rebuilt.extend(loaded.tie.lines_of_books());
            let differences = live.differences(&loaded.tie).into_iter();
            piece.differences.extend(differences.map(|it| (live.id, it)));
        }
        if self.begin_epoch {
            self.put_in_place(txn, now, &mut ties).await?;
        }
        Ok(piece)
    }

    /// The ties as they come out of the facts, through the tables beside those in use.
    async fn rebuilt(&self, txn: &Txn, now: Timestamp, known: &Known, ties: &[Loaded]) -> Result<Vec<Tie>, Error> {
        let waiting = timers::list(txn, Some(WINDOW_END), None, WAITING).await?;
        let waiting: BTreeSet<_> = waiting.iter().filter(|it| it.due <= now).map(|it| it.key).collect();
        let open = Standing::default();
        let mut rebuilt = Vec::with_capacity(ties.len());
        for Loaded { tie, .. } in ties {
            let facts = Facts {
                movements: known.movements.get(&tie.payee).map_or(&[][..], Vec::as_slice),
                hired: known.hired.contains(&tie.payee),
                account: known.accounts.get(&tie.payee).unwrap_or(&open),
                window_waits: waiting.contains(&tie.id),
            };
            rebuilt.push(tie.rebuild(&facts, now)?);
        }
        store::rebuilt::write(txn, self.run, &rebuilt).await?;
        let ids: Vec<_> = rebuilt.iter().map(|tie| tie.id).collect();
        let mut read = store::rebuilt::read(txn, self.run, &ids).await?;
        for tie in &mut rebuilt {
            let before = mem::replace(&mut tie.rewards, read.remove(&tie.id).unwrap_or_default());
            for (key, reward) in &mut tie.rewards {
                let before = before.get(key).cloned().unwrap_or_default();
                (reward.sequence, reward.paid_before) = (before.sequence, before.paid_before);
            }
        }
        Ok(rebuilt)
    }

    /// What has come out is in force, and payments is told all of it, whether it has changed or not.
    async fn put_in_place(&self, txn: &Txn, now: Timestamp, ties: &mut [Loaded]) -> Result<(), Error> {
        let ids: Vec<_> = ties.iter().map(|loaded| (loaded.tie.referrer, loaded.tie.id)).collect();
        let recorded = store::releases::recorded(txn, &ids).await?;
        let (mut events, mut released) = (Vec::new(), Vec::new());
        for Loaded { tie, .. } in ties.iter_mut() {
            for reward in tie.rewards.values_mut() {
                reward.sequence += 1;
            }
            events.extend(books::totals(tie, now, self.epoch));
            // The record tells by how much it was wrong, whatever the books have said, so that it adds up to them.
            released.extend(books::released_totals(tie).map(|release| {
                Released {
                    tie: tie.id,
                    referrer: tie.referrer,
                    release,
                    amount_minor: release.cumulative.minor
                        - recorded
                            .get(&(tie.id, release.kind, release.cumulative.currency))
                            .unwrap_or(&0),
                    released_at: now,
                }
            }));
        }
        released.retain(|it| it.amount_minor != 0);
        books::save(txn, now, ties).await?;
        match_signals::follow(txn, now, ties).await?;
        store::releases::insert(txn, self.epoch, &released).await?;
        if events.is_empty() {
            return Ok(());
        }
        Ok(outbox::append(txn, now, &events).await?)
    }

    /// Gives the run up unless it is over, and forgets what was written beside the books.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn abandon(&mut self) -> Result<(), Error> {
        if mem::replace(&mut self.over, true) {
            return Ok(());
        }
        let run = self.run;
        let end = |txn: Arc<Txn>| async move { Ok(store::rebuilt::end(&txn, run).await?) };
        self.app.commands.db().write_tx(end).await
    }

    /// Compares the funds, and forgets what was written beside the books.
    async fn end(&mut self) -> Result<Vec<Part>, Error> {
        let (run, mends) = (self.run, self.begin_epoch);
        let end = |txn: Arc<Txn>| async move {
            let wrong = store::funds::wrong(&*txn).await?;
            if mends {
                let keys = wrong.keys().copied().collect();
                let mut funds = store::funds::lock(&txn, &keys).await?;
                for (key, (_, rebuilt)) in &wrong {
                    if let Some(fund) = funds.get_mut(key) {
                        fund.granted_minor = *rebuilt;
                    }
                }
                funds.retain(|key, _| wrong.contains_key(key));
                store::funds::save(&txn, &funds).await?;
            }
            store::rebuilt::end(&txn, run).await?;
            Ok::<_, Error>(wrong)
        };
        let wrong: BTreeMap<(ReferrerId, Currency), (i64, i64)> = self.app.commands.db().write_tx(end).await?;
        self.over = true;
        let fund = |((referrer, currency), (live, rebuilt)): ((ReferrerId, Currency), (i64, i64))| {
            let difference = Difference {
                total: Some((RewardKind::SignUpBonus, currency)),
                what: "fund",
                live: live.to_string(),
                rebuilt: rebuilt.to_string(),
            };
            (referrer.as_uuid(), difference)
        };
        let mut parts = self.told(&wrong.into_iter().map(fund).collect::<Vec<_>>());
        parts.push(Part::End(End {
            ties: self.ties,
            differences: self.differences,
            live_sha256: hex(mem::take(&mut self.live)),
            rebuilt_sha256: hex(mem::take(&mut self.rebuilt)),
            epoch: self.epoch,
        }));
        Ok(parts)
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn to_wire(id: Uuid, difference: &Difference) -> Part {
    let (kind, currency_code) = match difference.total {
        Some((kind, currency)) => (books::wire_kind(kind), currency.to_string()),
        None => (pb::RewardKind::Unspecified, String::new()),
    };
    Part::Difference(pb::rebuild_response::Difference {
        id: id.to_string(),
        kind: kind.into(),
        currency_code,
        what: difference.what.to_owned(),
        live: difference.live.clone(),
        rebuilt: difference.rebuilt.clone(),
    })
}
