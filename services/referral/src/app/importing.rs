//! Books that were kept elsewhere: who vouched for whom, what was paid for it, and what was earned. Each row counts once, whoever
//! sends it and how often, so that an import that was cut off is simply sent again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    sync::Arc,
};

use vouch_primitives::{AccountId, AttributionId, EarningId, Money, PersonId, ReversalId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{App, accrual, attribution, books, enrolment};
use crate::{
    domain::{
        Attribution, Bond, BonusState, Party, ReferralKind, RewardKind, Screening, SignUp, Standing, Suspicion, Tie,
        circle,
    },
    error::Error,
    store::{self, accounts::Account},
};

pub use crate::store::earnings::{Earning, Reversal};

/// What is imported.
#[derive(Clone, Debug)]
pub enum Row {
    /// Somebody vouched for somebody.
    Referral(Referral),
    /// What was paid elsewhere for somebody who was vouched for.
    Paid(PaidElsewhere),
    /// Something was earned.
    Earning(Earning),
    /// Something of it was taken back.
    Reversal(Reversal),
}

/// Somebody vouched for somebody.
#[derive(Clone, Copy, Debug)]
pub struct Referral {
    /// Who vouched.
    pub referrer: PersonId,
    /// Where the rewards go.
    pub referrer_account: AccountId,
    /// Who was vouched for.
    pub referee: PersonId,
    /// With which account they joined.
    pub referee_account: AccountId,
    /// When.
    pub joined_at: Timestamp,
    /// By which type of referral.
    pub kind: ReferralKind,
}

/// What was paid elsewhere, which is not paid again.
#[derive(Clone, Copy, Debug)]
pub struct PaidElsewhere {
    /// For whom.
    pub referee: PersonId,
    /// As what.
    pub kind: RewardKind,
    /// How much, in all.
    pub amount: Money,
}

/// Why a row is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The line at which it begins.
    pub line: u64,
    /// The column at fault.
    pub column: String,
    /// A stable reason.
    pub reason: &'static str,
    /// The same in words.
    pub description: String,
}

/// Who was vouched for by whom.
type Vouched = HashMap<PersonId, PersonId>;

/// What has become of some rows.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Rows that were new.
    pub new: u64,
    /// Rows that were there already.
    pub known: u64,
    /// Rows that are not taken.
    pub refused: Vec<Refused>,
}

/// An import under way.
#[derive(Debug)]
pub struct Importing {
    app: App,
    dry_run: bool,
    /// Who was vouched for in a dry run, of which the database knows nothing.
    vouched: Vouched,
}

/// How a transaction ends.
enum Ended {
    /// Nothing of it is to stay.
    Dry(Taken, Vec<Referral>),
    Failed(Error),
}

impl From<StorageError> for Ended {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl App {
    /// Begins an import; of a dry run nothing stays.
    #[must_use]
    pub fn import(&self, dry_run: bool) -> Importing {
        Importing {
            app: self.clone(),
            dry_run,
            vouched: Vouched::default(),
        }
    }
}

impl Importing {
    /// Takes some rows, in one transaction. Referrals come before what was paid for them, and that before what was earned.
    ///
    /// # Errors
    /// If a total does not fit, or the database fails.
    pub async fn take(&mut self, rows: &[(u64, Row)]) -> Result<Taken, Error> {
        let (app, dry_run, vouched) = (&self.app, self.dry_run, &self.vouched);
        let work = |txn: Arc<Txn>| async move {
            let mut batch = Batch::new(&txn, app.now());
            batch.take(rows, vouched).await.map_err(Ended::Failed)?;
            match dry_run {
                true => Err(Ended::Dry(batch.taken, batch.referrals)),
                false => Ok(batch.taken),
            }
        };
        match app.commands.db().write_tx(work).await {
            Ok(taken) => Ok(taken),
            Err(Ended::Dry(taken, referrals)) => {
                for it in referrals {
                    self.vouched.insert(it.referee, it.referrer);
                }
                Ok(taken)
            }
            Err(Ended::Failed(error)) => Err(error),
        }
    }
}

/// Some rows, in their transaction.
struct Batch<'t> {
    txn: &'t Txn,
    now: Timestamp,
    taken: Taken,
    referrals: Vec<Referral>,
}

impl<'t> Batch<'t> {
    fn new(txn: &'t Txn, now: Timestamp) -> Self {
        Self {
            txn,
            now,
            taken: Taken::default(),
            referrals: Vec::new(),
        }
    }

    async fn take(&mut self, rows: &[(u64, Row)], vouched: &Vouched) -> Result<(), Error> {
        // Two imports at the same time could close a circle of which each sees a half.
        store::programme::lock(self.txn).await?;
        let (mut referrals, mut paid, mut earnings, mut reversals) = (vec![], vec![], vec![], vec![]);
        for (line, row) in rows {
            match row {
                Row::Referral(it) => referrals.push((*line, *it)),
                Row::Paid(it) => paid.push((*line, *it)),
                Row::Earning(it) => earnings.push((*line, *it)),
                Row::Reversal(it) => reversals.push((*line, *it)),
            }
        }
        self.take_referrals(&referrals, vouched).await?;
        self.take_paid(&paid).await?;
        self.take_earnings(&earnings).await?;
        self.take_reversals(&reversals).await
    }

    fn refuse(&mut self, line: u64, column: &str, reason: &'static str, description: String) {
        self.taken.refused.push(Refused {
            line,
            column: column.to_owned(),
            reason,
            description,
        });
    }

    async fn take_referrals(&mut self, rows: &[(u64, Referral)], dry: &Vouched) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let people: BTreeSet<_> = rows.iter().flat_map(|(_, it)| [it.referee, it.referrer]).collect();
        store::people::ensure(self.txn, &people).await?;
        store::people::lock(self.txn, &people).await?;
        let mut vouched = self.chains(&people).await?;
        let whose = self.owners(rows).await?;
        for (line, row) in rows {
            let owner = |account: AccountId, person: PersonId| whose.get(&account).is_none_or(|it| *it == person);
            let referrer_of = |person| vouched.get(&person).or_else(|| dry.get(&person)).copied();
            let (before, circle) = (referrer_of(row.referee), circle_of(row, referrer_of));
            if row.joined_at > self.now {
                self.refuse(*line, "joined_at", "IN_THE_FUTURE", "must not be after now".to_owned());
            } else if !owner(row.referrer_account, row.referrer) {
                self.refuse(
                    *line,
                    "referrer_account_id",
                    "ACCOUNT_OF_OTHER",
                    "is somebody else's".to_owned(),
                );
            } else if !owner(row.referee_account, row.referee) {
                self.refuse(
                    *line,
                    "referee_account_id",
                    "ACCOUNT_OF_OTHER",
                    "is somebody else's".to_owned(),
                );
            } else if before == Some(row.referrer) {
                self.taken.known += 1;
            } else if let Some(other) = before {
                let description = format!("was vouched for by {other}");
                self.refuse(*line, "referee_person_id", "REFEREE_TAKEN", description);
            } else if let Some(circle) = circle {
                self.refuse(*line, "referrer_person_id", "CIRCLE", circle);
            } else {
                vouched.insert(row.referee, row.referrer);
                self.referrals.push(*row);
                self.taken.new += 1;
            }
        }
        self.bind().await
    }

    /// Who vouched for these people, and for those who did, and so on.
    async fn chains(&self, people: &BTreeSet<PersonId>) -> Result<Vouched, Error> {
        let (mut vouched, mut asked, mut next) = (Vouched::default(), BTreeSet::new(), people.clone());
        while !next.is_empty() {
            let found = store::ties::vouched_for(self.txn, &next).await?;
            asked.append(&mut next);
            for (referee, referrer) in found {
                vouched.insert(referee, referrer);
                if !asked.contains(&referrer) {
                    next.insert(referrer);
                }
            }
        }
        Ok(vouched)
    }

    /// Whose the accounts are that are known, or that rows before have named.
    async fn owners(&self, rows: &[(u64, Referral)]) -> Result<HashMap<AccountId, PersonId>, Error> {
        let named = rows
            .iter()
            .flat_map(|(_, it)| [(it.referrer_account, it.referrer), (it.referee_account, it.referee)]);
        let mut owners = HashMap::new();
        for (account, person) in named {
            owners.entry(account).or_insert(person);
        }
        let accounts: Vec<_> = owners.keys().copied().collect();
        for account in store::accounts::with_ids(self.txn, &accounts).await? {
            owners.insert(account.id, account.person);
        }
        Ok(owners)
    }

    /// Binds those who were taken, under the terms in force, with what they have earned already.
    async fn bind(&self) -> Result<(), Error> {
        let account = |id, person, registered_at| Account {
            id,
            party: Party::Person,
            person,
            registered_at,
            typed_code: String::new(),
        };
        let rows = &self.referrals;
        let referees = rows
            .iter()
            .map(|it| account(it.referee_account, it.referee, it.joined_at));
        let referrers = rows
            .iter()
            .map(|it| account(it.referrer_account, it.referrer, it.joined_at));
        let all: Vec<_> = referees.chain(referrers.clone()).collect();
        store::accounts::insert(self.txn, &all).await?;
        let mut enrolled = BTreeMap::new();
        for account in referrers {
            if let Entry::Vacant(place) = enrolled.entry(account.id) {
                place.insert(enrolment::enrol(self.txn, self.now, &account).await?);
            }
        }
        let terms = store::programme::all_terms(self.txn).await?;
        let Some(in_force) = terms.into_iter().next_back() else {
            return Ok(());
        };
        let tie = |row: &Referral| {
            let referrer = enrolled.get(&row.referrer_account)?;
            Some(Tie {
                id: AttributionId::derived(row.referee.as_uuid(), "attribution").as_uuid(),
                referrer: referrer.id,
                payee: row.referee,
                account: referrer.account,
                bond: Bond::Attribution(Attribution {
                    kind: row.kind,
                    joined: row.joined_at,
                    bonus: BonusState::Open,
                    hired: false,
                    sign_up: SignUp::Open,
                    account: Some(row.referee_account),
                }),
                terms: vec![(Timestamp::EPOCH, Arc::clone(&in_force.terms))],
                standing: Standing::default(),
                related: Vec::new(),
                screening: Screening::Open,
                suspicion: Suspicion::None,
                rewards: BTreeMap::new(),
            })
        };
        let bound = attribution::bind(self.txn, self.now, rows.iter().filter_map(tie).collect()).await?;
        attribution::begin(self.txn, self.now, &bound).await
    }

    async fn take_paid(&mut self, rows: &[(u64, PaidElsewhere)]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let people = rows.iter().map(|(_, it)| it.referee).collect();
        store::people::lock(self.txn, &people).await?;
        let mut ties = store::ties::of_people(self.txn, &people).await?;
        ties.retain(|loaded| matches!(loaded.tie.bond, Bond::Attribution(_)));
        let place: HashMap<_, _> = ties
            .iter()
            .enumerate()
            .map(|(at, loaded)| (loaded.tie.payee, at))
            .collect();
        for (line, row) in rows {
            let Some(at) = place.get(&row.referee) else {
                let description = "nobody has vouched for this person".to_owned();
                self.refuse(*line, "referee_person_id", "NOT_REFERRED", description);
                continue;
            };
            let reward = ties[*at]
                .tie
                .rewards
                .entry((row.kind, row.amount.currency))
                .or_default();
            match reward.paid_before {
                0 => {
                    reward.paid_before = row.amount.minor;
                    self.taken.new += 1;
                }
                paid if paid == row.amount.minor => self.taken.known += 1,
                paid => {
                    let told = Money::new(paid, row.amount.currency);
                    self.refuse(*line, "amount", "OTHER_CONTENT", format!("was {told} before"));
                }
            }
        }
        books::finish(self.txn, self.now, &mut ties).await
    }

    async fn take_earnings(&mut self, rows: &[(u64, Earning)]) -> Result<(), Error> {
        let moments = |earning: &Earning| [("occurred_at", earning.occurred_at), ("settled_at", earning.settled_at)];
        let (now, mut rows) = (self.now, rows.to_vec());
        rows.retain(|(line, earning)| {
            let ahead = moments(earning).into_iter().find(|(_, moment)| now < *moment);
            if let Some((column, _)) = ahead {
                self.refuse(*line, column, "IN_THE_FUTURE", "must not be after now".to_owned());
            }
            ahead.is_none()
        });
        let all: Vec<_> = rows.iter().map(|(_, earning)| *earning).collect();
        let mut fresh: BTreeSet<EarningId> = accrual::take_earnings(self.txn, self.now, &all).await?;
        let stored = store::earnings::with_ids(self.txn, &all.iter().map(|it| it.id).collect()).await?;
        let stored: HashMap<_, _> = stored.into_iter().map(|it| (it.id, it)).collect();
        for (line, earning) in &rows {
            self.count(
                *line,
                fresh.remove(&earning.id),
                stored.get(&earning.id) == Some(earning),
            );
        }
        Ok(())
    }

    async fn take_reversals(&mut self, rows: &[(u64, Reversal)]) -> Result<(), Error> {
        let named = rows.iter().map(|(_, reversal)| reversal.earning).collect();
        let earned = store::earnings::with_ids(self.txn, &named).await?;
        let earned: HashMap<_, _> = earned.into_iter().map(|it| (it.id, it)).collect();
        let mut rows = rows.to_vec();
        rows.retain(|(line, reversal)| {
            let earning = earned.get(&reversal.earning);
            let told = earning.and_then(|earning| accrual::contradiction(earning, reversal));
            let wrong = told.map_or(Vec::new(), |told| told.0);
            let agrees = wrong.is_empty();
            for it in wrong {
                self.refuse(*line, &it.field, it.reason, it.description);
            }
            agrees
        });
        let all: Vec<_> = rows.iter().map(|(_, reversal)| *reversal).collect();
        let mut fresh: BTreeSet<ReversalId> = accrual::take_reversals(self.txn, self.now, &all).await?;
        let earnings = all.iter().map(|it| it.earning).collect();
        let stored = store::earnings::reversals_of(self.txn, &earnings).await?;
        let stored: HashMap<_, _> = stored.into_iter().map(|it| (it.id, it)).collect();
        for (line, reversal) in &rows {
            self.count(
                *line,
                fresh.remove(&reversal.id),
                stored.get(&reversal.id) == Some(reversal),
            );
        }
        Ok(())
    }

    fn count(&mut self, line: u64, new: bool, same: bool) {
        match (same, new) {
            (true, true) => self.taken.new += 1,
            (true, false) => self.taken.known += 1,
            (false, _) => {
                let description = "came before with another content".to_owned();
                self.refuse(line, "earning_id", "OTHER_CONTENT", description);
            }
        }
    }
}

/// The circle that a row would close, in words.
fn circle_of(row: &Referral, referrer_of: impl Fn(PersonId) -> Option<PersonId>) -> Option<String> {
    let circle = circle(row.referee, row.referrer, referrer_of)?;
    let names: Vec<_> = circle.iter().map(ToString::to_string).collect();
    Some(names.join(" referred "))
}
