//! Who brings whom: referrers and those they vouched for, and talent that recommends others.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use vouch_primitives::{ClientId, InvitationId, PersonId, ProjectId, RecommendationId, ReferrerId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, accounts::Former, suppressions::hash_of, unreadable};
use crate::domain::{
    AddressHash, Occasion, Recipient, Recommendation, RecommendedTalent, Referee, Referrer, invitation::ERASED_ADDRESS,
};

/// Adds a recommendation, unless the person has recommended the same address on the same occasion; tells whether it was
/// added.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, recommendation: &Recommendation) -> Result<bool, StorageError> {
    let (invitation, project) = match recommendation.occasion {
        Occasion::Invitation(invitation) => (Some(invitation.as_uuid()), None),
        Occasion::Project(project) => (None, Some(project.as_uuid())),
    };
    let RecommendedTalent { contact, message } = &recommendation.talent;
    let row = entity::ActiveModel {
        id: Set(recommendation.id.as_uuid()),
        client_id: Set(recommendation.client_id.as_uuid()),
        invitation_id: Set(invitation),
        project_id: Set(project),
        person_id: Set(recommendation.person_id.map(|person| person.as_uuid())),
        name: Set(contact.name.clone()),
        email: Set(contact.email.to_string()),
        email_sha256: Set(Some(hash_of(&contact.email).0.to_vec())),
        message: Set(message.clone()),
        recommended_at: Set(recommendation.recommended_at.as_micros()),
    };
    // On whichever of the two occasions.
    let same = OnConflict::new().do_nothing().to_owned();
    let added = entity::Entity::insert(row)
        .on_conflict(same)
        .exec_without_returning(txn)
        .await?;
    Ok(added == 1)
}

/// What the same person has said first of the same address on the same occasion.
///
/// # Errors
/// When the database fails.
pub async fn find_same(txn: &Txn, again: &Recommendation) -> Result<Option<Recommendation>, StorageError> {
    let occasion = match again.occasion {
        Occasion::Invitation(id) => entity::Column::InvitationId.eq(id.as_uuid()),
        Occasion::Project(id) => entity::Column::ProjectId.eq(id.as_uuid()),
    };
    let row = entity::Entity::find()
        .filter(occasion)
        .filter(entity::Column::PersonId.eq(again.person_id.map(|person| person.as_uuid())))
        .filter(entity::Column::Email.eq(again.talent.contact.email.as_str()))
        .one(txn)
        .await?;
    row.map(recommendation).transpose()
}

/// Whom talent has recommended to a client, the newest first, from the one after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    client: ClientId,
    after: Option<RecommendationId>,
    limit: u64,
) -> Result<Vec<Recommendation>, StorageError> {
    let mut query = entity::Entity::find().filter(entity::Column::ClientId.eq(client.as_uuid()));
    if let Some(after) = after {
        query = query.filter(entity::Column::Id.lt(after.as_uuid()));
    }
    let rows = query.order_by_desc(entity::Column::Id).limit(limit).all(conn).await?;
    rows.into_iter().map(recommendation).collect()
}

/// Forgets who was recommended under one of these addresses, or under a former one as long as it was theirs, and what these people have said of others, if need be as whom one
/// of these invitations had invited. Tells of which recommendations something was forgotten.
///
/// # Errors
/// When the database fails.
pub async fn erase(
    txn: &Txn,
    people: &[PersonId],
    addresses: &[AddressHash],
    former: &[Former],
    invited_by: &[InvitationId],
) -> Result<Vec<RecommendationId>, StorageError> {
    let mut erased = Vec::new();
    let of_addresses = addresses
        .chunks(ROWS)
        .map(|chunk| entity::Column::EmailSha256.is_in(chunk.iter().map(|hash| hash.0.to_vec())));
    let of_former = former.iter().map(|former| {
        let to = entity::Column::EmailSha256.eq(former.hash.0.to_vec());
        to.and(entity::Column::RecommendedAt.lt(former.until.as_micros()))
    });
    for of in of_addresses.chain(of_former) {
        let forgotten = entity::ActiveModel {
            name: Set(String::new()),
            email: Set(ERASED_ADDRESS.to_owned()),
            email_sha256: Set(None),
            message: Set(String::new()),
            ..Default::default()
        };
        let rows = entity::Entity::update_many()
            .set(forgotten)
            .filter(of)
            .exec_with_returning(txn)
            .await?;
        erased.extend(rows.into_iter().map(|row| RecommendationId::from_uuid(row.id)));
    }
    let by_people = people
        .chunks(ROWS)
        .map(|chunk| entity::Column::PersonId.is_in(chunk.iter().map(|person| person.as_uuid())));
    let by_invited = invited_by
        .chunks(ROWS)
        .map(|chunk| entity::Column::InvitationId.is_in(chunk.iter().map(|id| id.as_uuid())));
    for said in by_people.chain(by_invited) {
        let rows = entity::Entity::update_many()
            .col_expr(entity::Column::Message, Expr::value(""))
            .filter(said)
            .filter(entity::Column::Message.ne(""))
            .exec_with_returning(txn)
            .await?;
        erased.extend(rows.into_iter().map(|row| RecommendationId::from_uuid(row.id)));
    }
    Ok(erased)
}

/// Notes who vouches for others, where it is not noted yet.
///
/// # Errors
/// When the database fails.
pub async fn save_referrers(txn: &Txn, referrers: &[Referrer]) -> Result<(), StorageError> {
    let rows: BTreeMap<_, _> = referrers.iter().map(|referrer| (referrer.id, referrer)).collect();
    let rows: Vec<_> = rows.into_values().collect();
    let known = OnConflict::column(referrer::Column::Id).do_nothing().to_owned();
    for chunk in rows.chunks(ROWS) {
        let rows = chunk.iter().map(|referrer| referrer::ActiveModel {
            id: Set(referrer.id.as_uuid()),
            person_id: Set(referrer.person_id.as_uuid()),
            code: Set(referrer.code.clone()),
        });
        referrer::Entity::insert_many(rows)
            .on_conflict(known.clone())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Notes who vouched for whom, where it is not noted yet: that never changes.
///
/// # Errors
/// When the database fails.
pub async fn save_referees(txn: &Txn, referees: &[Referee]) -> Result<(), StorageError> {
    let rows: BTreeMap<_, _> = referees.iter().map(|referee| (referee.person_id, referee)).collect();
    let rows: Vec<_> = rows.into_values().collect();
    let known = OnConflict::column(referee::Column::PersonId).do_nothing().to_owned();
    for chunk in rows.chunks(ROWS) {
        let rows = chunk.iter().map(|referee| referee::ActiveModel {
            person_id: Set(referee.person_id.as_uuid()),
            referrer_id: Set(referee.referrer_id.as_uuid()),
        });
        referee::Entity::insert_many(rows)
            .on_conflict(known.clone())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// The first referrer that this person has become.
///
/// # Errors
/// When the database fails.
pub async fn referrer_of(conn: &impl ConnectionTrait, person: PersonId) -> Result<Option<Referrer>, StorageError> {
    let row = referrer::Entity::find()
        .filter(referrer::Column::PersonId.eq(person.as_uuid()))
        .order_by_asc(referrer::Column::Id)
        .one(conn)
        .await?;
    Ok(row.map(|row| Referrer {
        id: ReferrerId::from_uuid(row.id),
        person_id: PersonId::from_uuid(row.person_id),
        code: row.code,
    }))
}

/// Who vouched for these people when they joined, where anybody did. At most as many as one statement names.
///
/// # Errors
/// When the database fails.
pub async fn vouched_for(
    conn: &impl ConnectionTrait,
    people: &[PersonId],
) -> Result<HashMap<PersonId, PersonId>, StorageError> {
    let rows = referee::Entity::find()
        .filter(referee::Column::PersonId.is_in(people.iter().map(|person| person.as_uuid())))
        .find_also_related(referrer::Entity)
        .all(conn)
        .await?;
    let known = rows.into_iter().filter_map(|(referee, referrer)| {
        let [referee, referrer] = [referee.person_id, referrer?.person_id].map(PersonId::from_uuid);
        Some((referee, referrer))
    });
    Ok(known.collect())
}

fn recommendation(row: entity::Model) -> Result<Recommendation, StorageError> {
    let occasion = match (row.invitation_id, row.project_id) {
        (Some(invitation), None) => Occasion::Invitation(InvitationId::from_uuid(invitation)),
        (None, Some(project)) => Occasion::Project(ProjectId::from_uuid(project)),
        _ => return Err(unreadable("recommendation.project_id", row.id)),
    };
    let email = row.email.parse();
    Ok(Recommendation {
        id: RecommendationId::from_uuid(row.id),
        client_id: ClientId::from_uuid(row.client_id),
        occasion,
        person_id: row.person_id.map(PersonId::from_uuid),
        talent: RecommendedTalent {
            contact: Recipient {
                email: email.map_err(|error| unreadable("recommendation.email", error))?,
                name: row.name,
            },
            message: row.message,
        },
        recommended_at: Timestamp::from_micros(row.recommended_at),
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "recommendation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub client_id: Uuid,
        pub invitation_id: Option<Uuid>,
        pub project_id: Option<Uuid>,
        pub person_id: Option<Uuid>,
        pub name: String,
        pub email: String,
        /// By which it is found; none once it is erased.
        pub email_sha256: Option<Vec<u8>>,
        pub message: String,
        pub recommended_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod referrer {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "referrer")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub code: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod referee {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "referee")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        pub referrer_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::referrer::Entity",
            from = "Column::ReferrerId",
            to = "super::referrer::Column::Id"
        )]
        Referrer,
    }

    impl Related<super::referrer::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Referrer.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}
