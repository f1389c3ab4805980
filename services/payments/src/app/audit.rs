//! The books as they are checked all the time, for the metrics: an alert must not wait until somebody asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry::{
    KeyValue, global,
    metrics::{Gauge, Meter},
};
use vouch_primitives::{Clock, Currency, SystemClock, Uuid};
use vouch_storage::Txn;

use super::App;
use crate::{
    domain::check::{Fault, Finding},
    error::Error,
    store::{
        self,
        checks::{Compared, PaidRewards, Run, Which},
    },
};

/// How many balances, and ties, each look compares beside those that have moved, in turn.
const SWEPT: u64 = 500;
/// How many findings are counted.
const COUNTED: u64 = 1_000;

/// Checks the books, and tells by gauges what it has found.
#[derive(Clone, Debug)]
pub struct Audit {
    app: App,
    state: Arc<Mutex<State>>,
    gauges: Arc<Gauges>,
}

/// What a process keeps between two looks.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    begun: bool,
    behind_account: Uuid,
    behind_tie: Uuid,
}

#[derive(Debug)]
struct Gauges {
    imbalance: Gauge<i64>,
    mismatch: Gauge<u64>,
    paid: Gauge<i64>,
    position: Gauge<i64>,
    unchecked: Gauge<i64>,
    checked: Gauge<i64>,
    refused: Gauge<u64>,
}

impl Gauges {
    fn new(meter: &Meter) -> Self {
        let number = |name: &'static str, text: &'static str| meter.i64_gauge(name).with_description(text);
        Self {
            imbalance: number(
                "vouch.ledger.imbalance",
                "the sum of all accounts in minor units, which is zero",
            )
            .build(),
            mismatch: meter
                .u64_gauge("vouch.ledger.account_mismatch")
                .with_unit("{account}")
                .with_description("accounts and ties about which something is wrong")
                .build(),
            paid: number("vouch.rewards.paid", "what was posted for rewards, in minor units").build(),
            position: number(
                "vouch.ledger.checked_position",
                "the place in the ledger up to which it has been checked",
            )
            .build(),
            unchecked: number(
                "vouch.ledger.unchecked",
                "how many places there are behind the last one that was checked",
            )
            .build(),
            checked: number(
                "vouch.ledger.last_check.timestamp",
                "when the books were last checked, by the clock on the wall",
            )
            .with_unit("s")
            .build(),
            refused: meter
                .u64_gauge("vouch.refunds.refused")
                .with_unit("{refund}")
                .with_description("refunds to clients that the payment provider has refused")
                .build(),
        }
    }
}

impl Audit {
    /// The check of this service's books.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self {
            app,
            state: Arc::default(),
            gauges: Arc::new(Gauges::new(&global::meter("vouch"))),
        }
    }

    /// Checks what is new, goes on with the check of everything that begins with the process, and compares the next of all
    /// balances.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check(&self) -> Result<(), Error> {
        let mut state = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.begun {
            self.app.begin_check_of_all().await?;
            state.begun = true;
        }
        let reader = self.app.commands.db().reader();
        let known = store::checks::findings(reader, COUNTED).await?;
        let mut found = self.app.follow_new().await?;
        found.extend(self.app.follow_all().await?);
        let paid = store::checks::paid_rewards(reader).await?;
        let compared = self.compared(&mut state, &paid).await?;
        found.extend(compared.iter().filter_map(|compared| compared.finding));
        self.keep(&known, &found, &compared).await?;
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.tell(&paid).await
    }

    /// The next balances and ties in turn, and what was found wrong about the present, once more.
    async fn compared(&self, state: &mut State, paid: &[PaidRewards]) -> Result<Vec<Compared>, Error> {
        let reader = self.app.commands.db().reader();
        let next = Which::Behind(state.behind_account, SWEPT);
        let mut compared = store::checks::compare(reader, Run::New, next).await?;
        state.behind_account = where_to_go_on(&compared);
        compared.extend(store::checks::compare(reader, Run::New, Which::Wrong).await?);
        let ties = store::checks::compare_rewards(reader, state.behind_tie, SWEPT).await?;
        state.behind_tie = where_to_go_on(&ties);
        compared.extend(ties);
        compared.extend(paid.iter().map(of_rewards));
        Ok(compared)
    }

    /// Keeps what is wrong, tells what was not known to be, and forgets what has been mended.
    async fn keep(&self, known: &[Finding], found: &[Finding], compared: &[Compared]) -> Result<(), Error> {
        let key = |finding: &Finding| (finding.subject, finding.fault, finding.position);
        let before: BTreeSet<_> = known.iter().map(key).collect();
        for finding in found.iter().filter(|finding| !before.contains(&key(finding))) {
            tracing::error!(
                fault = finding.fault.name(),
                subject = %finding.subject,
                position = finding.position,
                currency = finding.currency.code(),
                expected = finding.expected_minor,
                found = finding.found_minor,
                "the books are wrong"
            );
        }
        let wrong: BTreeSet<_> = found.iter().map(|finding| (finding.subject, finding.fault)).collect();
        let at_rest: BTreeSet<Uuid> = compared.iter().filter(|of| of.at_rest).map(|of| of.subject).collect();
        let mended = known.iter().filter(|finding| {
            let is_seen = finding.fault.is_of_now() && at_rest.contains(&finding.subject);
            is_seen && !wrong.contains(&(finding.subject, finding.fault))
        });
        let mut by_fault: BTreeMap<Fault, Vec<Uuid>> = BTreeMap::new();
        for finding in mended {
            by_fault.entry(finding.fault).or_default().push(finding.subject);
        }
        if found.is_empty() && by_fault.is_empty() {
            return Ok(());
        }
        let (now, by_fault) = (self.app.commands.now(), &by_fault);
        let work = |txn: Arc<Txn>| async move {
            store::checks::save_findings(&txn, now, found).await?;
            for (fault, subjects) in by_fault {
                store::checks::forget_mended(&txn, *fault, subjects).await?;
            }
            Ok(())
        };
        self.app.commands.db().write_tx(work).await
    }

    async fn tell(&self, paid: &[PaidRewards]) -> Result<(), Error> {
        let checks = self.app.get_ledger_check().await?;
        let findings = store::checks::findings(self.app.commands.db().reader(), COUNTED).await?;
        for paid in paid {
            let label = [KeyValue::new("currency", paid.currency.code())];
            let (imbalance, subjects) = sums(&findings, paid.currency);
            self.gauges.imbalance.record(imbalance, &label);
            self.gauges.mismatch.record(subjects, &label);
            self.gauges.paid.record(paid.paid_minor, &label);
        }
        let refused = store::client_refunds::count_refused(self.app.commands.db().reader()).await?;
        self.gauges.refused.record(refused, &[]);
        let unchecked = checks.last_position - checks.new.checked_position;
        self.gauges.position.record(checks.new.checked_position, &[]);
        self.gauges.unchecked.record(unchecked, &[]);
        self.gauges
            .checked
            .record(SystemClock.now().as_micros() / 1_000_000, &[]);
        Ok(())
    }
}

/// Behind which subject the next look goes on: behind none once all have had their turn.
fn where_to_go_on(compared: &[Compared]) -> Uuid {
    let is_full = u64::try_from(compared.len()).is_ok_and(|many| many >= SWEPT);
    let last = compared.last().filter(|_| is_full);
    last.map_or(Uuid::nil(), |last| last.subject)
}

/// By how much the stored balances of a currency are too high in all, and about how many subjects something is wrong.
/// Transfers by themselves always balance, having both sides in one row.
fn sums(findings: &[Finding], currency: Currency) -> (i64, u64) {
    let of_currency = || findings.iter().filter(|finding| finding.currency == currency);
    let subjects: BTreeSet<Uuid> = of_currency().map(|finding| finding.subject).collect();
    let balances = of_currency().filter(|finding| finding.fault == Fault::Balance);
    let imbalance = balances.fold(0_i64, |sum, finding| {
        sum.saturating_add(finding.found_minor.saturating_sub(finding.expected_minor))
    });
    (imbalance, u64::try_from(subjects.len()).unwrap_or(u64::MAX))
}

fn of_rewards(paid: &PaidRewards) -> Compared {
    let finding = Finding {
        subject: paid.account,
        fault: Fault::Rewards,
        position: 0,
        currency: paid.currency,
        expected_minor: paid.posted_minor,
        found_minor: paid.paid_minor,
    };
    Compared {
        subject: paid.account,
        at_rest: true,
        finding: (paid.paid_minor != paid.posted_minor).then_some(finding),
    }
}
