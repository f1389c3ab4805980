//! Attribution: a new person is bound to whoever vouched for them, once, at sign-up, automatically [R23].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use vouch_messaging::{Fact, NewEvent, outbox};
use vouch_primitives::{AttributionId, PersonId, Timestamp, Uuid};
use vouch_proto::{Fields, Violations, convert::to_wire_time, onboarding::v1::AccountRegistered, referral::v1 as pb};
use vouch_storage::{Txn, timers};

use super::{
    App, accrual, books, closings,
    evidence::{self, Winner},
    hash_if_set, introduced, inviting, screening, signals,
};
use crate::{
    domain::{
        AddressHash, Attribution, Bond, BonusState, Party, Screening, ScreeningCase, SignUp as SignUpBonusState,
        Standing, Suspicion, Terms, Tie, TokenHash,
    },
    error::Error,
    store::{
        self,
        accounts::Account,
        earnings::Scope,
        sign_ups::{PersonAddress, SignUp},
        ties::Loaded,
    },
};

/// The timer that rings when the bonus window of an attribution ends; its key is the attribution [R26].
pub const WINDOW_END: &str = "attribution.window_end";

impl App {
    /// People registered: those for whom somebody vouched are attributed, with what they have earned already.
    ///
    /// # Errors
    /// If an event is bad, or the database fails.
    pub async fn on_accounts_registered(&self, txn: &Txn, facts: &[Fact<AccountRegistered>]) -> Result<(), Error> {
        let registrations: Vec<Registration> = facts.iter().map(|fact| parse(&fact.body)).collect::<Result<_, _>>()?;
        let accounts: Vec<Account> = registrations.iter().map(|it| it.account.clone()).collect();
        let people = accounts.iter().map(|account| account.person).collect();
        store::people::ensure(txn, &people).await?;
        store::accounts::insert(txn, &accounts).await?;
        let sign_ups: Vec<_> = registrations.iter().map(|it| it.sign_up.clone()).collect();
        store::sign_ups::insert(txn, &sign_ups).await?;
        let addresses = registrations.iter().filter_map(|it| it.address).collect();
        store::sign_ups::add_addresses(txn, &addresses).await?;
        self.attribute(txn, &accounts).await?;
        self.erase_again(txn, &people).await
    }

    /// Binds those who have signed up with these accounts to whoever vouched for them, if they are not bound yet, with what
    /// they have earned already; and introduces them to the clients whom the letters name by which they came.
    pub(super) async fn attribute(&self, txn: &Txn, accounts: &[Account]) -> Result<(), Error> {
        let now = self.now();
        let people: BTreeSet<PersonId> = accounts.iter().map(|account| account.person).collect();
        store::people::lock(txn, &people).await?;
        let (winners, met) = evidence::winners(txn, now, accounts).await?;
        introduced::introduce(txn, now, met).await?;
        inviting::hire(txn, now, &people).await?;
        let terms = store::programme::all_terms(txn).await?;
        let Some(in_force) = terms.into_iter().next_back() else {
            return Ok(());
        };
        let bound = bind(txn, now, propose(&winners, &in_force.terms)).await?;
        if bound.is_empty() {
            return Ok(());
        }
        signals::raise(txn, now, &winners).await?;
        begin(txn, now, &bound).await
    }

    /// The bonus windows of some attributions have ended.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn on_window_ended(&self, txn: &Txn, due: &[Uuid], now: Timestamp) -> Result<(), Error> {
        let referees = store::ties::payees(txn, due).await?;
        store::people::lock(txn, &referees).await?;
        let mut ties = store::ties::of_people(txn, &referees).await?;
        ties.retain(|loaded| due.contains(&loaded.tie.id));
        closings::end_windows(txn, &referees, &mut ties, |_| true).await?;
        books::finish(txn, now, &mut ties).await
    }
}

/// Binds those who are not bound yet, whose people are locked, and returns what is new.
pub(super) async fn bind(txn: &Txn, now: Timestamp, proposed: Vec<Tie>) -> Result<Vec<Tie>, Error> {
    // Whoever changes a referrer's standing holds this lock, and finds all attributions that it concerns.
    store::referrers::lock_all(txn, &proposed.iter().map(|tie| tie.referrer).collect()).await?;
    let fresh = store::ties::insert(txn, now, &proposed).await?;
    let bound: Vec<Tie> = proposed.into_iter().filter(|tie| fresh.contains(&tie.id)).collect();
    let announced: Vec<_> = bound.iter().map(attributed_event).collect();
    outbox::append(txn, now, &announced).await?;
    timers::schedule(txn, &bound.iter().filter_map(window_timer).collect::<Vec<_>>()).await?;
    Ok(bound)
}

/// Whoever new ties are about is to be screened, and looked at if their money goes where it should not; and the ties take in what
/// they have earned already.
pub(super) async fn begin(txn: &Txn, now: Timestamp, bound: &[Tie]) -> Result<(), Error> {
    if bound.is_empty() {
        return Ok(());
    }
    let cases: Vec<_> = bound.iter().map(|tie| ScreeningCase::open(tie.payee, now)).collect();
    store::screening::open(txn, &cases).await?;
    let referees = &bound.iter().map(|tie| tie.payee).collect();
    let fresh: BTreeSet<Uuid> = bound.iter().map(|tie| tie.id).collect();
    store::people::lock(txn, referees).await?;
    signals::raise_for_instruments(txn, now, referees).await?;
    let mut ties = store::ties::of_people(txn, referees).await?;
    ties.retain(|loaded| fresh.contains(&loaded.tie.id));
    let mut ties: Vec<_> = ties.into_iter().map(Loaded::begun).collect();
    let hired = store::contracts::hired(txn, referees).await?;
    for loaded in ties.iter_mut().filter(|loaded| hired.contains(&loaded.tie.payee)) {
        loaded.tie.hire();
    }
    screening::pass_clear(txn, now, &mut ties, |_| true).await?;
    let movements = store::earnings::movements(txn, referees, &Scope::All).await?;
    accrual::accrue(txn, now, &mut ties, &movements).await
}

/// The ties that evidence asks for.
fn propose(winners: &[Winner], terms: &Arc<Terms>) -> Vec<Tie> {
    let tie = |winner: &Winner| Tie {
        // Payments counts rewards by this id, so that a database made anew must come to the same one.
        id: AttributionId::derived(winner.account.person.as_uuid(), "attribution").as_uuid(),
        referrer: winner.referrer.id,
        payee: winner.account.person,
        account: winner.referrer.account,
        bond: Bond::Attribution(Attribution {
            kind: winner.kind,
            joined: winner.account.registered_at,
            bonus: BonusState::Open,
            hired: false,
            sign_up: SignUpBonusState::Open,
            account: Some(winner.account.id),
        }),
        terms: vec![(Timestamp::EPOCH, Arc::clone(terms))],
        standing: Standing::default(),
        related: Vec::new(),
        screening: Screening::Open,
        suspicion: Suspicion::None,
        rewards: BTreeMap::new(),
    };
    winners.iter().map(tie).collect()
}

/// What the news of a new account says.
struct Registration {
    account: Account,
    sign_up: SignUp,
    address: Option<PersonAddress>,
}

fn parse(event: &AccountRegistered) -> Result<Registration, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("account_id", &event.account_id);
    let person = fields.id("person_id", &event.person_id);
    let registered_at = fields.time("register_time", event.register_time.as_ref());
    let typed_code = fields.line("referral_code", &event.referral_code, 0..=64);
    let link_cookie = fields.line("link_cookie_id", &event.link_cookie_id, 0..=100);
    let mut hash = |field, bytes: &[u8]| hash_if_set(&mut fields, field, bytes);
    let invitation = hash("referral_invitation_sha256", &event.referral_invitation_sha256);
    let email = hash("email_sha256", &event.email_sha256);
    let mailbox = hash("mailbox_sha256", &event.mailbox_sha256);
    let domain = hash("domain_sha256", &event.domain_sha256);
    let (Some(id), Some(person), Some(registered_at), Some(typed_code), Some(link_cookie)) =
        (id, person, registered_at, typed_code, link_cookie)
    else {
        return Err(fields.into());
    };
    let account = Account {
        id,
        party: Party::Person,
        person,
        registered_at,
        typed_code,
    };
    let sign_up = SignUp {
        account: id,
        link_cookie: Some(link_cookie).filter(|cookie| !cookie.is_empty()),
        invitation: invitation.map(TokenHash),
        domain,
    };
    let address = email.zip(mailbox).map(|(email, mailbox)| PersonAddress {
        person,
        email: AddressHash(email),
        mailbox: AddressHash(mailbox),
    });
    fields.finish(Registration {
        account,
        sign_up,
        address,
    })
}

fn attributed_event(tie: &Tie) -> NewEvent {
    let event = pb::RefereeAttributed {
        attribution_id: tie.id.to_string(),
        referrer_id: tie.referrer.to_string(),
        referee_person_id: tie.payee.to_string(),
        terms_version: tie.first_terms().version,
        join_time: tie.joined().map(to_wire_time),
    };
    NewEvent::new(tie.id, &event)
}

fn window_timer(tie: &Tie) -> Option<timers::NewTimer> {
    Some(timers::NewTimer {
        kind: WINDOW_END,
        key: tie.id,
        due: tie.window_end()?,
    })
}
