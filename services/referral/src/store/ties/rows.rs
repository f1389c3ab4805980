//! The rows of ties and their totals.

pub mod attribution {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "attribution")]
    pub struct Model {
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
        pub hired: bool,
        pub closed_at_window_end: bool,
        pub sign_up: String,
        pub sign_up_currency: String,
        pub sign_up_minor: i64,
        pub referee_account_id: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod introduction {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "introduction")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub referrer_id: Uuid,
        pub account_id: Uuid,
        pub kind: String,
        pub payee_person_id: Uuid,
        pub payee_account_id: Uuid,
        pub client_id: Uuid,
        pub terms_version: i32,
        pub made_at: i64,
        pub message: String,
        pub client_programme_id: Option<Uuid>,
        pub client_reward: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod consent {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "attribution_terms")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub attribution_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub from_at: i64,
        pub terms_version: i32,
        pub consent: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod total {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reward_total")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tie_id: Uuid,
        pub attribution_id: Option<Uuid>,
        pub introduction_id: Option<Uuid>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: String,
        pub base_minor: i64,
        pub accrued_minor: i64,
        pub accrued_fraction: i32,
        pub released_minor: i64,
        pub sequence: i64,
        pub paid_before_minor: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod pending {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reward_pending")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tie_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub free_at: i64,
        pub share_minor: i64,
        pub share_fraction: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
