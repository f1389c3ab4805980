//! What clients are made to pay, with all instruments of the sandbox.

use vouch_primitives::{AccountId, PersonId, Timestamp};
use vouch_proto::{
    common::v1 as common,
    convert::{from_wire_time, to_wire_time},
    payments::v1::{
        self as pb, Refusal,
        charge::{Purpose, State},
        contract_changed::{Change, Paused, Resumed},
    },
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    hours::{add, hourly, refused, time},
    hours_contracts::{changes, resume},
    hours_invoices::until_invoices,
    tables::{count, told, tried},
    world::{World, at, milestones, money, refusal, request_id, usd},
};

on_both_databases! {
    every_instrument_does_as_it_says_for_all_that_is_paid_for,
    an_unpaid_invoice_is_owed_until_the_client_pays_it,
    a_charge_cannot_be_wrong,
}

/// Monday noon: when the week of the invoices is closed, and everything else is charged as well.
const NOON: &str = "2026-03-09T12:00:00Z";
const HOUR_OF_WORK: i64 = 6_000;

/// What became of an attempt, and how many minutes after noon this was learnt.
type Ended = (i64, Refusal);

const DAY: i64 = 24 * 60;
const PAID: Refusal = Refusal::Unspecified;

/// The attempts at an invoice or a bonus payment by this instrument; a milestone has the first one alone.
fn attempts(instrument: &str) -> Vec<Ended> {
    let refused = |reason| [0, 1, 3, 5].map(|day| (day * DAY, reason)).to_vec();
    match instrument {
        "sandbox-accepts" | "sandbox-unverified" | "sandbox-charges-back" => vec![(0, PAID)],
        "sandbox-insufficient-funds" => refused(Refusal::InsufficientFunds),
        "sandbox-expired" => refused(Refusal::Expired),
        "sandbox-declines-1" => vec![(0, Refusal::Declined), (DAY, PAID)],
        "sandbox-declines-3" => [&refused(Refusal::Declined)[..3], &[(5 * DAY, PAID)]].concat(),
        "sandbox-declines-4" => refused(Refusal::Declined),
        "sandbox-times-out-charged" | "sandbox-late" => vec![(1, PAID)],
        // Each is asked for after a minute, and the calendar counts from the first failure.
        "sandbox-late-declines" => [1, DAY + 2, 3 * DAY + 2, 5 * DAY + 2]
            .map(|minute| (minute, Refusal::Declined))
            .to_vec(),
        // Given and asked for in turn after 1, 2, 4, … minutes, then every six hours, until a day is over.
        "sandbox-times-out-uncharged" => {
            let over = 1 + 2 + 4 + 8 + 16 + 32 + 64 + 128 + 256 + 4 * 360;
            vec![(over, Refusal::NotCarriedOut), (over + DAY, PAID)]
        }
        other => panic!("{other}"),
    }
}

const INSTRUMENTS: [&str; 12] = [
    "sandbox-accepts",
    "sandbox-unverified",
    "sandbox-insufficient-funds",
    "sandbox-expired",
    "sandbox-declines-1",
    "sandbox-declines-3",
    "sandbox-declines-4",
    "sandbox-times-out-charged",
    "sandbox-times-out-uncharged",
    "sandbox-late",
    "sandbox-late-declines",
    "sandbox-charges-back",
];

/// What is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Milestone,
    Invoice,
    Bonus,
}

/// Something that is charged by one instrument.
struct Case {
    instrument: &'static str,
    what: What,
    account: AccountId,
    contract: pb::Contract,
}

impl World {
    pub async fn charges_of(&self, client: &str, contract: &str) -> Vec<pb::Charge> {
        let (mut charges, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListChargesRequest {
                client_id: client.to_owned(),
                contract_id: contract.to_owned(),
                page_size: 2,
                page_token,
            };
            let page = self
                .charges
                .clone()
                .list_charges(request)
                .await
                .expect("a page")
                .into_inner();
            assert!(page.charges.len() <= 2);
            charges.extend(page.charges);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return charges;
            }
        }
    }

    pub async fn retry(&self, charge: &str) -> Result<pb::Charge, tonic::Status> {
        let request = pb::RetryChargeRequest {
            request_id: request_id(),
            charge_id: charge.to_owned(),
        };
        let answer = self.charges.clone().retry_charge(request).await?;
        Ok(answer.into_inner().charge.expect("a charge"))
    }
}

impl Case {
    async fn new(world: &World, instrument: &'static str, what: What) -> Self {
        let account = AccountId::new();
        let contract = match what {
            What::Invoice => hourly(world, PersonId::new(), account, usd(HOUR_OF_WORK), 600).await,
            What::Milestone | What::Bonus => world.contract(account, usd(1_000)).await,
        };
        world
            .bill(&contract.client_id, instrument)
            .await
            .expect("a billing method");
        Self {
            instrument,
            what,
            account,
            contract,
        }
    }

    fn attempts(&self) -> Vec<Ended> {
        let mut expected = attempts(self.instrument);
        if self.what == What::Milestone {
            expected.truncate(1);
        }
        expected
    }

    fn name(&self) -> String {
        format!("{:?} by {}", self.what, self.instrument)
    }

    /// The one charge, with its attempts.
    async fn charge(&self, world: &World) -> pb::Charge {
        let listed = world.charges_of(&self.contract.client_id, &self.contract.id).await;
        assert_eq!(listed.len(), 1, "{}", self.name());
        world.charge(&listed[0].id).await
    }

    /// When the client paid, if it did.
    fn paid_at(&self) -> Option<Timestamp> {
        let last = *self.attempts().last()?;
        (last.1 == PAID).then(|| minutes_after_noon(last.0))
    }

    fn gross(&self) -> i64 {
        match self.what {
            What::Milestone => 1_000,
            What::Invoice => HOUR_OF_WORK,
            What::Bonus => 500,
        }
    }
}

fn minutes_after_noon(minutes: i64) -> Timestamp {
    Timestamp::from_micros(at(NOON).as_micros() + minutes * 60_000_000)
}

/// All that these instruments come to, with the calendar of the attempts: nothing is anybody's before it is paid.
async fn every_instrument_does_as_it_says_for_all_that_is_paid_for(database: TestDatabase) {
    let world = World::new(database).await;
    let mut cases = Vec::new();
    for instrument in INSTRUMENTS {
        for what in [What::Milestone, What::Invoice, What::Bonus] {
            cases.push(Case::new(&world, instrument, what).await);
        }
    }
    world.advance_to(at("2026-03-03T12:00:00Z")).await;
    for case in cases.iter().filter(|case| case.what == What::Invoice) {
        let worked = time(&case.contract.id, "2026-03-03T10:00:00Z", "2026-03-03T11:00:00Z");
        add(&world, worked).await.expect("added");
    }
    world.advance_to(at(NOON)).await;
    for case in &cases {
        match case.what {
            What::Milestone => {
                let begun = world
                    .begin_to_fund(&milestones(&case.contract)[0].id)
                    .await
                    .expect("begun");
                assert_eq!(begun.milestone.expect("it").state(), pb::milestone::State::Funding);
            }
            What::Bonus => {
                let request = pb::PayBonusRequest {
                    request_id: request_id(),
                    contract_id: case.contract.id.clone(),
                    amount: Some(usd(500)),
                    message: "Thank you".to_owned(),
                };
                let given = world
                    .bonuses
                    .clone()
                    .pay_bonus(request)
                    .await
                    .expect("given")
                    .into_inner();
                let bonus = given.bonus_payment.expect("a bonus payment");
                assert_eq!(
                    (bonus.state(), bonus.earning_id),
                    (pb::bonus_payment::State::Open, String::new())
                );
            }
            What::Invoice => {}
        }
    }
    for day in 0..9 {
        let now = minutes_after_noon(day * DAY + 10);
        world.advance_to(now).await;
        for case in &cases {
            look(&world, case, now).await;
        }
    }
    for case in &cases {
        at_last(&world, case).await;
    }
    charged_back(&world, &cases).await;
    world.stop().await;
}

/// How it stands at `now`.
async fn look(world: &World, case: &Case, now: Timestamp) {
    let (name, charge) = (case.name(), case.charge(world).await);
    let ended = |attempt: &pb::ChargeAttempt| {
        let at = attempt.end_time.as_ref().and_then(from_wire_time).expect("a time");
        let minutes = (at.as_micros() - at_noon()) / 60_000_000;
        (minutes, attempt.reason())
    };
    let ended: Vec<Ended> = charge.attempts.iter().map(ended).collect();
    let all = case.attempts();
    let by_now: Vec<Ended> = all
        .iter()
        .filter(|one| minutes_after_noon(one.0) <= now)
        .copied()
        .collect();
    assert_eq!(ended, by_now, "{name} at {now}");
    let is_paid = case.paid_at().is_some_and(|at| at <= now);
    let last = by_now.last().map_or(PAID, |ended| ended.1);
    let state = match (is_paid, charge.state(), by_now.len() == all.len()) {
        (true, _, _) => State::Succeeded,
        (false, State::Pending, false) => State::Pending,
        (false, _, false) => State::Failed,
        (false, _, true) => State::GivenUp,
    };
    assert_eq!(charge.state(), state, "{name} at {now}");
    if matches!(state, State::Failed | State::GivenUp) {
        assert_eq!(charge.reason(), last, "{name} at {now}");
    }
    assert_eq!(charge.provider_reference.is_empty(), !is_paid, "{name}");
    // A contract waits for what was worked for, and for a bonus as long as it is tried.
    let contract = world.contract_of(&case.contract.id).await;
    let failed = by_now.first().is_some_and(|first| first.1 != PAID);
    let waits = match case.what {
        What::Milestone => false,
        What::Invoice => failed && !is_paid,
        What::Bonus => failed && !is_paid && state != State::GivenUp,
    };
    assert_eq!(contract.unpaid_time.is_some(), waits, "{name} at {now}");
    let paused = pb::contract::State::Paused;
    assert_eq!(contract.state() == paused, waits, "{name} at {now}");
    // Nothing is anybody's before it is paid, and nothing is available before its time.
    let [pending, available, owed] = world.balances(case.account, "USD").await;
    let is_earned = is_paid && case.what != What::Milestone;
    let net = if is_earned { case.gross() * 9 / 10 } else { 0 };
    assert_eq!((pending + available, owed), (net, 0), "{name} at {now}");
    let since = case.available_at();
    let is_available = is_earned && since.is_some_and(|since| since <= now);
    assert_eq!(available, if is_available { net } else { 0 }, "{name} at {now}");
}

impl Case {
    /// Five days after the payment, and for an invoice not before its Wednesday [F6].
    fn available_at(&self) -> Option<Timestamp> {
        let five_days_later = self.paid_at()?.add_days(5);
        Some(match self.what {
            What::Invoice => five_days_later.max(at("2026-03-18")),
            What::Milestone | What::Bonus => five_days_later,
        })
    }
}

fn at_noon() -> i64 {
    at(NOON).as_micros()
}

/// What it is that was paid for, after all attempts.
async fn at_last(world: &World, case: &Case) {
    let (name, charge) = (case.name(), case.charge(world).await);
    let is_paid = case.paid_at().is_some();
    match charge.purpose.expect("a purpose") {
        Purpose::MilestoneId(id) => {
            let contract = world.contract_of(&case.contract.id).await;
            let milestone = milestones(&contract).iter().find(|one| one.id == id).expect("it");
            let [funded, agreed] = [pb::milestone::State::Funded, pb::milestone::State::Agreed];
            assert_eq!(milestone.state(), if is_paid { funded } else { agreed }, "{name}");
        }
        Purpose::InvoiceId(id) => {
            let invoice = until_invoices(world, case.account, 1).await.remove(0);
            let [paid, unpaid] = [pb::invoice::State::Paid, pb::invoice::State::Unpaid];
            assert_eq!(
                (invoice.id.as_str(), invoice.state()),
                (id.as_str(), if is_paid { paid } else { unpaid }),
                "{name}"
            );
            assert_eq!(invoice.pay_time, case.paid_at().map(to_wire_time), "{name}");
            let owed: &[common::Money] = if is_paid { &[] } else { &[usd(HOUR_OF_WORK)] };
            assert_eq!(world.receivables(&case.contract.client_id).await, owed, "{name}");
        }
        Purpose::BonusPaymentId(id) => {
            let bonus = world.bonus(&id).await;
            let [paid, unpaid] = [pb::bonus_payment::State::Paid, pb::bonus_payment::State::Unpaid];
            assert_eq!(bonus.state(), if is_paid { paid } else { unpaid }, "{name}");
            assert!(
                world.receivables(&case.contract.client_id).await.is_empty(),
                "a gift is not owed"
            );
        }
    }
    let events = told::<pb::ChargeFailed>(&world.db).await;
    let failures = events.iter().filter(|event| event.charge_id == charge.id);
    let told: Vec<_> = failures
        .map(|event| (event.attempt, event.reason(), event.retry_time.is_some()))
        .collect();
    let refused = case.attempts().into_iter().filter(|ended| ended.1 != PAID);
    let last = case.attempts().len();
    let expected: Vec<_> = (1..)
        .zip(refused)
        .map(|(number, ended)| (number, ended.1, number < u32::try_from(last).expect("few")))
        .collect();
    assert_eq!(told, expected, "{name}");
}

/// Ten days after noon the sandbox takes back what it charged by one of the instruments, whatever has become of it.
async fn charged_back(world: &World, cases: &[Case]) {
    let before = count(&world.db, "chargeback").await;
    world.advance_to(minutes_after_noon(10 * DAY + 1)).await;
    assert_eq!((before, count(&world.db, "chargeback").await), (0, 3));
    let cases = cases.iter().filter(|case| case.instrument == "sandbox-charges-back");
    for case in cases {
        assert_eq!(world.balances(case.account, "USD").await, [0, 0, 0], "{}", case.name());
    }
}

// F6
async fn an_unpaid_invoice_is_owed_until_the_client_pays_it(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = hourly(&world, PersonId::new(), ada, money("JPY", 6_000), 600).await;
    let client = &contract.client_id;
    world
        .bill(client, "sandbox-insufficient-funds")
        .await
        .expect("a billing method");
    world.advance_to(at("2026-03-03T12:00:00Z")).await;
    let worked = time(&contract.id, "2026-03-03T10:00:00Z", "2026-03-03T11:00:00Z");
    add(&world, worked).await.expect("added");
    world.advance_to(at(NOON)).await;
    let charge = world.charges_of(client, "").await.remove(0);
    assert_eq!((charge.state(), charge.attempt_count), (State::Failed, 1));
    assert_eq!(charge.retry_time, Some(to_wire_time(at("2026-03-10T12:00:00Z"))));
    // Nobody works for nothing, and the client cannot just go on.
    let more = || time(&contract.id, "2026-03-09T13:00:00Z", "2026-03-09T14:00:00Z");
    world.advance_to(at("2026-03-09T15:00:00Z")).await;
    assert_eq!(refusal(add(&world, more()).await), refused("CONTRACT_UNPAID"));
    assert_eq!(refusal(resume(&world, &contract.id).await), refused("CONTRACT_UNPAID"));
    // Who is impatient is refused again, and the calendar stays.
    world.retry(&charge.id).await.expect("tried again");
    let again = world.until_charged(&charge.id).await;
    assert_eq!(
        (again.state(), again.attempt_count, again.retry_time),
        (State::Failed, 2, charge.retry_time)
    );
    world.advance_to(at("2026-03-16")).await;
    let given_up = world.charge(&charge.id).await;
    assert_eq!((given_up.state(), given_up.attempt_count), (State::GivenUp, 5));
    assert_eq!(world.receivables(client).await, [money("JPY", 6_000)]);
    world.retry(&charge.id).await.expect("tried again");
    assert_eq!(
        world.until_charged(&charge.id).await.state(),
        State::GivenUp,
        "as before"
    );
    assert_eq!(world.receivables(client).await, [money("JPY", 6_000)], "owed once");
    let [unpaid] = <[_; 1]>::try_from(told::<pb::InvoiceUnpaid>(&world.db).await).expect("told once");
    assert_eq!((&unpaid.client_id, unpaid.amount), (client, Some(money("JPY", 6_000))));
    assert_eq!(unpaid.give_up_time, Some(to_wire_time(at("2026-03-14T12:00:00Z"))));
    world.bill(client, "sandbox-accepts").await.expect("a billing method");
    world.retry(&charge.id).await.expect("tried again");
    assert_eq!(world.until_charged(&charge.id).await.state(), State::Succeeded);
    assert_eq!(refusal(world.retry(&charge.id).await), refused("CHARGE_NOT_FAILED"));
    assert!(world.receivables(client).await.is_empty());
    assert_eq!(world.balances(ada, "JPY").await, [5_400, 0, 0]);
    assert_eq!(world.contract_of(&contract.id).await, contract, "work goes on");
    let no_more = refusal(add(&world, more()).await);
    assert_eq!(no_more, refused("TIME_WHILE_PAUSED"), "it did not then");
    assert_eq!(
        changes(&world).await,
        [Change::Paused(Paused {}), Change::Resumed(Resumed {})]
    );
    world.advance_to(at("2026-03-20T23:59:59Z")).await;
    assert_eq!(
        world.balances(ada, "JPY").await,
        [5_400, 0, 0],
        "five days after the payment"
    );
    world.advance_to(at("2026-03-21")).await;
    assert_eq!(world.balances(ada, "JPY").await, [0, 5_400, 0]);
    world.stop().await;
}

/// What the database itself refuses.
async fn a_charge_cannot_be_wrong(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    world.fund(&milestones(&contract)[0].id).await.expect("funded");
    for (sql, why) in [
        ("UPDATE charge SET state = 'PENDING'", "charge_that"),
        ("UPDATE charge SET state = 'LOST'", "charge_"),
        ("UPDATE charge SET reference = NULL", "charge_that_succeeded_is_told"),
        ("UPDATE charge SET amount_minor = 0", "charge_amount_is_positive"),
        ("UPDATE charge SET attempt = 0", "charge_attempts_count_from_1"),
        ("UPDATE charge SET currency = 'EUR'", "FOREIGN KEY|charge_contract"),
        ("UPDATE charge_attempt SET reference = 'x'", "append-only"),
        ("DELETE FROM charge_attempt", "append-only"),
        ("UPDATE milestone SET state = 'FUNDED?'", "milestone_state_is_known"),
        (
            "INSERT INTO charge SELECT contract_id, contract_id, client_id, purpose, purpose_id, currency, amount_minor, \
             created_at, state, next_at, reason, first_failed_at, given_up_at, succeeded_at, reference, attempt, \
             billing_method_id, instrument, verified, begun_at, tries, asks, 0 FROM charge",
            "charge.purpose|charge_is_alive_once",
        ),
        (
            "INSERT INTO charge_attempt SELECT charge_id, charge_id, number + 1, billing_method_id, instrument, verified, \
             begun_at, tries, ended_at, reference, reason FROM charge_attempt",
            "charge_attempt.charge_id|charge_attempt_succeeds_once",
        ),
    ] {
        let answer = tried(&world.db, sql).await;
        let as_expected = |error: &String| why.split('|').any(|part| error.contains(part));
        assert!(answer.as_ref().is_err_and(as_expected), "{sql}: {answer:?}");
    }
    world.stop().await;
}
