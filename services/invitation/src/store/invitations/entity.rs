//! The table `invitation`.

use sea_orm::entity::prelude::*;

use crate::store::{clients, clouds};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub client_id: Uuid,
    pub hiring_manager_id: Uuid,
    pub talent_type: String,
    pub recipient_email: String,
    /// By which it is found when all that is left of somebody is the hash of their address.
    pub recipient_sha256: Vec<u8>,
    pub recipient_name: String,
    /// The encoded `vouch.common.v1.ContractTerms`; none in an invitation to a cloud.
    pub contract_terms: Option<Vec<u8>>,
    pub talent_cloud_id: Option<Uuid>,
    pub personal_message: String,
    pub branch: String,
    pub state: String,
    pub sent_at: i64,
    pub expires_at: i64,
    pub accepted_at: Option<i64>,
    pub person_id: Option<Uuid>,
    pub hired_at: Option<i64>,
    pub offer_ended_at: Option<i64>,
    pub declined_at: Option<i64>,
    pub decline_reason: String,
    pub withdrawn_at: Option<i64>,
    pub change: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "clients::entity::Entity",
        from = "Column::ClientId",
        to = "clients::entity::Column::Id"
    )]
    Client,
    #[sea_orm(
        belongs_to = "clients::manager::Entity",
        from = "Column::HiringManagerId",
        to = "clients::manager::Column::Id"
    )]
    HiringManager,
    #[sea_orm(
        belongs_to = "clouds::entity::Entity",
        from = "Column::TalentCloudId",
        to = "clouds::entity::Column::Id"
    )]
    TalentCloud,
}

impl Related<clients::entity::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Client.def()
    }
}

impl Related<clients::manager::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::HiringManager.def()
    }
}

impl Related<clouds::entity::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::TalentCloud.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
