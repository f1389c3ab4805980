//! `attribution` and `reward_total`: the ties and what they have come to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{
    ActiveValue::Set, Condition, ConnectionTrait, ExprTrait as _, QueryOrder, QuerySelect, QueryTrait as _, Select,
    entity::prelude::*, sea_query::OnConflict,
};
use vouch_primitives::{AccountId, AttributionId, Currency, Money, PersonId, ReferrerId, Share, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt, programme};
use crate::domain::{BonusState, ReferralKind, Reward, RewardKind, Terms, Tie};

mod attribution {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "attribution")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub referrer_id: Uuid,
        pub account_id: Uuid,
        #[sea_orm(unique)]
        pub referee_person_id: Uuid,
        pub terms_version: i32,
        pub joined_at: i64,
        pub bonus_state: String,
        pub created_at: i64,
        pub kind: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod total {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reward_total")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub attribution_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: String,
        pub base_minor: i64,
        pub accrued_minor: i64,
        pub accrued_fraction: i32,
        pub released_minor: i64,
        pub sequence: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Stores new ties, without totals, and returns the ids of those that are in: a person who has a referrer already
/// keeps that one for ever.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, now: Timestamp, ties: &[Tie]) -> Result<BTreeSet<AttributionId>, StorageError> {
    let mut fresh = BTreeSet::new();
    for chunk in ties.chunks(ROWS) {
        let rows: Vec<_> = chunk.iter().map(|tie| write(now, tie)).collect::<Result<_, _>>()?;
        let inserted = attribution::Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_with_returning(txn)
            .await?;
        fresh.extend(inserted.into_iter().map(|row| AttributionId::from_uuid(row.id)));
    }
    Ok(fresh)
}

/// The ties of some referees, with their totals. The people must be locked when the ties are to be changed.
///
/// # Errors
/// If the database fails.
pub async fn of_referees(conn: &impl ConnectionTrait, referees: &BTreeSet<PersonId>) -> Result<Vec<Tie>, StorageError> {
    let referees: Vec<_> = referees.iter().map(|id| id.as_uuid()).collect();
    let mut rows = Vec::new();
    for chunk in referees.chunks(ROWS) {
        let wanted = attribution::Column::RefereePersonId.is_in(chunk.iter().copied());
        rows.extend(attribution::Entity::find().filter(wanted).all(conn).await?);
    }
    with_totals(conn, rows).await
}

/// The referees of some attributions.
///
/// # Errors
/// If the database fails.
pub async fn referees(
    conn: &impl ConnectionTrait,
    attributions: &[AttributionId],
) -> Result<BTreeSet<PersonId>, StorageError> {
    let mut people = BTreeSet::new();
    for chunk in attributions.chunks(ROWS) {
        let wanted = attribution::Column::Id.is_in(chunk.iter().map(|id| id.as_uuid()));
        let rows = attribution::Entity::find().filter(wanted).all(conn).await?;
        people.extend(rows.into_iter().map(|row| PersonId::from_uuid(row.referee_person_id)));
    }
    Ok(people)
}

/// A referrer's ties, newest first, at most `limit` of those before `before`.
///
/// # Errors
/// If the database fails.
pub async fn of_referrer(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    before: Option<AttributionId>,
    limit: u64,
) -> Result<Vec<Tie>, StorageError> {
    let mut wanted = Condition::all().add(attribution::Column::ReferrerId.eq(referrer.as_uuid()));
    if let Some(before) = before {
        let Some(last) = attribution::Entity::find_by_id(before.as_uuid()).one(conn).await? else {
            return Ok(Vec::new());
        };
        let of_the_same_moment = Condition::all()
            .add(attribution::Column::JoinedAt.eq(last.joined_at))
            .add(attribution::Column::Id.lt(last.id));
        let earlier = attribution::Column::JoinedAt.lt(last.joined_at);
        wanted = wanted.add(Condition::any().add(earlier).add(of_the_same_moment));
    }
    let page = attribution::Entity::find()
        .filter(wanted)
        .order_by_desc(attribution::Column::JoinedAt)
        .order_by_desc(attribution::Column::Id)
        .limit(limit);
    with_totals(conn, page.all(conn).await?).await
}

/// Reads a tie with its totals.
///
/// # Errors
/// If the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: AttributionId) -> Result<Option<Tie>, StorageError> {
    let row = attribution::Entity::find_by_id(id.as_uuid()).one(conn).await?;
    Ok(with_totals(conn, row.into_iter().collect()).await?.pop())
}

/// What was released to a referrer in all, by currency.
///
/// # Errors
/// If the database fails.
pub async fn released(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
) -> Result<BTreeMap<Currency, Money>, StorageError> {
    let theirs = attribution::Entity::find()
        .select_only()
        .column(attribution::Column::Id)
        .filter(attribution::Column::ReferrerId.eq(referrer.as_uuid()))
        .into_query();
    by_currency(
        conn,
        total::Entity::find().filter(total::Column::AttributionId.in_subquery(theirs)),
    )
    .await
}

/// What was released to all referrers, by currency.
///
/// # Errors
/// If the database fails.
pub async fn released_to_all(conn: &impl ConnectionTrait) -> Result<BTreeMap<Currency, Money>, StorageError> {
    by_currency(conn, total::Entity::find()).await
}

async fn by_currency(
    conn: &impl ConnectionTrait,
    of: Select<total::Entity>,
) -> Result<BTreeMap<Currency, Money>, StorageError> {
    let rows: Vec<(String, i64)> = of
        .select_only()
        .column(total::Column::Currency)
        // PostgreSQL makes a number without an end of a sum.
        .column_as(total::Column::ReleasedMinor.sum().cast_as("bigint"), "released")
        .group_by(total::Column::Currency)
        .into_tuple()
        .all(conn)
        .await?;
    rows.into_iter()
        .map(|(code, minor)| {
            let currency = code.parse().map_err(corrupt)?;
            Ok((currency, Money::new(minor, currency)))
        })
        .collect()
}

/// Stores the totals of ties and where their bonus stands.
///
/// # Errors
/// If the database fails.
pub async fn save(txn: &Txn, ties: &[Tie]) -> Result<(), StorageError> {
    let due: Vec<_> = ties
        .iter()
        .filter(|tie| tie.bonus == BonusState::Due)
        .map(|tie| tie.id.as_uuid())
        .collect();
    for chunk in due.chunks(ROWS) {
        attribution::Entity::update_many()
            .col_expr(
                attribution::Column::BonusState,
                Expr::value(bonus_name(BonusState::Due)),
            )
            .filter(attribution::Column::Id.is_in(chunk.iter().copied()))
            .filter(attribution::Column::BonusState.ne(bonus_name(BonusState::Due)))
            .exec(txn)
            .await?;
    }
    let totals: Vec<_> = ties.iter().flat_map(totals_of).collect::<Result<_, _>>()?;
    for chunk in totals.chunks(ROWS) {
        let key = [
            total::Column::AttributionId,
            total::Column::Kind,
            total::Column::Currency,
        ];
        let values = [
            total::Column::BaseMinor,
            total::Column::AccruedMinor,
            total::Column::AccruedFraction,
            total::Column::ReleasedMinor,
            total::Column::Sequence,
        ];
        total::Entity::insert_many(chunk.to_vec())
            .on_conflict(OnConflict::columns(key).update_columns(values).to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// The name of a kind, as it is stored.
#[must_use]
pub fn kind_name(kind: RewardKind) -> &'static str {
    match kind {
        RewardKind::LifetimeShare => "LIFETIME_SHARE",
        RewardKind::WindowBonus => "WINDOW_BONUS",
    }
}

fn bonus_name(state: BonusState) -> &'static str {
    match state {
        BonusState::Open => "OPEN",
        BonusState::Due => "DUE",
    }
}

fn write(now: Timestamp, tie: &Tie) -> Result<attribution::ActiveModel, StorageError> {
    Ok(attribution::ActiveModel {
        id: Set(tie.id.as_uuid()),
        referrer_id: Set(tie.referrer.as_uuid()),
        account_id: Set(tie.account.as_uuid()),
        referee_person_id: Set(tie.referee.as_uuid()),
        terms_version: Set(i32::try_from(tie.terms.version).map_err(corrupt)?),
        joined_at: Set(tie.joined.as_micros()),
        bonus_state: Set(bonus_name(tie.bonus).to_owned()),
        created_at: Set(now.as_micros()),
        kind: Set(tie.kind.name().to_owned()),
    })
}

fn totals_of(tie: &Tie) -> impl Iterator<Item = Result<total::ActiveModel, StorageError>> {
    tie.rewards.iter().map(|((kind, currency), reward)| {
        Ok(total::ActiveModel {
            attribution_id: Set(tie.id.as_uuid()),
            kind: Set(kind_name(*kind).to_owned()),
            currency: Set(currency.code().to_owned()),
            base_minor: Set(reward.base),
            accrued_minor: Set(reward
                .accrued
                .floor_minor()
                .ok_or_else(|| corrupt("a total does not fit"))?),
            accrued_fraction: Set(i32::from(reward.accrued.fraction())),
            released_minor: Set(reward.released),
            sequence: Set(reward.sequence),
        })
    })
}

async fn with_totals(conn: &impl ConnectionTrait, rows: Vec<attribution::Model>) -> Result<Vec<Tie>, StorageError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut totals: HashMap<Uuid, Vec<total::Model>> = HashMap::new();
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    for chunk in ids.chunks(ROWS) {
        let wanted = total::Column::AttributionId.is_in(chunk.iter().copied());
        for row in total::Entity::find().filter(wanted).all(conn).await? {
            totals.entry(row.attribution_id).or_default().push(row);
        }
    }
    let versions = programme::all_terms(conn).await?;
    let mut ties = Vec::with_capacity(rows.len());
    for row in rows {
        let terms = versions.iter().map(|published| published.terms);
        let terms = terms
            .into_iter()
            .find(|terms| i64::from(terms.version) == i64::from(row.terms_version));
        let terms = terms.ok_or_else(|| corrupt("unknown terms"))?;
        let rewards = totals.remove(&row.id).unwrap_or_default();
        ties.push(read(&row, terms, &rewards)?);
    }
    Ok(ties)
}

fn read(row: &attribution::Model, terms: Terms, totals: &[total::Model]) -> Result<Tie, StorageError> {
    let states = [BonusState::Open, BonusState::Due];
    let bonus = states.into_iter().find(|state| bonus_name(*state) == row.bonus_state);
    let mut rewards = BTreeMap::new();
    for total in totals {
        let kind = RewardKind::ALL.into_iter().find(|kind| kind_name(*kind) == total.kind);
        let kind = kind.ok_or_else(|| corrupt("unknown kind of reward"))?;
        let fraction = u16::try_from(total.accrued_fraction).map_err(corrupt)?;
        let reward = Reward {
            base: total.base_minor,
            accrued: Share::from_parts(total.accrued_minor, fraction),
            released: total.released_minor,
            sequence: total.sequence,
        };
        rewards.insert((kind, total.currency.parse().map_err(corrupt)?), reward);
    }
    Ok(Tie {
        id: AttributionId::from_uuid(row.id),
        referrer: ReferrerId::from_uuid(row.referrer_id),
        referee: PersonId::from_uuid(row.referee_person_id),
        account: AccountId::from_uuid(row.account_id),
        kind: ReferralKind::of_name(&row.kind).ok_or_else(|| corrupt("unknown kind of referral"))?,
        terms,
        joined: Timestamp::from_micros(row.joined_at),
        bonus: bonus.ok_or_else(|| corrupt("unknown bonus state"))?,
        rewards,
    })
}
