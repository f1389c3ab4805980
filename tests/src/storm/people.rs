//! Who calls, and what. Everybody goes on until an answer is known, and notes the answer.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::{ready, try_join_all};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use vouch_primitives::{Currency, Money};
use vouch_proto::{convert::from_wire_time, payments::v1 as payments};

use super::{
    AFTERMATH_MONTHS,
    books::{self, Answers},
};
use crate::{
    Cluster, Error, SERVICES, Story,
    story::{Company, fixed_milestones},
};

const CURRENCIES: [&str; 3] = ["USD", "JPY", "KWD"];
/// Who is there before the storm: half of their bonus window has passed when it begins, and the rest ends in it.
const SETTLERS: usize = 4;
const SETTLED_DAYS: u32 = 75;
/// Newcomers of a storm, at most: each adds three lanes.
const MOST_NEWCOMERS: usize = 8;
/// A contract may have 500 milestones, and three lanes work on it: whoever has made so many hires somebody new.
const MOST_MILESTONES: u32 = 160;
/// How long something may take that needs several services.
/// So many times the clock moves on after everybody was told to stop.
const LAST_TICKS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(50);

/// A system with a company, two referrers, and people who work.
pub struct House {
    /// The people who use it.
    pub story: Story,
    answers: Arc<Answers>,
    company: Company,
    referrers: Vec<Referrer>,
    contracts: Mutex<Vec<Contract>>,
    hired: AtomicUsize,
}

struct Referrer {
    id: String,
    code: String,
}

/// A contract that lanes work on.
#[derive(Clone, Debug)]
pub struct Contract {
    id: String,
    currency: Currency,
}

impl House {
    /// Before the storm: a company, two referrers and four people whom they referred.
    pub(super) async fn open(story: Story, answers: Arc<Answers>) -> Result<Self, Error> {
        let company = story.company("Harbour & Co.", "Henri", "henri@harbour.example").await?;
        let mut referrers = Vec::new();
        for name in ["rosa", "ruth"] {
            let person = story.register(name, &format!("{name}@talent.example"), "").await?;
            let referrer = story.enrol(&person).await?;
            answers.note(&json!({"did": "enrolled", "referrer": referrer.id, "account": referrer.account_id}))?;
            referrers.push(Referrer {
                id: referrer.id,
                code: referrer.code,
            });
        }
        let house = Self {
            story,
            answers,
            company,
            referrers,
            contracts: Mutex::default(),
            hired: AtomicUsize::new(0),
        };
        for _ in 0..SETTLERS {
            house.hire().await?;
        }
        let settled = house.story.clock.now().await?.add_days(SETTLED_DAYS);
        house.story.clock.advance_to(settled, |_| ()).await?;
        Ok(house)
    }

    /// The contracts that are worked on.
    pub fn contracts(&self) -> Vec<Contract> {
        self.contracts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Invites somebody new, who activates an account with a referrer's code and accepts the offer.
    async fn hire(&self) -> Result<Contract, Error> {
        let nth = self.hired.fetch_add(1, Ordering::Relaxed);
        let currency: Currency = CURRENCIES[nth % CURRENCIES.len()].parse()?;
        let referrer = &self.referrers[nth % self.referrers.len()];
        let (name, email) = (format!("Talent {nth}"), format!("talent{nth}@talent.example"));
        let first = ("first", Money::new(10_000, currency));
        let now = self.patiently(|| self.story.clock.now()).await?;
        self.story.invite(&self.company, &name, &email, first, now).await?;
        let token = self.patiently(|| ready(self.story.mailbox.token(&email))).await?;
        let (person, case) = self.story.activate_with(token, &name, &email, &referrer.code).await?;
        let joined = person.create_time.as_ref().and_then(from_wire_time);
        self.answers.note(&json!({
            "did": "joined", "person": person.id, "account": person.account_id, "referrer": referrer.id,
            "at": joined.ok_or("a person without a time")?.as_micros(),
        }))?;
        let contract = self.story.agree(&case, "Hello").await?;
        let contract = self
            .patiently(async || Ok(self.story.contract(&contract).await?))
            .await?;
        let milestones = fixed_milestones(&contract);
        self.answers.note(&json!({
            "did": "contracted", "contract": contract.id, "person": person.id, "account": person.account_id,
            "currency": currency.code(), "talent_basis_points": 1_000,
        }))?;
        for milestone in milestones {
            self.note_created(&milestone, first.1.minor)?;
        }
        let contract = Contract {
            id: contract.id,
            currency,
        };
        self.contracts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(contract.clone());
        Ok(contract)
    }

    /// Hires somebody every so often, who then works like the others.
    pub(super) async fn hire_on(
        self: Arc<Self>,
        stop: CancellationToken,
        every: Duration,
        seed: u64,
    ) -> Result<(), Error> {
        let mut lanes = tokio::task::JoinSet::new();
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..MOST_NEWCOMERS {
            if timeout(every, stop.cancelled()).await.is_ok() {
                break;
            }
            let contract = self.hire().await?;
            lanes.spawn(Lane::new(Arc::clone(&self), contract, rng.random()).work(stop.clone()));
        }
        stop.cancelled().await;
        while let Some(ended) = lanes.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Moves the four clocks, each as soon as it can be: they differ meanwhile, as clocks do.
    pub(super) async fn let_time_pass(
        self: Arc<Self>,
        stop: CancellationToken,
        every: Duration,
        hours: u64,
        most: u64,
    ) -> Result<(), Error> {
        let began = self.patiently(|| self.story.clock.now()).await?;
        let (mut next, mut to) = (Instant::now(), began);
        for tick in 1..=most {
            next += every;
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep_until(next) => {}
            }
            to = began.saturating_add(Duration::from_secs(tick * hours * 3600));
            try_join_all((0..SERVICES.len()).map(|index| self.story.clock.set_one(index, to))).await?;
        }
        stop.cancelled().await;
        // Who waits for a task of a process that was killed is to see its lease run out.
        for _ in 0..LAST_TICKS {
            sleep(every).await;
            to = to.saturating_add(Duration::from_secs(hours * 3600));
            try_join_all((0..SERVICES.len()).map(|index| self.story.clock.set_one(index, to))).await?;
        }
        Ok(())
    }

    /// How many commands were carried out so far.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.answers.commands()
    }

    /// After the storm: lets everything settle, compares the books with the answers, and stops the system. Returns the
    /// oracle's words.
    ///
    /// # Errors
    /// If something does not come to rest, or there are dead letters, or the oracle finds other books.
    pub async fn aftermath(&self, mut cluster: Cluster) -> Result<String, Error> {
        self.story.clock.settle().await?;
        let end = self.story.clock.now().await?.add_months_clamped(AFTERMATH_MONTHS);
        self.story.clock.advance_to(end, |_| ()).await?;
        let activity = self.story.clock.activity().await?;
        if activity.dead_letters > 0 {
            return Err(format!("{} dead letters", activity.dead_letters).into());
        }
        let imbalance = self.story.imbalance().await?;
        if imbalance > 0 {
            return Err(format!("the ledger is wrong by {imbalance}").into());
        }
        let contracts: Vec<String> = self.contracts().into_iter().map(|contract| contract.id).collect();
        let referrers: Vec<&str> = self.referrers.iter().map(|referrer| referrer.id.as_str()).collect();
        let mut state = books::programme(&self.story, &referrers, &contracts).await?;
        for index in 0..SERVICES.len() {
            cluster.stop_service(index).await?;
        }
        let payments = SERVICES.iter().position(|name| *name == "payments").unwrap_or_default();
        state["ledger"] = books::ledger(cluster.database(payments)).await?;
        let verdict = self.answers.compare(&state).await?;
        cluster.stop().await?;
        Ok(verdict)
    }

    /// Asks until there is an answer: for what other services have still to hear of.
    async fn patiently<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match ask().await {
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    /// Notes what was asked for, not what is said of it.
    fn note_created(&self, milestone: &payments::Milestone, minor: i64) -> Result<(), Error> {
        let (id, contract) = (&milestone.id, &milestone.contract_id);
        self.answers
            .note(&json!({"did": "created", "milestone": id, "contract": contract, "minor": minor}))
    }

    /// Pays one milestone, unless it is left somewhere on the way, and notes each answer. Returns the earning's id.
    ///
    /// # Errors
    /// If a service refuses.
    pub async fn pay(&self, contract: &Contract, minor: i64, leave: Leave) -> Result<Option<String>, Error> {
        let amount = Money::new(minor, contract.currency);
        let milestone = self.story.milestone(&contract.id, "work", amount).await?;
        self.note_created(&milestone, minor)?;
        if leave == Leave::Agreed {
            return Ok(None);
        }
        self.story.fund(&milestone.id).await?;
        self.answers
            .note(&json!({"did": "funded", "milestone": milestone.id}))?;
        if leave == Leave::Funded {
            return Ok(None);
        }
        let submitted = self.story.submit(&milestone.id).await?;
        let at = submitted.submit_time.as_ref().and_then(from_wire_time);
        let at = at.ok_or("a submission without a time")?.as_micros();
        self.answers
            .note(&json!({"did": "submitted", "milestone": milestone.id, "at": at}))?;
        if leave == Leave::Submitted {
            return Ok(None);
        }
        let approved = self.story.approve(&milestone.id).await?;
        let earning = approved.earning_id;
        self.answers
            .note(&json!({"did": "approved", "milestone": milestone.id, "earning": earning}))?;
        Ok(Some(earning))
    }

    async fn refund(&self, earning: &str, amount: Money) -> Result<(), Error> {
        self.story.refund(earning, amount).await?;
        self.answers
            .note(&json!({"did": "refunded", "earning": earning, "minor": amount.minor}))
    }
}

/// How far a milestone comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It is there.
    Agreed,
    /// Its money is in escrow.
    Funded,
    /// Silence approves it later.
    Submitted,
    /// It is approved.
    Paid,
}

/// One of several that work on a contract: milestone after milestone, now and then a refund.
pub struct Lane {
    house: Arc<House>,
    contract: Contract,
    rng: StdRng,
    /// Milestones on this contract.
    made: u32,
    /// What is left of this lane's earnings.
    left: Vec<(String, Money)>,
}

impl Lane {
    pub fn new(house: Arc<House>, contract: Contract, seed: u64) -> Self {
        Self {
            house,
            contract,
            rng: StdRng::seed_from_u64(seed),
            made: 0,
            left: Vec::new(),
        }
    }

    pub async fn work(mut self, stop: CancellationToken) -> Result<(), Error> {
        while !stop.is_cancelled() {
            let leave = match self.rng.random_range(0..40) {
                0 => Leave::Agreed,
                1 => Leave::Funded,
                2 => Leave::Submitted,
                _ => Leave::Paid,
            };
            let minor = self.rng.random_range(1..100_000);
            if self.made >= MOST_MILESTONES {
                self.contract = self.house.hire().await?;
                self.made = 0;
            }
            self.made += 1;
            let paid = self.house.pay(&self.contract, minor, leave).await?;
            let amount = Money::new(minor, self.contract.currency);
            self.left.extend(paid.map(|earning| (earning, amount)));
            if self.rng.random_bool(0.3) {
                self.refund().await?;
            }
        }
        Ok(())
    }

    async fn refund(&mut self) -> Result<(), Error> {
        if self.left.is_empty() {
            return Ok(());
        }
        let index = self.rng.random_range(0..self.left.len());
        let (earning, left) = self.left[index].clone();
        let all = self.rng.random_bool(0.3);
        let minor = if all {
            left.minor
        } else {
            self.rng.random_range(1..=left.minor)
        };
        self.house.refund(&earning, Money::new(minor, left.currency)).await?;
        self.left[index].1.minor -= minor;
        if self.left[index].1.minor == 0 {
            self.left.swap_remove(index);
        }
        Ok(())
    }
}
