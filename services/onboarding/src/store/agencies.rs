//! Agencies.

use sea_orm::{ConnectionTrait, EntityTrait};
use vouch_primitives::{AccountId, PersonId};
use vouch_storage::StorageError;

use super::unreadable;
use crate::domain::{Agency, Listing};

/// Reads an agency.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: AccountId) -> Result<Option<Agency>, StorageError> {
    let row = entity::Entity::find_by_id(id.as_uuid()).one(conn).await?;
    row.map(agency).transpose()
}

fn agency(row: entity::Model) -> Result<Agency, StorageError> {
    Ok(Agency {
        id: AccountId::from_uuid(row.id),
        person_id: PersonId::from_uuid(row.person_id),
        name: row.name,
        listing: match row.listing.as_str() {
            "PROVISIONAL" => Listing::Provisional,
            "PUBLIC" => Listing::Public,
            other => return Err(unreadable("agency.listing", other)),
        },
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "agency")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub name: String,
        pub listing: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
