//! Attribution: a new person is bound to whoever vouched for them, once, at sign-up, automatically [R23].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use vouch_messaging::{Fact, NewEvent, outbox};
use vouch_primitives::{AttributionId, PersonId, Timestamp};
use vouch_proto::{Fields, Violations, convert::to_wire_time, onboarding::v1::AccountRegistered, referral::v1 as pb};
use vouch_storage::{Txn, timers};

use super::{App, accrual};
use crate::{
    domain::{BonusState, Movement, Party, ReferralKind, Terms, Tie, TypedCode},
    error::Error,
    store::{self, accounts::Account, earnings::Earning, referrers::Referrer},
};

/// The timer that rings when the bonus window of an attribution ends; its key is the attribution [R26].
pub const WINDOW_END: &str = "attribution.window_end";

impl App {
    /// People registered: those who typed a valid code are attributed, with what they have earned already.
    ///
    /// # Errors
    /// If an event is bad, or the database fails.
    pub async fn on_accounts_registered(&self, txn: &Txn, facts: &[Fact<AccountRegistered>]) -> Result<(), Error> {
        let accounts: Vec<Account> = facts.iter().map(|fact| parse(&fact.body)).collect::<Result<_, _>>()?;
        let people = accounts.iter().map(|account| account.person).collect();
        store::people::ensure(txn, &people).await?;
        store::accounts::insert(txn, &accounts).await?;

        let now = self.now();
        let terms = store::programme::all_terms(txn).await?;
        let Some(in_force) = terms.into_iter().next_back() else {
            return Ok(());
        };
        let proposed = propose(&accounts, &vouchers(txn, &accounts).await?, in_force.terms);
        let fresh = store::ties::insert(txn, now, &proposed).await?;
        let mut ties: Vec<Tie> = proposed.into_iter().filter(|tie| fresh.contains(&tie.id)).collect();
        if ties.is_empty() {
            return Ok(());
        }
        let announced: Vec<_> = ties.iter().map(attributed_event).collect();
        outbox::append(txn, now, &announced).await?;
        timers::schedule(txn, &ties.iter().map(window_timer).collect::<Vec<_>>()).await?;

        let referees = ties.iter().map(|tie| tie.referee).collect();
        store::people::lock(txn, &referees).await?;
        let movements = earlier_movements(txn, &referees).await?;
        accrual::accrue(txn, now, &mut ties, &movements).await
    }

    /// The bonus windows of some attributions have ended. Every account is open: closing one comes later.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn on_window_ended(&self, txn: &Txn, due: &[AttributionId], now: Timestamp) -> Result<(), Error> {
        let referees = store::ties::referees(txn, due).await?;
        store::people::lock(txn, &referees).await?;
        let mut ties = store::ties::of_referees(txn, &referees).await?;
        let mut released = Vec::new();
        for tie in &mut ties {
            let releases = tie.end_window()?;
            released.extend(accrual::announce(tie, now, releases));
        }
        accrual::save(txn, now, &ties, released).await
    }
}

/// The ties that valid codes ask for. Nobody vouches for themselves.
fn propose(accounts: &[Account], vouchers: &HashMap<TypedCode, Referrer>, terms: Terms) -> Vec<Tie> {
    let referrer_of = |account: &Account| {
        let code = account.typed_code.parse::<TypedCode>().ok()?;
        vouchers.get(&code).filter(|referrer| referrer.person != account.person)
    };
    let tie = |account: &Account, referrer: &Referrer| Tie {
        // Payments counts rewards by this id, so that a database made anew must come to the same one.
        id: AttributionId::derived(account.person.as_uuid(), "attribution"),
        referrer: referrer.id,
        referee: account.person,
        account: referrer.account,
        kind: ReferralKind::Friend,
        terms,
        joined: account.registered_at,
        bonus: BonusState::Open,
        rewards: BTreeMap::new(),
    };
    accounts
        .iter()
        .filter_map(|account| referrer_of(account).map(|referrer| tie(account, referrer)))
        .collect()
}

async fn vouchers(txn: &Txn, accounts: &[Account]) -> Result<HashMap<TypedCode, Referrer>, Error> {
    let (mut drawn, mut chosen) = (BTreeSet::new(), BTreeSet::new());
    for typed in accounts.iter().filter_map(|account| account.typed_code.parse().ok()) {
        match typed {
            TypedCode::Drawn(code) => drawn.insert(code),
            TypedCode::Vanity(code) => chosen.insert(code),
        };
    }
    let found = store::referrers::of_codes(txn, &drawn).await?;
    let mut vouchers: HashMap<_, _> = found
        .into_iter()
        .map(|referrer| (TypedCode::Drawn(referrer.code.clone()), referrer))
        .collect();
    let claimed = store::vanity::of_codes(txn, &chosen).await?;
    let theirs = store::referrers::with_ids(txn, &claimed.values().copied().collect()).await?;
    let by_id: HashMap<_, _> = theirs.into_iter().map(|referrer| (referrer.id, referrer)).collect();
    for (code, id) in claimed {
        vouchers.extend(
            by_id
                .get(&id)
                .map(|referrer| (TypedCode::Vanity(code), referrer.clone())),
        );
    }
    Ok(vouchers)
}

/// What new referees had earned before their registration was heard of, less what was reversed of it.
async fn earlier_movements(
    txn: &Txn,
    referees: &BTreeSet<PersonId>,
) -> Result<HashMap<PersonId, Vec<Movement>>, Error> {
    let earnings = store::earnings::of_people(txn, referees).await?;
    let reversals = store::earnings::reversals_of(txn, &earnings.iter().map(|earning| earning.id).collect()).await?;
    let by_id: HashMap<_, Earning> = earnings.iter().map(|earning| (earning.id, *earning)).collect();
    let mut movements = accrual::of_earnings(&earnings);
    accrual::add_reversals(&mut movements, &reversals, &by_id);
    Ok(movements)
}

fn parse(event: &AccountRegistered) -> Result<Account, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("account_id", &event.account_id);
    let person = fields.id("person_id", &event.person_id);
    let registered_at = fields.time("register_time", event.register_time.as_ref());
    let typed_code = fields.line("referral_code", &event.referral_code, 0..=64);
    let (Some(id), Some(person), Some(registered_at), Some(typed_code)) = (id, person, registered_at, typed_code)
    else {
        return Err(fields.into());
    };
    fields.finish(Account {
        id,
        party: Party::Person,
        person,
        registered_at,
        typed_code,
    })
}

fn attributed_event(tie: &Tie) -> NewEvent {
    let event = pb::RefereeAttributed {
        attribution_id: tie.id.to_string(),
        referrer_id: tie.referrer.to_string(),
        referee_person_id: tie.referee.to_string(),
        terms_version: tie.terms.version,
        join_time: Some(to_wire_time(tie.joined)),
    };
    NewEvent::new(tie.id.as_uuid(), &event)
}

fn window_timer(tie: &Tie) -> timers::NewTimer {
    timers::NewTimer {
        kind: WINDOW_END,
        key: tie.id.as_uuid(),
        due: tie.window_end(),
    }
}
