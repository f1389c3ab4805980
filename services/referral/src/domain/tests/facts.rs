//! What can become known of a small world: two referrers, three people, two clients, six contracts.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{prelude::*, sample::Index};
use vouch_primitives::{AccountId, BasisPoints, ClientId, ContractId, Currency, PersonId, ReferrerId, Timestamp, Uuid};

use crate::domain::{BonusBasis, ReferralKind, SignUpBonus, Terms};

pub const REFERRERS: usize = 2;
pub const PEOPLE: usize = 3;
pub const CLIENTS: usize = 2;
pub const CONTRACTS: usize = 6;
pub const CURRENCIES: [&str; 2] = ["USD", "JPY"];
pub const DAY: i64 = 86_400_000_000;

/// One thing that becomes known. Numbers are places in the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Earned {
        id: usize,
        contract: usize,
        currency: usize,
        minor: i64,
        occurred: Timestamp,
        settled: Timestamp,
    },
    /// Below zero for a reinstatement.
    Reversed {
        id: usize,
        earning: usize,
        minor: i64,
    },
    Attributed {
        person: usize,
        referrer: usize,
        joined: Timestamp,
        terms: usize,
        kind: ReferralKind,
    },
    Introduced {
        person: usize,
        client: usize,
        referrer: usize,
        made: Timestamp,
        terms: usize,
        kind: ReferralKind,
    },
    Started {
        contract: usize,
        began: Timestamp,
    },
    Ended {
        contract: usize,
        at: Timestamp,
    },
    Screened {
        person: usize,
        passes: bool,
    },
    Stood {
        referrer: usize,
        at: Timestamp,
        good: bool,
    },
    Account {
        person: usize,
        at: Timestamp,
        open: bool,
    },
    Suspected {
        person: usize,
        referrer: usize,
    },
    LookedAt {
        person: usize,
        referrer: usize,
        confirmed: bool,
    },
    Related {
        person: usize,
        client: usize,
    },
    Consented {
        person: usize,
        from: Timestamp,
        terms: usize,
    },
    WindowEnded {
        person: usize,
    },
}

/// A history in one order, and the two moments at which its totals are looked at.
#[derive(Clone, Debug)]
pub struct Case {
    pub facts: Vec<Fact>,
    pub now: Timestamp,
    pub later: Timestamp,
}

pub fn id(kind: u8, number: usize) -> Uuid {
    let mut bytes = [kind; 16];
    bytes[15] = u8::try_from(number).expect("few");
    Uuid::from_bytes(bytes)
}

pub fn person(number: usize) -> PersonId {
    PersonId::from_uuid(id(1, number))
}

pub fn account(number: usize) -> AccountId {
    AccountId::from_uuid(id(2, number))
}

pub fn client(number: usize) -> ClientId {
    ClientId::from_uuid(id(3, number))
}

pub fn contract(number: usize) -> ContractId {
    ContractId::from_uuid(id(4, number))
}

pub fn referrer(number: usize) -> ReferrerId {
    ReferrerId::from_uuid(id(5, number))
}

pub fn currency(number: usize) -> Currency {
    CURRENCIES[number].parse().expect("a currency")
}

/// Who works by a contract, and for whom.
pub const fn parties(contract: usize) -> (usize, usize) {
    (contract % PEOPLE, contract / PEOPLE)
}

/// Versions that differ in everything.
pub fn terms(number: usize) -> Arc<Terms> {
    let bonus = |cap_minor, referee_minor| SignUpBonus {
        amount_minor: 100,
        qualifying_minor: 500,
        cap_minor,
        referee_minor,
    };
    let usd = |cap_minor, referee_minor| BTreeMap::from([(Currency::USD, bonus(cap_minor, referee_minor))]);
    Arc::new(match number {
        0 => Terms::first(),
        1 => Terms {
            sign_up: usd(Some(200), 40),
            ..Terms::standard()
        },
        2 => Terms {
            version: 3,
            lifetime: BasisPoints::of(300),
            bonus: BasisPoints::of(2_000),
            bonus_basis: BonusBasis::AccruedCommission,
            window_months: 1,
            agency: BasisPoints::of(700),
            introduction: BasisPoints::of(250),
            hold_days: 3,
            sign_up: usd(Some(100), 0),
            ..Terms::standard()
        },
        _ => Terms {
            version: 4,
            bonus_basis: BonusBasis::RateStep,
            agency: BasisPoints::of(0),
            screened: false,
            hold_days: 1,
            sign_up: BTreeMap::new(),
            ..Terms::standard()
        },
    })
}

fn moment() -> impl Strategy<Value = Timestamp> {
    // Few moments, so that they often are the same or next to one another.
    (0_i64..12, -1_i64..=1)
        .prop_map(|(tenth, off)| Timestamp::from_micros(1_764_460_800_000_000 + tenth * 10 * DAY + off))
}

const ATTRIBUTING: [ReferralKind; 4] = [
    ReferralKind::Friend,
    ReferralKind::Freelancer,
    ReferralKind::ThirdPartySite,
    ReferralKind::Affiliate,
];

const INTRODUCING: [ReferralKind; 3] = [
    ReferralKind::Freelancer,
    ReferralKind::Agency,
    ReferralKind::ClientIntroduction,
];

const fn looked_at(person: usize, referrer: usize, confirmed: bool) -> Fact {
    Fact::LookedAt {
        person,
        referrer,
        confirmed,
    }
}

fn fact() -> impl Strategy<Value = Fact> {
    let minor = prop_oneof![1_i64..50, 200_i64..800, 1_i64..1_000_000];
    let settling = (0_i64..8).prop_map(|days| days * DAY);
    let numbers = (
        0..PEOPLE,
        0..CLIENTS,
        0..REFERRERS,
        0..CONTRACTS,
        0..4_usize,
        0..CURRENCIES.len(),
    );
    let rest = (minor, moment(), moment(), settling, any::<bool>(), any::<Index>());
    (0..21_u8, numbers, rest).prop_map(move |(which, numbers, (minor, at, other, settling, yes, index))| {
        let (person, client, referrer, contract, terms, currency) = numbers;
        match which {
            0..=5 => {
                let settled = Timestamp::from_micros(at.as_micros() + settling);
                Fact::Earned {
                    id: index.index(8),
                    contract,
                    currency,
                    minor,
                    occurred: at,
                    settled,
                }
            }
            6 | 7 => Fact::Reversed {
                id: index.index(6),
                earning: index.index(48) / 6,
                minor: if yes { minor } else { -minor },
            },
            8 | 9 => Fact::Attributed {
                person,
                referrer,
                joined: at,
                terms,
                kind: ATTRIBUTING[index.index(4)],
            },
            10 => Fact::Introduced {
                person,
                client,
                referrer,
                made: at,
                terms,
                kind: INTRODUCING[index.index(3)],
            },
            11 => Fact::Started { contract, began: at },
            12 => Fact::Ended { contract, at },
            13 | 14 => Fact::Screened { person, passes: yes },
            15 => Fact::Stood {
                referrer,
                at,
                good: yes,
            },
            16 => Fact::Account { person, at, open: yes },
            17 if yes => Fact::Related { person, client },
            17 => Fact::Suspected { person, referrer },
            18 => Fact::Consented {
                person,
                from: at.max(other),
                terms,
            },
            19 => Fact::WindowEnded { person },
            _ => looked_at(person, referrer, yes),
        }
    })
}

/// What says which thing a fact is about: there is one fact for each in a history, though it may come more than once.
fn key(fact: &Fact) -> String {
    match fact {
        Fact::Earned { id, .. } => format!("earned {id}"),
        Fact::Reversed { id, .. } => format!("reversed {id}"),
        Fact::Attributed { person, .. } => format!("attributed {person}"),
        Fact::Introduced { person, client, .. } => format!("introduced {person} {client}"),
        Fact::Started { contract, .. } => format!("started {contract}"),
        Fact::Ended { contract, .. } => format!("ended {contract}"),
        Fact::Consented { person, .. } => format!("consented {person}"),
        Fact::LookedAt { person, referrer, .. } => format!("looked at {person} {referrer}"),
        other => format!("{other:?}"),
    }
}

/// Up to `most` facts in any order, some of them twice.
pub fn case(most: usize) -> impl Strategy<Value = Case> {
    let twice = prop::collection::vec(any::<Index>(), 0..4);
    (prop::collection::vec(fact(), 1..most), twice, moment(), moment()).prop_map(|(facts, twice, one, other)| {
        let mut known: BTreeMap<String, Fact> = BTreeMap::new();
        let mut kept: Vec<Fact> = Vec::new();
        for fact in facts {
            if known.insert(key(&fact), fact.clone()).is_none() {
                kept.push(fact);
            }
        }
        // The first of each thing is the fact; the map holds the last, which is not told.
        for index in twice {
            let again = index.get(&kept).clone();
            kept.push(again);
        }
        Case {
            facts: kept,
            now: one.min(other),
            later: one.max(other).add_days(200),
        }
    })
}
