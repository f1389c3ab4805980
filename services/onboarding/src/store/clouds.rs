//! What invitation tells of talent clouds: who was taken out of one, and which are archived. News may come before the case
//! that they are about, so they stand in tables of their own and are read beside the cases.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Alias, Expr, ExprTrait, OnConflict, Query, SimpleExpr},
};
use vouch_primitives::{PersonId, TalentCloudId, Timestamp, Uuid};
use vouch_storage::{StorageError, Txn};

use super::cases::entity::case;
use crate::domain::{CloudEnd, Membership};

/// Notes whether people are in talent clouds, where nothing later is known, and returns whom a client has taken back into
/// one.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, changes: &[Membership]) -> Result<Vec<(TalentCloudId, PersonId)>, StorageError> {
    let mut changes = changes.to_vec();
    changes.sort_by_key(|change| change.changed_at);
    let newest: BTreeMap<_, _> = changes
        .into_iter()
        .map(|change| ((change.cloud_id, change.person_id), change))
        .collect();
    let places: Vec<_> = newest
        .keys()
        .map(|(cloud, person)| (cloud.as_uuid(), person.as_uuid()))
        .collect();
    let before = left(txn, &places).await?;
    let rows = newest.values().map(|change| member::ActiveModel {
        talent_cloud_id: Set(change.cloud_id.as_uuid()),
        person_id: Set(change.person_id.as_uuid()),
        is_removed: Set(change.is_removed),
        changed_at: Set(change.changed_at.as_micros()),
    });
    // Of two at the same moment the one that is heard last counts.
    let later = Expr::col((member::Entity, member::Column::ChangedAt))
        .lte(Expr::col((Alias::new("excluded"), member::Column::ChangedAt)));
    let newer = OnConflict::columns([member::Column::TalentCloudId, member::Column::PersonId])
        .update_columns([member::Column::IsRemoved, member::Column::ChangedAt])
        .action_and_where(later)
        .to_owned();
    if !places.is_empty() {
        member::Entity::insert_many(rows)
            .on_conflict(newer)
            .exec_without_returning(txn)
            .await?;
    }
    let after = left(txn, &places).await?;
    let back = newest
        .into_keys()
        .filter(|(cloud, person)| {
            let place = (cloud.as_uuid(), person.as_uuid());
            before.contains_key(&place) && !after.contains_key(&place)
        })
        .collect();
    Ok(back)
}

/// Notes that talent clouds are archived, which is for ever.
///
/// # Errors
/// When the database fails.
pub async fn save_ends(txn: &Txn, ends: &[CloudEnd]) -> Result<(), StorageError> {
    let ends: BTreeMap<_, _> = ends.iter().map(|end| (end.cloud_id, end.archived_at)).collect();
    if ends.is_empty() {
        return Ok(());
    }
    let rows = ends.into_iter().map(|(cloud, at)| end::ActiveModel {
        talent_cloud_id: Set(cloud.as_uuid()),
        archived_at: Set(at.as_micros()),
    });
    let known = OnConflict::column(end::Column::TalentCloudId).do_nothing().to_owned();
    end::Entity::insert_many(rows)
        .on_conflict(known)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// Of these places in talent clouds those that are nobody's any more, with since when.
///
/// # Errors
/// When the database fails.
pub async fn left(
    conn: &impl ConnectionTrait,
    places: &[(Uuid, Uuid)],
) -> Result<HashMap<(Uuid, Uuid), Timestamp>, StorageError> {
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let clouds = || places.iter().map(|(cloud, _)| *cloud);
    let removed = member::Entity::find()
        .filter(member::Column::TalentCloudId.is_in(clouds()))
        .filter(member::Column::PersonId.is_in(places.iter().map(|(_, person)| *person)))
        .filter(member::Column::IsRemoved.eq(true))
        .all(conn)
        .await?;
    let removed: HashMap<_, _> = removed
        .into_iter()
        .map(|row| ((row.talent_cloud_id, row.person_id), row.changed_at))
        .collect();
    let archived = end::Entity::find().filter(end::Column::TalentCloudId.is_in(clouds()));
    let archived: HashMap<_, _> = archived
        .all(conn)
        .await?
        .into_iter()
        .map(|row| (row.talent_cloud_id, row.archived_at))
        .collect();
    let since = |place: &(Uuid, Uuid)| {
        let either = [removed.get(place), archived.get(&place.0)];
        let first = either.into_iter().flatten().min()?;
        Some((*place, Timestamp::from_micros(*first)))
    };
    Ok(places.iter().filter_map(since).collect())
}

/// Whether a case is about a place in a talent cloud that is nobody's any more.
pub(super) fn is_left() -> SimpleExpr {
    let removed = Query::select()
        .expr(Expr::value(1))
        .from(member::Entity)
        .and_where(
            Expr::col((member::Entity, member::Column::TalentCloudId))
                .equals((case::Entity, case::Column::TalentCloudId)),
        )
        .and_where(Expr::col((member::Entity, member::Column::PersonId)).equals((case::Entity, case::Column::PersonId)))
        .and_where(member::Column::IsRemoved.eq(true))
        .to_owned();
    let archived = Query::select()
        .expr(Expr::value(1))
        .from(end::Entity)
        .and_where(
            Expr::col((end::Entity, end::Column::TalentCloudId)).equals((case::Entity, case::Column::TalentCloudId)),
        )
        .to_owned();
    let either = Condition::any().add(Expr::exists(removed)).add(Expr::exists(archived));
    either.into()
}

mod member {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "talent_cloud_member")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub talent_cloud_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        pub is_removed: bool,
        pub changed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod end {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "archived_talent_cloud")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub talent_cloud_id: Uuid,
        pub archived_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
