//! A client is charged at most once, whatever is heard of it, and by the calendar.

use proptest::{collection::vec, prelude::*, sample::select};
use vouch_primitives::{
    BonusPaymentId, ChargeId, ClientId, ContractId, Currency, InvoiceId, MilestoneId, Money, Timestamp, Uuid,
};

use crate::domain::{
    Charge, ChargeError, ChargeState, ChargedInstrument, EarningSource, Heard, Refusal,
    charge::{Attempt, Concluded},
};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn charge(purpose: EarningSource) -> Charge {
    let at = Timestamp::from_micros(0);
    Charge {
        id: ChargeId::from_uuid(Uuid::from_u128(1)),
        contract_id: ContractId::from_uuid(Uuid::from_u128(2)),
        client_id: ClientId::from_uuid(Uuid::from_u128(3)),
        purpose,
        amount: Money::new(100, Currency::USD),
        created_at: at,
        attempt: Attempt::new(1, instrument(), at),
        first_failed_at: None,
        given_up_at: None,
        refunded_minor: 0,
        state: ChargeState::Pending { look_at: at },
    }
}

fn instrument() -> Option<ChargedInstrument> {
    Some(ChargedInstrument {
        method: None,
        token: "card".to_owned(),
        verified: true,
    })
}

fn invoice() -> EarningSource {
    EarningSource::Invoice(InvoiceId::from_uuid(Uuid::from_u128(4)))
}

fn bonus() -> EarningSource {
    EarningSource::Bonus(BonusPaymentId::from_uuid(Uuid::from_u128(5)))
}

fn milestone() -> EarningSource {
    EarningSource::Milestone(MilestoneId::from_uuid(Uuid::from_u128(6)))
}

/// One turn to the provider, honest and as bad as a provider and a network can be.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// Whether an order that is given is carried out; refused otherwise.
    accepts: bool,
    /// Whether the order gets there at all.
    arrives: bool,
    /// Whether the answer comes back.
    answers: bool,
    /// Whether the provider says that it does not know yet.
    late: bool,
    /// How much later than it was due, in minutes.
    delay: i64,
    /// Whether what was heard is heard twice.
    twice: bool,
    /// Whether the client asks for another attempt, if that is possible.
    impatient: bool,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let flags = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    let turn = (flags, 0..3_000_i64).prop_map(|((accepts, arrives, answers, late, twice, impatient), delay)| Turn {
        accepts,
        arrives,
        answers,
        late,
        delay,
        twice,
        impatient,
    });
    vec(turn, 1..60)
}

/// What a provider knows of the orders that it has got: whether they were carried out.
#[derive(Default)]
struct Provider(Vec<(u32, bool)>);

impl Provider {
    fn turn(&mut self, charge: &Charge, turn: Turn) -> Heard {
        let number = charge.attempt.number;
        let known = |orders: &[(u32, bool)]| orders.iter().find(|order| order.0 == number).map(|order| order.1);
        if !charge.attempt.asks {
            if !turn.arrives {
                return Heard::NotCarriedOut;
            }
            // The same order a second time is the first one.
            if known(&self.0).is_none() {
                self.0.push((number, turn.accepts));
            }
        }
        if !turn.answers || turn.late {
            return Heard::Unknown;
        }
        match known(&self.0) {
            Some(true) => Heard::Succeeded {
                reference: number.to_string(),
            },
            Some(false) => Heard::Refused(Refusal::Declined),
            None => Heard::NotCarriedOut,
        }
    }
}

proptest! {
    /// Whatever happens, at most one order is carried out; the charge has succeeded only if one was; and one that was refused
    /// for good never was. Each failure waits for a day of the calendar, or was the last.
    #[test]
    fn a_client_pays_once(purpose in select(vec![invoice(), bonus(), milestone()]), turns in turns()) {
        let (mut charge, mut provider, mut now) = (charge(purpose), Provider::default(), Timestamp::from_micros(0));
        let mut ended: Vec<Concluded> = Vec::new();
        for turn in turns {
            let due = match charge.state {
                ChargeState::Pending { look_at } => look_at,
                ChargeState::Failed { retry_at, .. } if !turn.impatient => retry_at,
                ChargeState::Failed { .. } | ChargeState::GivenUp { .. } => now,
                ChargeState::Succeeded { .. } => break,
            };
            now = now.max(Timestamp::from_micros(due.as_micros() + turn.delay * MINUTE));
            let ChargeState::Pending { .. } = charge.state else {
                let number = charge.attempt.number;
                let again = charge.try_again(instrument(), now);
                let is_milestone = matches!(purpose, EarningSource::Milestone(_));
                prop_assert_eq!(again.is_err(), is_milestone);
                prop_assert_eq!(charge.attempt.number, number + u32::from(!is_milestone));
                continue;
            };
            let at = (charge.attempt.number, charge.attempt.tries);
            let heard = provider.turn(&charge, turn);
            ended.extend(charge.hear(at, heard.clone(), now));
            if turn.twice {
                let before = charge.clone();
                prop_assert_eq!(charge.hear(at, heard, now), None);
                prop_assert_eq!(&charge, &before);
            }
            check_calendar(&charge, now)?;
        }
        let carried_out: Vec<u32> = provider.0.iter().filter(|order| order.1).map(|order| order.0).collect();
        prop_assert!(carried_out.len() <= 1, "{carried_out:?}");
        let attempts = || ended.iter().map(|one| &one.ended);
        let succeeded: Vec<u32> = attempts().filter(|one| one.outcome.is_ok()).map(|one| one.attempt.number).collect();
        prop_assert!(ended.iter().filter(|one| one.gives_up).count() <= 1, "given up for the first time once");
        prop_assert_eq!(matches!(charge.state, ChargeState::Succeeded { .. }), !succeeded.is_empty());
        prop_assert!(succeeded.iter().all(|number| carried_out == [*number]));
        // An order that was carried out is never left for another one.
        prop_assert!(carried_out.iter().all(|number| *number == charge.attempt.number));
    }
}

fn check_calendar(charge: &Charge, now: Timestamp) -> Result<(), TestCaseError> {
    let first = charge.first_failed_at.map_or(0, Timestamp::as_micros);
    match charge.state {
        ChargeState::Failed { retry_at, .. } => {
            let days = retry_at.as_micros() - first;
            prop_assert!(retry_at > now && [DAY, 3 * DAY, 5 * DAY].contains(&days), "{charge:?}");
        }
        ChargeState::GivenUp { .. } => {
            let is_milestone = matches!(charge.purpose, EarningSource::Milestone(_));
            prop_assert!(is_milestone || now.as_micros() >= first + 5 * DAY, "{charge:?}");
        }
        ChargeState::Pending { .. } | ChargeState::Succeeded { .. } => {}
    }
    Ok(())
}

/// 1, 3 and 5 days after the first failure; after the last one the invoice is owed.
#[test]
fn a_failed_charge_is_tried_again_by_the_calendar() {
    let mut charge = charge(invoice());
    let mut now = Timestamp::from_micros(0);
    let mut tried = Vec::new();
    loop {
        tried.push(now.as_micros() / DAY);
        let at = (charge.attempt.number, 0);
        charge.hear(at, Heard::Refused(Refusal::Expired), now);
        let ChargeState::Failed { retry_at, .. } = charge.state else {
            break;
        };
        assert_eq!(charge.holds_up_since(), Some(Timestamp::from_micros(0)));
        now = retry_at;
        charge.try_again(instrument(), now).expect("it failed");
    }
    assert_eq!(tried, [0, 1, 3, 5]);
    let reason = Refusal::Expired;
    assert_eq!(charge.state, ChargeState::GivenUp { reason });
    assert!(charge.is_owed());
    // The client pays later.
    charge
        .try_again(instrument(), now.add_days(30))
        .expect("it was given up");
    let reference = "r".to_owned();
    charge.hear((5, 0), Heard::Succeeded { reference }, now.add_days(30));
    assert_eq!(charge.holds_up_since(), None);
    let again = charge.try_again(instrument(), now.add_days(31));
    assert_eq!(again, Err(ChargeError::NotFailed { state: "SUCCEEDED" }));
}

/// Whose outcome is unknown is asked for after 1, 2, 4, … minutes, at last every six hours, for as long as it takes.
#[test]
fn an_unknown_outcome_is_asked_for_less_and_less_often() {
    let mut charge = charge(milestone());
    let mut now = Timestamp::from_micros(0);
    let mut waits = Vec::new();
    for tries in 0..12 {
        assert_eq!(charge.hear((1, tries), Heard::Unknown, now), None);
        assert!(charge.attempt.asks);
        let ChargeState::Pending { look_at } = charge.state else {
            panic!("{charge:?}")
        };
        waits.push((look_at.as_micros() - now.as_micros()) / MINUTE);
        now = look_at;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
}
