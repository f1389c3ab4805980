//! The product's own functions, fed with one fact after the other, as the use cases feed them.

use std::collections::{BTreeMap, BTreeSet};

use vouch_primitives::{Currency, Money, MoneyError, Timestamp};

use super::{
    facts::{self, CLIENTS, CURRENCIES, Case, Fact, PEOPLE, REFERRERS},
    naive::{TieOf, Totals},
};
use crate::domain::{
    Attribution, Bond, BonusState, Contract, Fund, Introduction, Movement, RewardKind, Screening, SignUp, Standing,
    Suspicion, Tie,
};

/// What is stored, and the ties with their totals.
pub struct Machine {
    now: Timestamp,
    earnings: BTreeMap<usize, Movement>,
    earner: BTreeMap<usize, usize>,
    reversals: BTreeMap<usize, (usize, i64)>,
    started: BTreeMap<usize, Timestamp>,
    ended: BTreeMap<usize, Timestamp>,
    standing: Vec<Standing>,
    accounts: Vec<Standing>,
    windows: BTreeSet<usize>,
    related: BTreeSet<(usize, usize)>,
    consents: BTreeMap<usize, (Timestamp, usize)>,
    screening: Vec<Screening>,
    suspected: BTreeSet<(usize, usize)>,
    looked_at: BTreeMap<(usize, usize), bool>,
    funds: Vec<Fund>,
    ties: BTreeMap<TieOf, Tie>,
    sequences: BTreeMap<(TieOf, RewardKind, Currency), i64>,
}

impl Machine {
    pub fn new(case: &Case) -> Self {
        let fund = Fund {
            currency: Currency::USD,
            granted_minor: 0,
        };
        Self {
            now: case.now,
            earnings: BTreeMap::new(),
            earner: BTreeMap::new(),
            reversals: BTreeMap::new(),
            started: BTreeMap::new(),
            ended: BTreeMap::new(),
            standing: vec![Standing::default(); REFERRERS],
            accounts: vec![Standing::default(); PEOPLE],
            windows: BTreeSet::new(),
            related: BTreeSet::new(),
            consents: BTreeMap::new(),
            screening: vec![Screening::Open; PEOPLE],
            suspected: BTreeSet::new(),
            looked_at: BTreeMap::new(),
            funds: vec![fund; REFERRERS],
            ties: BTreeMap::new(),
            sequences: BTreeMap::new(),
        }
    }

    pub fn hear(&mut self, fact: &Fact) {
        match fact {
            Fact::Earned {
                id,
                contract,
                currency,
                minor,
                occurred,
                settled,
            } => {
                if self.earnings.contains_key(id) {
                    return;
                }
                let (who, whom) = facts::parties(*contract);
                let movement = Movement {
                    amount: Money::new(*minor, facts::currency(*currency)),
                    account: facts::account(who),
                    client: facts::client(whom),
                    contract: facts::contract(*contract),
                    occurred_at: *occurred,
                    settled_at: *settled,
                };
                self.earnings.insert(*id, movement);
                self.earner.insert(*id, who);
                let parked = self.reversals.values().filter(|(earning, _)| earning == id);
                let mut all = vec![movement];
                all.extend(parked.map(|(_, minor)| part(movement, -*minor)));
                self.each(who, |tie| {
                    tie.hire();
                    tie.accrue(&all)
                });
            }
            Fact::Reversed { id, earning, minor } => {
                if self.reversals.insert(*id, (*earning, *minor)).is_none()
                    && let Some(movement) = self.earnings.get(earning).copied()
                {
                    let movements = [part(movement, -*minor)];
                    self.each(self.earner[earning], |tie| tie.accrue(&movements));
                }
            }
            Fact::Attributed { person, .. } => self.bind(TieOf::Attribution(*person), fact),
            Fact::Introduced { person, client, .. } => self.bind(TieOf::Introduction(*person, *client), fact),
            Fact::Started { contract, began } => {
                self.started.insert(*contract, *began);
                self.contract_news(*contract);
            }
            Fact::Ended { contract, at } => {
                self.ended.insert(*contract, *at);
                self.contract_news(*contract);
            }
            other => self.hear_of_somebody(other),
        }
    }

    fn hear_of_somebody(&mut self, fact: &Fact) {
        match fact {
            Fact::Screened { person, .. } if self.screening[*person] == Screening::Passed => {}
            Fact::Screened { person, passes } => {
                let screening = if *passes {
                    Screening::Passed
                } else {
                    Screening::Rejected
                };
                self.screening[*person] = screening;
                self.each(*person, |tie| {
                    tie.screening = screening;
                    Ok(())
                });
            }
            Fact::Suspected { person, referrer } => {
                self.suspected.insert((*person, *referrer));
                self.suspicion_news(*person, *referrer);
            }
            Fact::LookedAt {
                person,
                referrer,
                confirmed,
            } => {
                self.looked_at.insert((*person, *referrer), *confirmed);
                self.suspicion_news(*person, *referrer);
            }
            Fact::Stood { referrer, at, good } => {
                let standing = self.standing[*referrer].with(*at, *good);
                self.standing[*referrer] = standing.clone();
                for who in 0..PEOPLE {
                    let movements = self.movements(who);
                    self.each(who, |tie| {
                        let theirs = tie.referrer == facts::referrer(*referrer);
                        tie.rejudge(&movements, |tie| {
                            if theirs {
                                tie.standing = standing.clone();
                            }
                        })
                    });
                }
            }
            Fact::Account { person, at, open } => {
                self.accounts[*person] = self.accounts[*person].with(*at, *open);
                self.window_news(*person);
            }
            Fact::Related { person, client } => {
                self.related.insert((*person, *client));
                let movements = self.movements(*person);
                let related = facts::client(*client);
                self.each(*person, |tie| tie.rejudge(&movements, |tie| tie.related.push(related)));
            }
            Fact::Consented { person, from, terms } => {
                self.consents.insert(*person, (*from, *terms));
                let movements = self.movements(*person);
                self.each(*person, |tie| {
                    tie.rejudge(&movements, |tie| consent(tie, *from, *terms))
                });
            }
            Fact::WindowEnded { person } => {
                self.windows.insert(*person);
                self.window_news(*person);
            }
            _ => {}
        }
    }

    pub fn release(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        for who in 0..PEOPLE {
            self.each(who, |_| Ok(()));
        }
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::new();
        for (of, tie) in &self.ties {
            for ((kind, currency), reward) in &tie.rewards {
                let place = CURRENCIES
                    .iter()
                    .position(|code| *code == currency.code())
                    .expect("known");
                // What was released before a suspicion, and so stays, depends on the order.
                let suspected = tie.suspicion == Suspicion::Open;
                let released = if suspected { 0 } else { reward.released };
                let total = (
                    i128::from(reward.base),
                    reward.accrued.ten_thousandths(),
                    i128::from(released),
                );
                totals.insert((*of, kind.name(), place), total);
                if *kind == RewardKind::SignUpBonus
                    && let Some((account, benefit)) = tie.benefit(*currency)
                {
                    let TieOf::Attribution(who) = *of else {
                        panic!("only who was attributed has signed up");
                    };
                    assert_eq!(account, facts::account(who));
                    let benefit = if suspected { 0 } else { benefit.minor };
                    totals.insert((*of, "REFEREE_BENEFIT", place), (0, 0, i128::from(benefit)));
                }
            }
        }
        totals.retain(|_, total| *total != (0, 0, 0));
        totals
    }

    /// All that somebody has earned so far, less what was reversed.
    fn movements(&self, who: usize) -> Vec<Movement> {
        let mut all = Vec::new();
        for (id, movement) in self.earnings.iter().filter(|(id, _)| self.earner[*id] == who) {
            all.push(*movement);
            let reversals = self.reversals.values().filter(|(earning, _)| earning == id);
            all.extend(reversals.map(|(_, minor)| part(*movement, -*minor)));
        }
        all
    }

    fn contracts(&self) -> Vec<Contract> {
        let contract = |(number, began): (&usize, &Timestamp)| {
            let (who, whom) = facts::parties(*number);
            Contract {
                id: facts::contract(*number),
                account: facts::account(who),
                client: facts::client(whom),
                began: *began,
                ended: self.ended.get(number).copied(),
            }
        };
        self.started.iter().map(contract).collect()
    }

    fn bind(&mut self, of: TieOf, fact: &Fact) {
        if self.ties.contains_key(&of) {
            return;
        }
        let (who, referrer, terms, bond) = match *fact {
            Fact::Attributed {
                person,
                referrer,
                joined,
                terms,
                kind,
            } => {
                let bonus = BonusState::Open;
                (
                    person,
                    referrer,
                    terms,
                    Bond::Attribution(Attribution {
                        kind,
                        joined,
                        bonus,
                        hired: false,
                        sign_up: SignUp::Open,
                        account: Some(facts::account(person)),
                    }),
                )
            }
            Fact::Introduced {
                person,
                client,
                referrer,
                made,
                terms,
                kind,
            } => {
                let (account, client) = (facts::account(person), facts::client(client));
                let mut introduction = Introduction {
                    kind,
                    account,
                    client,
                    made,
                    contracts: Vec::new(),
                    completed: false,
                    own: None,
                };
                introduction.bind(&self.contracts());
                (person, referrer, terms, Bond::Introduction(introduction))
            }
            _ => return,
        };
        self.tie(of, (who, referrer, terms), bond);
    }

    fn tie(&mut self, of: TieOf, (who, referrer, terms): (usize, usize, usize), bond: Bond) {
        let number = self.ties.len();
        let mut tie = Tie {
            id: facts::id(6, number),
            referrer: facts::referrer(referrer),
            payee: facts::person(who),
            account: facts::account(10 + referrer),
            bond,
            terms: vec![(Timestamp::EPOCH, facts::terms(terms))],
            standing: self.standing[referrer].clone(),
            related: (0..CLIENTS)
                .filter(|whom| self.related.contains(&(who, *whom)))
                .map(facts::client)
                .collect(),
            screening: self.screening[who],
            suspicion: self.suspicion(who, referrer),
            rewards: BTreeMap::new(),
        };
        if let Some((from, terms)) = self.consents.get(&who) {
            consent(&mut tie, *from, *terms);
        }
        let movements = self.movements(who);
        if !movements.is_empty() || self.started.keys().any(|contract| facts::parties(*contract).0 == who) {
            tie.hire();
        }
        self.ties.insert(of, tie);
        self.only(of, |tie| tie.accrue(&movements));
        self.window_news(who);
    }

    fn contract_news(&mut self, contract: usize) {
        let (who, _) = facts::parties(contract);
        let (contracts, movements) = (self.contracts(), self.movements(who));
        let began = self.started.contains_key(&contract);
        self.each(who, |tie| {
            if began {
                tie.hire();
            }
            tie.rejudge(&movements, |tie| {
                if let Bond::Introduction(introduction) = &mut tie.bond {
                    introduction.bind(&contracts);
                }
            })
        });
    }

    fn suspicion(&self, who: usize, referrer: usize) -> Suspicion {
        match self.looked_at.get(&(who, referrer)) {
            Some(true) => Suspicion::Confirmed,
            None if self.suspected.contains(&(who, referrer)) => Suspicion::Open,
            _ => Suspicion::None,
        }
    }

    fn suspicion_news(&mut self, who: usize, referrer: usize) {
        let suspicion = self.suspicion(who, referrer);
        self.each(who, |tie| {
            if tie.referrer == facts::referrer(referrer) {
                tie.suspicion = suspicion;
            }
            Ok(())
        });
    }

    fn window_news(&mut self, who: usize) {
        let (ended, account) = (self.windows.contains(&who), self.accounts[who].clone());
        self.each(who, |tie| {
            if ended {
                tie.end_window(&account);
            }
            Ok(())
        });
    }

    fn each(&mut self, who: usize, what: impl Fn(&mut Tie) -> Result<(), MoneyError>) {
        let theirs = self.ties.iter().filter(|(_, tie)| tie.payee == facts::person(who));
        for of in theirs.map(|(of, _)| *of).collect::<Vec<_>>() {
            self.only(of, &what);
        }
    }

    fn only(&mut self, of: TieOf, what: impl Fn(&mut Tie) -> Result<(), MoneyError>) {
        let tie = self.ties.get_mut(&of).expect("there");
        what(tie).expect("totals fit");
        let number = usize::from(tie.referrer == facts::referrer(1));
        tie.settle_sign_up(&mut self.funds[number], Timestamp::EPOCH)
            .expect("fits");
        let stood = tie.rewards.clone();
        for release in tie.release(self.now).expect("totals fit") {
            let key = (of, release.kind, release.cumulative.currency);
            let more = release.cumulative.minor > stood[&(release.kind, release.cumulative.currency)].released;
            assert!(
                !more || tie.suspicion == Suspicion::None,
                "nothing is released under a suspicion"
            );
            let before = self.sequences.insert(key, release.sequence).unwrap_or(0);
            assert_eq!(release.sequence, before + 1, "sequences count up by one");
        }
    }
}

fn part(movement: Movement, minor: i64) -> Movement {
    Movement {
        amount: Money::new(minor, movement.amount.currency),
        ..movement
    }
}

fn consent(tie: &mut Tie, from: Timestamp, terms: usize) {
    if matches!(tie.bond, Bond::Attribution(_)) {
        tie.terms.push((from, facts::terms(terms)));
    }
}
