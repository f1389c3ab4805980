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
        pub state: String,
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
        pub company_name: String,
        pub hiring_manager_name: String,
        pub hiring_manager_email: String,
        pub contract_terms: Vec<u8>,
        pub lapses_at: i64,
        pub accepted_at: Option<i64>,
        pub contract_id: Option<Uuid>,
        pub room_id: Option<Uuid>,
        pub contract_started_at: Option<i64>,
        pub declined_at: Option<i64>,
        pub decline_reason: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
