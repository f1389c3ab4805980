//! Plays earnings on a system: every referee is vouched for by the same referrer, is invited by e-mail, activates an
//! account, accepts the offer, and is paid by milestones; then it tells what came of it.

use std::collections::BTreeMap;

use serde::Serialize;
use vouch_primitives::{Currency, Money, Timestamp};
use vouch_proto::{
    common::v1 as common, convert::from_wire_time, invitation::v1::invitation::Branch, onboarding::v1 as onboarding,
    referral::v1 as referral,
};

use crate::{Error, Story, earnings::Entry, mailbox::Mail, story::Company};

/// What is told while it plays.
#[derive(Debug)]
pub enum Scene<'a> {
    /// One thing that happened.
    Line(&'a str),
    /// An e-mail as it arrived, with the reason why it is shown.
    Mail(&'a str, &'a Mail),
    /// So many of so many entries were played.
    Progress(usize, usize),
}

/// What came of it, in minor units. Totals are net: after refunds.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// One row per referee and currency.
    pub attributions: Vec<AttributionRow>,
    /// The referrer's available balance, per currency.
    pub referrer_balances: Vec<BalanceRow>,
    /// By how much the whole ledger is wrong: zero.
    pub trial_balance_minor: u64,
    /// How many events the four services recorded and published.
    pub events_published: u64,
    /// How many events could not be applied.
    pub dead_letters: u64,
}

/// What an attribution has come to in one currency.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct AttributionRow {
    /// The referee, as the file names them.
    pub referee: String,
    /// The currency.
    pub currency: String,
    /// Their settled earnings, less refunds.
    pub earnings_minor: i64,
    /// What of it was earned in the first three months.
    pub window_earnings_minor: i64,
    /// Whether their account was open at the end of the three months.
    pub open_at_window_end: bool,
    /// The 5 % for life [R25].
    pub lifetime_share_minor: i64,
    /// The 10 % bonus [R26].
    pub bonus_minor: i64,
}

/// A balance.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct BalanceRow {
    /// The currency.
    pub currency: String,
    /// What is available.
    pub balance_minor: i64,
}

/// A playback on its way, and afterwards.
#[derive(Debug)]
pub struct Playback<'a> {
    story: &'a Story,
    company: Company,
    /// Who vouches for everybody.
    pub referrer: referral::Referrer,
    /// Whether changes of rewards are told at the moment at which they happen; they are asked for at each one.
    pub tells_rewards: bool,
    referees: BTreeMap<String, Referee>,
    /// The service's id of each earning, by its name in the file.
    earnings: BTreeMap<String, String>,
    /// What was told last of each reward, by the referee's person id and the currency.
    told: BTreeMap<(String, Currency), Rewards>,
}

/// What a referee has brought the referrer in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rewards {
    share: i64,
    bonus: i64,
}

#[derive(Debug)]
struct Referee {
    person: onboarding::Person,
    window_end: Timestamp,
    /// Whether the bonus was told when the window ended.
    window_told: bool,
    /// The contract of each currency, and how many milestones it has.
    contracts: BTreeMap<Currency, (String, u32)>,
}

/// The referrer's name.
pub const REFERRER: &str = "Rosa Almeida";
const COMPANY: &str = "Harbour Studio";
const MANAGER: &str = "Henri Okafor";
const MANAGER_EMAIL: &str = "henri@harbour.example";
/// A contract with so many milestones takes no more; the referee then gets another one.
const MOST_MILESTONES: u32 = 500;
/// How long money takes from approval until it is available, and then some.
const SETTLING_DAYS: u32 = 20;

/// Where the clock has to begin so that everybody is there when the first money is earned.
#[must_use]
pub fn beginning(entries: &[Entry]) -> Timestamp {
    let first = entries.first().map_or(Timestamp::EPOCH, |entry| entry.date);
    first
        .saturating_sub(std::time::Duration::from_secs(86_400))
        .max(Timestamp::EPOCH)
}

impl<'a> Playback<'a> {
    /// The company joins, and the referrer registers and enrols.
    ///
    /// # Errors
    /// If a service refuses.
    pub async fn begin(story: &'a Story, tell: &mut (dyn FnMut(Timestamp, Scene<'_>) + Send)) -> Result<Self, Error> {
        let now = story.clock.now().await?;
        let company = story.company(COMPANY, MANAGER, MANAGER_EMAIL).await?;
        tell(now, Scene::Line(&format!("{COMPANY} joins; {MANAGER} hires for it")));
        let person = story.register(REFERRER, "rosa@talent.example", "").await?;
        let referrer = story.enrol(&person).await?;
        let line = format!(
            "{REFERRER} registers and enrols as a referrer: code {}, link {}",
            referrer.code, referrer.link
        );
        tell(now, Scene::Line(&line));
        Ok(Self {
            story,
            company,
            referrer,
            tells_rewards: true,
            referees: BTreeMap::new(),
            earnings: BTreeMap::new(),
            told: BTreeMap::new(),
        })
    }

    /// Plays the entries, which stand in the order of their dates, and goes on until the last money has settled and the
    /// last bonus window has ended.
    ///
    /// # Errors
    /// If a service refuses, or the services do not come to rest.
    pub async fn play(
        &mut self,
        entries: &[Entry],
        tell: &mut (dyn FnMut(Timestamp, Scene<'_>) + Send),
    ) -> Result<(), Error> {
        for (played, entry) in entries.iter().enumerate() {
            tell(entry.date, Scene::Progress(played, entries.len()));
            self.advance_to(entry.date, tell).await?;
            match &entry.refund_of {
                None => self.earn(entry, tell).await?,
                Some(earning) => self.refund(entry, earning, tell).await?,
            }
        }
        let last_entry = entries.last().map_or(Timestamp::EPOCH, |entry| entry.date);
        let last_window = self
            .referees
            .values()
            .map(|referee| referee.window_end)
            .max()
            .unwrap_or(last_entry);
        let end = last_entry.max(last_window).add_days(SETTLING_DAYS);
        self.advance_to(end, tell).await?;
        tell(end, Scene::Progress(entries.len(), entries.len()));
        Ok(())
    }

    /// What came of it.
    ///
    /// # Errors
    /// If a service refuses.
    pub async fn outcome(&self) -> Result<Outcome, Error> {
        self.story.clock.settle().await?;
        let names: BTreeMap<&str, &str> = self
            .referees
            .iter()
            .map(|(name, referee)| (referee.person.id.as_str(), name.as_str()))
            .collect();
        let mut attributions = Vec::new();
        for attribution in self.story.attributions(&self.referrer.id).await? {
            let referee = names
                .get(attribution.referee_person_id.as_str())
                .copied()
                .unwrap_or("?");
            attributions.extend(attribution.totals.iter().map(|total| row(referee, &attribution, total)));
        }
        attributions.sort_by(|a, b| (&a.referee, &a.currency).cmp(&(&b.referee, &b.currency)));
        // Where everything went back before it had settled nothing was ever posted: a balance of nothing.
        let mut balances: BTreeMap<String, i64> = attributions
            .iter()
            .map(|attribution| (attribution.currency.clone(), 0))
            .collect();
        for balance in self.story.balances(&self.referrer.account_id).await? {
            let available = balance.available.unwrap_or_default();
            balances.insert(available.currency_code, available.minor_units);
        }
        let balance = |(currency, balance_minor)| BalanceRow {
            currency,
            balance_minor,
        };
        let activity = self.story.clock.activity().await?;
        Ok(Outcome {
            attributions,
            referrer_balances: balances.into_iter().map(balance).collect(),
            trial_balance_minor: self.story.imbalance().await?,
            events_published: activity.events,
            dead_letters: activity.dead_letters,
        })
    }

    /// The referee with this person id, by the name in the file.
    #[must_use]
    pub fn name_of(&self, person_id: &str) -> Option<&str> {
        self.referees
            .iter()
            .find(|(_, referee)| referee.person.id == person_id)
            .map(|(name, _)| name.as_str())
    }

    /// The name in the file of the earning with this id.
    #[must_use]
    pub fn entry_of(&self, earning_id: &str) -> Option<&str> {
        self.earnings
            .iter()
            .find(|(_, id)| *id == earning_id)
            .map(|(name, _)| name.as_str())
    }

    async fn earn(&mut self, entry: &Entry, tell: &mut (dyn FnMut(Timestamp, Scene<'_>) + Send)) -> Result<(), Error> {
        let currency = entry.amount.currency;
        let known = self
            .referees
            .get_mut(&entry.referee)
            .and_then(|referee| referee.contracts.get_mut(&currency));
        let milestone = match known {
            Some((contract, milestones)) if *milestones < MOST_MILESTONES => {
                *milestones += 1;
                self.story.milestone(contract, &entry.id, entry.amount).await?.id
            }
            _ => self.hire(entry, tell).await?,
        };
        let earning = self.story.pay(&milestone).await?;
        self.earnings.insert(entry.id.clone(), earning);
        let line = format!(
            "{} earns {} ({}): funded, submitted, approved",
            entry.referee, entry.amount, entry.id
        );
        tell(entry.date, Scene::Line(&line));
        Ok(())
    }

    async fn refund(
        &mut self,
        entry: &Entry,
        earning: &str,
        tell: &mut (dyn FnMut(Timestamp, Scene<'_>) + Send),
    ) -> Result<(), Error> {
        let id = self
            .earnings
            .get(earning)
            .ok_or_else(|| format!("there is no earning {earning}"))?;
        self.story.refund(id, entry.amount).await?;
        let line = format!("{} of {earning} goes back to {COMPANY} ({})", entry.amount, entry.id);
        tell(entry.date, Scene::Line(&line));
        Ok(())
    }

    /// Brings somebody to a contract in a currency, and returns its first milestone.
    async fn hire(
        &mut self,
        entry: &Entry,
        tell: &mut (dyn FnMut(Timestamp, Scene<'_>) + Send),
    ) -> Result<String, Error> {
        let name = &entry.referee;
        let known = self.referees.get(name).map(|referee| referee.person.clone());
        let email = match &known {
            Some(person) => person.basic_information.clone().unwrap_or_default().account_email,
            None => self.address_of(name),
        };
        let (story, first) = (&self.story, (&*entry.id, entry.amount));
        let invited = story.invite(&self.company, name, &email, first, entry.date).await?;
        let currency = entry.amount.currency;
        let line = match invited.branch() {
            Branch::Hire => format!("{COMPANY} offers {name} a contract in {currency}, straight into the account"),
            _ => format!("{COMPANY} invites {name} to a contract in {currency}"),
        };
        tell(entry.date, Scene::Line(&line));
        let case = match known {
            Some(person) => story.open_case(&person.id).await?,
            None => self.activate(entry, &email, tell).await?,
        };
        let message = format!("Hello {MANAGER}, glad to start on {}.", entry.id);
        let contract = self.story.accept(&case, &message).await?;
        let line = format!("{name} accepts the offer: \"{message}\"");
        tell(entry.date, Scene::Line(&line));
        if let Some(referee) = self.referees.get_mut(name) {
            referee
                .contracts
                .insert(entry.amount.currency, (contract.id.clone(), 1));
        }
        match contract.pay {
            Some(vouch_proto::payments::v1::contract::Pay::Fixed(fixed)) => {
                let first = fixed.milestones.into_iter().next();
                first
                    .map(|milestone| milestone.id)
                    .ok_or_else(|| "the contract has no milestone".into())
            }
            _ => Err("the contract is not a fixed-price one".into()),
        }
    }

    /// Somebody new follows the link of their invitation, typing the referrer's code.
    async fn activate(
        &mut self,
        entry: &Entry,
        email: &str,
        tell: &mut (dyn FnMut(Timestamp, Scene<'_>) + Send),
    ) -> Result<onboarding::Case, Error> {
        let name = &entry.referee;
        let (person, case) = self.story.activate(name, email, &self.referrer.code).await?;
        self.story.look_at_signals().await?;
        if self.referees.is_empty() {
            for mail in self.story.mailbox.to(email)?.iter().take(1) {
                tell(entry.date, Scene::Mail("the e-mail as it arrived", mail));
            }
        }
        tell(
            entry.date,
            Scene::Line(&format!("{name} activates an account, typing {REFERRER}'s code")),
        );
        self.referees.insert(
            name.clone(),
            Referee {
                person,
                window_end: entry.date.add_months_clamped(3),
                window_told: false,
                contracts: BTreeMap::new(),
            },
        );
        Ok(case)
    }

    /// An address that nobody else in the story has.
    fn address_of(&self, name: &str) -> String {
        let slug = slug(name);
        let taken = |address: &str| {
            let basics = self
                .referees
                .values()
                .filter_map(|referee| referee.person.basic_information.as_ref());
            basics.into_iter().any(|basics| basics.account_email == address)
        };
        let plain = format!("{slug}@talent.example");
        if slug.is_empty() || taken(&plain) {
            format!("{slug}-{}@talent.example", self.referees.len())
                .trim_start_matches('-')
                .to_owned()
        } else {
            plain
        }
    }

    /// Moves the clock from due moment to due moment, and tells at each of them how the rewards have changed.
    async fn advance_to(
        &mut self,
        to: Timestamp,
        tell: &mut (dyn FnMut(Timestamp, Scene<'_>) + Send),
    ) -> Result<(), Error> {
        self.story.clock.settle().await?;
        let mut at = self.story.clock.now().await?;
        loop {
            self.tell_rewards(at, tell).await?;
            if at >= to {
                return Ok(());
            }
            at = self.story.clock.step_to(to).await?;
        }
    }

    async fn tell_rewards(
        &mut self,
        at: Timestamp,
        tell: &mut (dyn FnMut(Timestamp, Scene<'_>) + Send),
    ) -> Result<(), Error> {
        if !self.tells_rewards {
            return Ok(());
        }
        let mut now: BTreeMap<(String, Currency), Rewards> = BTreeMap::new();
        for attribution in self.story.attributions(&self.referrer.id).await? {
            for total in &attribution.totals {
                if let Some((currency, rewards)) = rewards(total) {
                    now.insert((attribution.referee_person_id.clone(), currency), rewards);
                }
            }
        }
        for (name, referee) in &mut self.referees {
            let mine = now.iter().filter(|((person, _), _)| *person == referee.person.id);
            let window_ends = !referee.window_told && referee.window_end <= at;
            for ((_, currency), rewards) in mine.clone() {
                let told = self.told.get(&(referee.person.id.clone(), *currency)).copied();
                if let Some(line) = change(name, *currency, told.unwrap_or_default(), *rewards, !window_ends) {
                    tell(at, Scene::Line(&line));
                }
            }
            if window_ends {
                referee.window_told = true;
                let bonuses: Vec<String> = mine
                    .filter(|(_, rewards)| rewards.bonus != 0)
                    .map(|((_, currency), rewards)| Money::new(rewards.bonus, *currency).to_string())
                    .collect();
                let bonuses = if bonuses.is_empty() {
                    "nothing".to_owned()
                } else {
                    bonuses.join(" and ")
                };
                let line = format!("{name}'s first three months are over: a bonus of {bonuses} for {REFERRER}");
                tell(at, Scene::Line(&line));
            }
        }
        self.told = now;
        Ok(())
    }
}

/// The line that tells how a referee's rewards have changed, if they have.
fn change(name: &str, currency: Currency, before: Rewards, now: Rewards, with_bonus: bool) -> Option<String> {
    let mut changes = Vec::new();
    if now.share != before.share {
        changes.push(format!("the 5 % come to {}", Money::new(now.share, currency)));
    }
    if with_bonus && now.bonus != before.bonus {
        changes.push(format!("the bonus becomes {}", Money::new(now.bonus, currency)));
    }
    (!changes.is_empty()).then(|| format!("{REFERRER}, for {name}: {}", changes.join(", ")))
}

fn rewards(total: &referral::AttributionTotal) -> Option<(Currency, Rewards)> {
    let minor = |money: &Option<common::Money>| money.as_ref().map_or(0, |money| money.minor_units);
    let currency = total.earnings.as_ref()?.currency_code.parse().ok()?;
    let rewards = Rewards {
        share: minor(&total.lifetime_share),
        bonus: minor(&total.bonus),
    };
    Some((currency, rewards))
}

/// An amount from the wire.
#[must_use]
pub fn money(money: &common::Money) -> Option<Money> {
    money
        .currency_code
        .parse()
        .ok()
        .map(|currency| Money::new(money.minor_units, currency))
}

/// A date from the wire.
#[must_use]
pub fn date(time: Option<&prost_types::Timestamp>) -> String {
    time.and_then(from_wire_time)
        .map(|time| time.to_string().chars().take(10).collect())
        .unwrap_or_default()
}

fn row(referee: &str, attribution: &referral::Attribution, total: &referral::AttributionTotal) -> AttributionRow {
    let minor = |money: &Option<common::Money>| money.as_ref().map_or(0, |money| money.minor_units);
    AttributionRow {
        referee: referee.to_owned(),
        currency: total
            .earnings
            .as_ref()
            .map(|money| money.currency_code.clone())
            .unwrap_or_default(),
        earnings_minor: minor(&total.earnings),
        window_earnings_minor: minor(&total.window_earnings),
        open_at_window_end: attribution.bonus_state() == referral::attribution::BonusState::Due,
        lifetime_share_minor: minor(&total.lifetime_share),
        bonus_minor: minor(&total.bonus),
    }
}

/// A name as the local part of an address: `ada.mbeki`.
fn slug(name: &str) -> String {
    let words = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let dotted: String = words.collect::<Vec<_>>().join(".").to_lowercase();
    dotted.chars().take(40).collect::<String>().trim_matches('.').to_owned()
}
