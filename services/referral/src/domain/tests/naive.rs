//! The rules in their plainest form: everything anew from the set of facts, in 128 bits.

use std::collections::BTreeMap;

use vouch_primitives::Timestamp;

use super::facts::{CONTRACTS, CURRENCIES, DAY, Fact, PEOPLE, parties, terms};
use crate::domain::{BonusBasis, Qualification, ReferralKind, Terms};

/// Which tie: an attribution of a person, or the introduction of a person to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TieOf {
    Attribution(usize),
    Introduction(usize, usize),
}

/// Base, exact share, what is free of it, rounded down, and what is released; by tie, kind of reward and currency; and what the referee
/// gets, which has no base and no share.
pub type Totals = BTreeMap<(TieOf, &'static str, usize), (i128, i128, i128)>;

/// What was decided by who came first: the sign-up bonuses.
#[derive(Debug, Default)]
pub struct Naive {
    granted: BTreeMap<usize, bool>,
}

struct Amount {
    contract: usize,
    currency: usize,
    minor: i128,
    occurred: Timestamp,
    settled: Timestamp,
}

/// All earnings and what was reversed of them, each once.
fn amounts(facts: &[Fact]) -> Vec<Amount> {
    let mut earned = BTreeMap::new();
    let mut back = BTreeMap::new();
    for fact in facts {
        match fact {
            Fact::Earned { id, .. } => drop(earned.insert(*id, fact)),
            Fact::Reversed { id, earning, minor } => drop(back.insert(*id, (*earning, *minor))),
            _ => {}
        }
    }
    let mut all = Vec::new();
    for (id, fact) in earned {
        let Fact::Earned {
            contract,
            currency,
            minor,
            occurred,
            settled,
            ..
        } = fact
        else {
            continue;
        };
        let less: i128 = back
            .values()
            .filter(|(of, _)| *of == id)
            .map(|(_, minor)| i128::from(*minor))
            .sum();
        let minor = i128::from(*minor) - less;
        all.push(Amount {
            contract: *contract,
            currency: *currency,
            minor,
            occurred: *occurred,
            settled: *settled,
        });
    }
    all
}

fn good(facts: &[Fact], who: usize, moment: Timestamp) -> bool {
    let changes = facts.iter().filter_map(|fact| match fact {
        Fact::Stood { referrer, at, good } if *referrer == who && *at <= moment => Some((*at, *good)),
        _ => None,
    });
    changes.max().is_none_or(|(_, good)| good)
}

fn open(facts: &[Fact], who: usize, moment: Timestamp) -> bool {
    let changes = facts.iter().filter_map(|fact| match fact {
        Fact::Account { person, at, open } if *person == who && *at <= moment => Some((*at, *open)),
        _ => None,
    });
    changes.max().is_none_or(|(_, open)| open)
}

fn related(facts: &[Fact], contract: usize) -> bool {
    let (who, whom) = parties(contract);
    facts.contains(&Fact::Related {
        person: who,
        client: whom,
    })
}

/// `None` if it is not decided. What has passed has passed.
fn screened(facts: &[Fact], person: usize) -> Option<bool> {
    let passed = facts.contains(&Fact::Screened { person, passes: true });
    let rejected = facts.contains(&Fact::Screened { person, passes: false });
    (passed || rejected).then_some(passed)
}

/// Whether something looks wrong about a referral: `Some(true)` if an operator has found that it is.
fn suspected(facts: &[Fact], person: usize, referrer: usize) -> Option<bool> {
    let looked = facts.iter().find_map(|fact| match fact {
        Fact::LookedAt {
            person: of,
            referrer: by,
            confirmed,
        } if (*of, *by) == (person, referrer) => Some(*confirmed),
        _ => None,
    });
    match looked {
        Some(confirmed) => confirmed.then_some(true),
        None => facts.contains(&Fact::Suspected { person, referrer }).then_some(false),
    }
}

fn rates(facts: &[Fact], who: usize, made: usize, moment: Timestamp) -> std::sync::Arc<Terms> {
    let later = facts.iter().find_map(|fact| match fact {
        Fact::Consented { person, from, terms } if *person == who && *from <= moment => Some(*terms),
        _ => None,
    });
    terms(later.unwrap_or(made))
}

fn midnight_after(settled: Timestamp, hold_days: u32) -> i64 {
    let free = settled.as_micros() + i64::from(hold_days) * DAY;
    match hold_days {
        0 => i64::MIN,
        _ => (free + DAY - 1).div_euclid(DAY) * DAY,
    }
}

/// The contracts that count for the introduction of a person to a client.
fn introduced(facts: &[Fact], person: usize, client: usize, made: Timestamp, kind: ReferralKind) -> Vec<usize> {
    let mut began: Vec<_> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Started { contract, began } if parties(*contract) == (person, client) => Some((*began, *contract)),
            _ => None,
        })
        .collect();
    if began.iter().any(|(began, _)| *began < made) {
        return Vec::new();
    }
    began.sort_unstable();
    began.dedup();
    if kind != ReferralKind::Agency {
        began.truncate(1);
    }
    began.into_iter().map(|(_, contract)| contract).collect()
}

fn attribution(facts: &[Fact], who: usize) -> Option<(usize, Timestamp, usize, ReferralKind)> {
    facts.iter().find_map(|fact| match fact {
        Fact::Attributed {
            person,
            referrer,
            joined,
            terms,
            kind,
        } if *person == who => Some((*referrer, *joined, *terms, *kind)),
        _ => None,
    })
}

/// The amounts that count for an attribution at all.
fn of_person(facts: &[Fact], who: usize) -> Vec<Amount> {
    let Some((referrer, joined, _, _)) = attribution(facts, who) else {
        return Vec::new();
    };
    let counts = |it: &Amount| {
        parties(it.contract).0 == who
            && joined <= it.occurred
            && !related(facts, it.contract)
            && good(facts, referrer, it.occurred)
    };
    amounts(facts).into_iter().filter(counts).collect()
}

impl Naive {
    /// Who has a sign-up bonus after the last of these facts.
    pub fn grant(&mut self, facts: &[Fact]) {
        for who in 0..PEOPLE {
            let Some((referrer, _, made, _)) = attribution(facts, who) else {
                continue;
            };
            let refused = screened(facts, who) == Some(false) || suspected(facts, who, referrer) == Some(true);
            if refused && self.granted.get(&who) == Some(&true) {
                self.granted.remove(&who);
            }
            let terms = terms(made);
            let Some(bonus) = terms.sign_up.values().next() else {
                continue;
            };
            let usd = |it: &Amount| if it.currency == 0 { it.minor } else { 0 };
            let earned: i128 = of_person(facts, who).iter().map(usd).sum();
            if refused || self.granted.contains_key(&who) || earned < i128::from(bonus.qualifying_minor) {
                continue;
            }
            let of_same = |other: &usize| attribution(facts, *other).is_some_and(|(it, ..)| it == referrer);
            let others = self
                .granted
                .iter()
                .filter(|(other, granted)| **granted && of_same(other));
            let sum = 100 * i64::try_from(others.count()).expect("few") + 100;
            self.granted.insert(who, bonus.cap_minor.is_none_or(|cap| sum <= cap));
        }
    }

    /// All totals at a moment.
    pub fn totals(&self, facts: &[Fact], now: Timestamp) -> Totals {
        let mut totals = Totals::new();
        for who in 0..PEOPLE {
            self.add_attribution(&mut totals, facts, who, now);
            for client in 0..CONTRACTS / PEOPLE {
                add_introduction(&mut totals, facts, who, client, now);
            }
        }
        totals.retain(|_, total| *total != (0, 0, 0));
        totals
    }

    fn add_attribution(&self, totals: &mut Totals, facts: &[Fact], who: usize, now: Timestamp) {
        let Some((referrer, joined, made, kind)) = attribution(facts, who) else {
            return;
        };
        let first = terms(made);
        let end = joined.add_months_clamped(first.window_months);
        let ended = facts.contains(&Fact::WindowEnded { person: who });
        let earned = amounts(facts).iter().any(|it| parties(it.contract).0 == who);
        let started = facts
            .iter()
            .any(|fact| matches!(fact, Fact::Started { contract, .. } if parties(*contract).0 == who));
        let hired = kind != ReferralKind::Affiliate || earned || started;
        let trusted = suspected(facts, who, referrer).is_none();
        let screening = trusted && (!first.screened || screened(facts, who) == Some(true));
        for currency in 0..CURRENCIES.len() {
            let mine = of_person(facts, who);
            let mine = mine.iter().filter(|it| it.currency == currency);
            let (mut life, mut bonus) = ([0; 3], [0; 3]);
            for it in mine {
                let at = rates(facts, who, made, it.occurred);
                let free = midnight_after(it.settled, at.hold_days) <= now.as_micros();
                add(&mut life, it.minor, at.lifetime.get(), free);
                let rate = match first.bonus_basis {
                    BonusBasis::AccruedCommission => first.lifetime.get() * first.bonus.get() / 10_000,
                    _ => first.bonus.get(),
                };
                if (it.occurred < end) != (first.bonus_basis == BonusBasis::RateStep) {
                    add(&mut bonus, it.minor, rate, free);
                }
            }
            let tie = TieOf::Attribution(who);
            total(totals, (tie, "LIFETIME_SHARE", currency), life, hired && screening);
            let stayed = ended && open(facts, who, end);
            total(
                totals,
                (tie, "WINDOW_BONUS", currency),
                bonus,
                hired && screening && stayed,
            );
        }
        if self.granted.get(&who) == Some(&true) {
            // Everything here was heard at the beginning of time, so that only the gates matter.
            let pays = hired && screening;
            totals.insert(
                (TieOf::Attribution(who), "SIGN_UP_BONUS", 0),
                (100, 1_000_000, if pays { 100 } else { 0 }),
            );
            // What the referee gets in turn comes with it [R24].
            let benefit = first.sign_up.values().next().map_or(0, |bonus| bonus.referee_minor);
            totals.insert(
                (TieOf::Attribution(who), "REFEREE_BENEFIT", 0),
                (0, 0, if pays { i128::from(benefit) } else { 0 }),
            );
        }
    }
}

fn add_introduction(totals: &mut Totals, facts: &[Fact], who: usize, whom: usize, now: Timestamp) {
    let found = facts.iter().find_map(|fact| match fact {
        Fact::Introduced {
            person,
            client,
            referrer,
            made,
            terms,
            kind,
        } if (*person, *client) == (who, whom) => Some((*referrer, *made, *terms, *kind)),
        _ => None,
    });
    let Some((referrer, at, made, kind)) = found else {
        return;
    };
    let first = terms(made);
    let contracts = introduced(facts, who, whom, at, kind);
    let rate = if kind == ReferralKind::Agency {
        first.agency
    } else {
        first.introduction
    };
    let completed = facts
        .iter()
        .any(|fact| matches!(fact, Fact::Ended { contract, .. } if contracts.contains(contract)));
    let waits = first.qualification[&kind] == Qualification::ContractCompleted && !completed;
    let trusted = suspected(facts, who, referrer).is_none();
    let screening = trusted && (!first.screened || screened(facts, who) == Some(true));
    for currency in 0..CURRENCIES.len() {
        let mut sum = [0; 3];
        for it in amounts(facts)
            .iter()
            .filter(|it| it.currency == currency && rate.get() > 0)
        {
            if contracts.contains(&it.contract) && !related(facts, it.contract) && good(facts, referrer, it.occurred) {
                let free = midnight_after(it.settled, first.hold_days) <= now.as_micros();
                add(&mut sum, it.minor, rate.get(), free);
            }
        }
        let key = (TieOf::Introduction(who, whom), "INTRODUCTION_COMMISSION", currency);
        total(totals, key, sum, screening && !waits);
    }
}

fn add(sums: &mut [i128; 3], minor: i128, basis_points: u32, free: bool) {
    sums[0] += minor;
    sums[1] += minor * i128::from(basis_points);
    sums[2] += if free { minor * i128::from(basis_points) } else { 0 };
}

fn total(totals: &mut Totals, key: (TieOf, &'static str, usize), [base, exact, free]: [i128; 3], pays: bool) {
    let released = if pays { free.div_euclid(10_000).max(0) } else { 0 };
    totals.insert(key, (base, exact, released));
}
