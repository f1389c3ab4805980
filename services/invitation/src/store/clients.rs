//! Clients and their hiring managers.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Set};
use vouch_primitives::{ClientId, HiringManagerId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::unreadable;
use crate::domain::{Client, HiringManager, Plan};

/// Adds a client.
///
/// # Errors
/// When the database fails.
pub async fn insert_client(txn: &Txn, client: &Client) -> Result<(), StorageError> {
    let row = entity::ActiveModel {
        id: Set(client.id.as_uuid()),
        company_name: Set(client.company_name.clone()),
        plan: Set(plan_to_text(client.plan).to_owned()),
        created_at: Set(client.created_at.as_micros()),
    };
    entity::Entity::insert(row).exec_without_returning(txn).await?;
    let managers = client
        .hiring_managers
        .iter()
        .zip(0_i32..)
        .map(|(manager, position)| manager::ActiveModel {
            id: Set(manager.id.as_uuid()),
            client_id: Set(client.id.as_uuid()),
            position: Set(position),
            display_name: Set(manager.display_name.clone()),
            email: Set(manager.email.as_str().to_owned()),
        });
    manager::Entity::insert_many(managers)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// Reads a client.
///
/// # Errors
/// When the database fails.
pub async fn find_client(conn: &impl ConnectionTrait, id: ClientId) -> Result<Option<Client>, StorageError> {
    let Some(row) = entity::Entity::find_by_id(id.as_uuid()).one(conn).await? else {
        return Ok(None);
    };
    let managers = manager::Entity::find()
        .filter(manager::Column::ClientId.eq(row.id))
        .order_by_asc(manager::Column::Position)
        .all(conn)
        .await?;
    let hiring_managers = managers.into_iter().map(hiring_manager).collect::<Result<_, _>>()?;
    Ok(Some(Client {
        id,
        company_name: row.company_name,
        plan: plan_from_text(&row.plan)?,
        hiring_managers,
        created_at: Timestamp::from_micros(row.created_at),
    }))
}

/// The value of a row.
pub(super) fn hiring_manager(row: manager::Model) -> Result<HiringManager, StorageError> {
    Ok(HiringManager {
        id: HiringManagerId::from_uuid(row.id),
        display_name: row.display_name,
        email: row
            .email
            .parse()
            .map_err(|error| unreadable("hiring_manager.email", error))?,
    })
}

const fn plan_to_text(plan: Plan) -> &'static str {
    match plan {
        Plan::Basic => "BASIC",
        Plan::BusinessPlus => "BUSINESS_PLUS",
        Plan::Enterprise => "ENTERPRISE",
    }
}

fn plan_from_text(text: &str) -> Result<Plan, StorageError> {
    match text {
        "BASIC" => Ok(Plan::Basic),
        "BUSINESS_PLUS" => Ok(Plan::BusinessPlus),
        "ENTERPRISE" => Ok(Plan::Enterprise),
        other => Err(unreadable("client.plan", other)),
    }
}

pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "client")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub company_name: String,
        pub plan: String,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod manager {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "hiring_manager")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub client_id: Uuid,
        pub position: i32,
        pub display_name: String,
        pub email: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
