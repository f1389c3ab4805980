//! The tables `onboarding_case` and `offer`.

pub mod case {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "onboarding_case")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub account_id: Uuid,
        pub invitation_id: Uuid,
        pub client_id: Uuid,
        pub company_name: String,
        pub client_plan: String,
        pub hiring_manager_name: String,
        pub hiring_manager_email: String,
        pub talent: String,
        pub agency_id: Option<Uuid>,
        /// The agency's own; the key between the tables keeps it up to date.
        pub listing: Option<String>,
        pub brings: String,
        pub talent_cloud_id: Option<Uuid>,
        pub talent_cloud_name: Option<String>,
        pub state: String,
        pub since: i64,
        pub opened_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod offer {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "offer")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub case_id: Uuid,
        pub version: i32,
        pub contract_terms: Vec<u8>,
        pub lapses_at: i64,
        pub accepted_at: Option<i64>,
        pub contract_id: Option<Uuid>,
        pub room_id: Option<Uuid>,
        pub contract_started_at: Option<i64>,
        /// Payments' word, which `store::contracts` keeps.
        pub contract_ended_at: Option<i64>,
        pub declined_at: Option<i64>,
        pub decline_reason: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
