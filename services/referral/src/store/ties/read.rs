//! From rows to ties: all that a decision depends on is read with them, in a constant number of statements.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use sea_orm::{ConnectionTrait, entity::prelude::*};
use vouch_primitives::{AccountId, ClientId, ClientProgrammeId, Money, PersonId, ReferrerId, Share, Timestamp};
use vouch_storage::StorageError;

use super::rows::{attribution, consent, introduction, pending, total};
use crate::{
    domain::{
        Attribution, Bond, BonusState, ClientProgramme, ClientReward, Contract, Grant, Introduction, ReferralKind,
        Reward, RewardKind, Screening, SignUp, Standing, Suspicion, Terms, Tie,
    },
    store::{ROWS, client_programmes, contracts, corrupt, programme, screening, signals, standing},
};

/// What the rows of ties depend on.
struct Surroundings {
    terms: Vec<Arc<Terms>>,
    rewards: HashMap<Uuid, BTreeMap<(RewardKind, vouch_primitives::Currency), Reward>>,
    consents: HashMap<Uuid, Vec<(Timestamp, Arc<Terms>)>>,
    standing: HashMap<ReferrerId, Standing>,
    related: HashMap<PersonId, Vec<ClientId>>,
    screening: HashMap<PersonId, Screening>,
    suspicions: HashMap<(ReferrerId, PersonId), Suspicion>,
    contracts: Vec<Contract>,
    programmes: HashMap<Uuid, ClientProgramme>,
}

/// The ties of these rows.
///
/// # Errors
/// If the database fails.
pub(super) async fn ties(
    conn: &impl ConnectionTrait,
    attributions: &[attribution::Model],
    introductions: &[introduction::Model],
) -> Result<Vec<Tie>, StorageError> {
    if attributions.is_empty() && introductions.is_empty() {
        return Ok(Vec::new());
    }
    let mut around = Surroundings::of(conn, attributions, introductions).await?;
    let mut ties = Vec::with_capacity(attributions.len() + introductions.len());
    for row in attributions {
        let bond = Bond::Attribution(read_attribution(row)?);
        let ids = (row.id, row.referrer_id, row.referee_person_id, row.account_id);
        ties.push(around.tie(ids, row.terms_version, bond)?);
    }
    for row in introductions {
        let bond = Bond::Introduction(read_introduction(row, &around)?);
        let ids = (row.id, row.referrer_id, row.payee_person_id, row.account_id);
        ties.push(around.tie(ids, row.terms_version, bond)?);
    }
    Ok(ties)
}

impl Surroundings {
    async fn of(
        conn: &impl ConnectionTrait,
        attributions: &[attribution::Model],
        introductions: &[introduction::Model],
    ) -> Result<Self, StorageError> {
        let of_attributions = attributions
            .iter()
            .map(|row| (row.id, row.referrer_id, row.referee_person_id));
        let of_introductions = introductions
            .iter()
            .map(|row| (row.id, row.referrer_id, row.payee_person_id));
        let (mut ids, mut referrers, mut people) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for (id, referrer, person) in of_attributions.chain(of_introductions) {
            ids.push(id);
            referrers.insert(ReferrerId::from_uuid(referrer));
            people.insert(PersonId::from_uuid(person));
        }
        let terms: Vec<_> = programme::all_terms(conn)
            .await?
            .into_iter()
            .map(|it| it.terms)
            .collect();
        let accounts = introductions
            .iter()
            .map(|row| AccountId::from_uuid(row.payee_account_id))
            .collect();
        let programmes = introductions
            .iter()
            .filter_map(|row| row.client_programme_id.map(ClientProgrammeId::from_uuid))
            .collect();
        Ok(Self {
            rewards: rewards(conn, &ids).await?,
            consents: consents(conn, attributions, &terms).await?,
            standing: standing::of_referrers(conn, &referrers).await?,
            related: standing::related(conn, &people).await?,
            screening: screening::of_people(conn, &people).await?,
            suspicions: signals::suspicions(conn, &people).await?,
            contracts: contracts::of_accounts(conn, &accounts).await?,
            programmes: client_programmes::with_ids(conn, &programmes)
                .await?
                .into_iter()
                .map(|programme| (programme.id.as_uuid(), programme))
                .collect(),
            terms,
        })
    }

    fn tie(
        &mut self,
        (id, referrer, payee, account): (Uuid, Uuid, Uuid, Uuid),
        version: i32,
        bond: Bond,
    ) -> Result<Tie, StorageError> {
        let (referrer, payee) = (ReferrerId::from_uuid(referrer), PersonId::from_uuid(payee));
        let mut terms = vec![(Timestamp::EPOCH, of_version(&self.terms, version)?)];
        terms.extend(self.consents.remove(&id).unwrap_or_default());
        Ok(Tie {
            id,
            referrer,
            payee,
            account: AccountId::from_uuid(account),
            bond,
            terms,
            standing: self.standing.get(&referrer).cloned().unwrap_or_default(),
            related: self.related.get(&payee).cloned().unwrap_or_default(),
            screening: self.screening.get(&payee).copied().unwrap_or(Screening::Open),
            suspicion: self.suspicions.get(&(referrer, payee)).copied().unwrap_or_default(),
            rewards: self.rewards.remove(&id).unwrap_or_default(),
        })
    }
}

fn of_version(terms: &[Arc<Terms>], version: i32) -> Result<Arc<Terms>, StorageError> {
    let mut all = terms.iter();
    let found = all.find(|terms| i64::from(terms.version) == i64::from(version));
    found.cloned().ok_or_else(|| corrupt("unknown terms"))
}

async fn consents(
    conn: &impl ConnectionTrait,
    attributions: &[attribution::Model],
    terms: &[Arc<Terms>],
) -> Result<HashMap<Uuid, Vec<(Timestamp, Arc<Terms>)>>, StorageError> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for chunk in attributions.chunks(ROWS) {
        let wanted = consent::Column::AttributionId.is_in(chunk.iter().map(|row| row.id));
        for row in consent::Entity::find().filter(wanted).all(conn).await? {
            let from = Timestamp::from_micros(row.from_at);
            let terms = of_version(terms, row.terms_version)?;
            found.entry(row.attribution_id).or_default().push((from, terms));
        }
    }
    found
        .values_mut()
        .for_each(|terms| terms.sort_by_key(|(from, _)| *from));
    Ok(found)
}

async fn rewards(
    conn: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, BTreeMap<(RewardKind, vouch_primitives::Currency), Reward>>, StorageError> {
    let mut found: HashMap<Uuid, BTreeMap<_, Reward>> = HashMap::new();
    for chunk in ids.chunks(ROWS) {
        let wanted = total::Column::TieId.is_in(chunk.iter().copied());
        for row in total::Entity::find().filter(wanted).all(conn).await? {
            let reward = Reward {
                base: row.base_minor,
                accrued: share(row.accrued_minor, row.accrued_fraction)?,
                pending: BTreeMap::new(),
                released: row.released_minor,
                sequence: row.sequence,
                paid_before: row.paid_before_minor,
            };
            let key = (kind(&row.kind)?, row.currency.parse().map_err(corrupt)?);
            found.entry(row.tie_id).or_default().insert(key, reward);
        }
        let wanted = pending::Column::TieId.is_in(chunk.iter().copied());
        for row in pending::Entity::find().filter(wanted).all(conn).await? {
            let key = (kind(&row.kind)?, row.currency.parse().map_err(corrupt)?);
            let reward = found.entry(row.tie_id).or_default().entry(key).or_default();
            let share = share(row.share_minor, row.share_fraction)?;
            reward.pending.insert(Timestamp::from_micros(row.free_at), share);
        }
    }
    Ok(found)
}

fn share(minor: i64, fraction: i32) -> Result<Share, StorageError> {
    Ok(Share::from_parts(minor, u16::try_from(fraction).map_err(corrupt)?))
}

fn kind(name: &str) -> Result<RewardKind, StorageError> {
    RewardKind::of_name(name).ok_or_else(|| corrupt("unknown kind of reward"))
}

fn read_attribution(row: &attribution::Model) -> Result<Attribution, StorageError> {
    let bonus = match (row.bonus_state.as_str(), row.closed_at_window_end) {
        ("OPEN", _) => BonusState::Open,
        ("DUE", false) => BonusState::Due,
        ("DUE", true) => BonusState::Void,
        _ => return Err(corrupt("unknown bonus state")),
    };
    let sign_up = match row.sign_up.as_str() {
        "OPEN" => SignUp::Open,
        "CAPPED" => SignUp::Capped,
        "GRANTED" => SignUp::Granted(Money::new(
            row.sign_up_minor,
            row.sign_up_currency.parse().map_err(corrupt)?,
        )),
        _ => return Err(corrupt("unknown sign-up state")),
    };
    Ok(Attribution {
        kind: referral_kind(&row.kind)?,
        joined: Timestamp::from_micros(row.joined_at),
        bonus,
        hired: row.hired,
        sign_up,
        account: row.referee_account_id.map(AccountId::from_uuid),
    })
}

fn read_introduction(row: &introduction::Model, around: &Surroundings) -> Result<Introduction, StorageError> {
    let mut introduction = Introduction {
        kind: referral_kind(&row.kind)?,
        account: AccountId::from_uuid(row.payee_account_id),
        client: ClientId::from_uuid(row.client_id),
        made: Timestamp::from_micros(row.made_at),
        contracts: Vec::new(),
        completed: false,
        own: row
            .client_programme_id
            .map(|id| own_reward(row, id, around))
            .transpose()?,
    };
    introduction.bind(&around.contracts);
    Ok(introduction)
}

fn own_reward(row: &introduction::Model, id: Uuid, around: &Surroundings) -> Result<ClientReward, StorageError> {
    let programme = around.programmes.get(&id).ok_or_else(|| corrupt("no such programme"))?;
    let grant = match row.client_reward.as_str() {
        "OPEN" => Grant::Open,
        "GRANTED" => Grant::Granted,
        "SPENT" => Grant::Spent,
        _ => return Err(corrupt("unknown state of a client's reward")),
    };
    Ok(ClientReward {
        programme: programme.id,
        terms: programme.terms,
        grant,
    })
}

fn referral_kind(name: &str) -> Result<ReferralKind, StorageError> {
    ReferralKind::of_name(name).ok_or_else(|| corrupt("unknown kind of referral"))
}
