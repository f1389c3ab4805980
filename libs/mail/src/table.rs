//! The tables `mail` and `mail_attempt`.

use sea_orm::{DeriveActiveEnum, EnumIter};

/// What has become of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum MailState {
    /// It waits to be delivered, for the first time or again.
    #[sea_orm(string_value = "QUEUED")]
    Queued,
    /// A server has taken it, or it is a file.
    #[sea_orm(string_value = "SENT")]
    Sent,
    /// It was refused for good, or not taken for too long.
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

/// How a delivery attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Outcome {
    /// The mail was taken.
    #[sea_orm(string_value = "ACCEPTED")]
    Accepted,
    /// It was not taken now: a reply 4xx, no connection, no answer in time.
    #[sea_orm(string_value = "DEFERRED")]
    Deferred,
    /// It was refused for good: a reply 5xx.
    #[sea_orm(string_value = "REFUSED")]
    Refused,
}

pub(crate) mod mail {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "mail")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        /// The thing that the mail is about.
        pub about: Uuid,
        pub to_address: String,
        pub to_name: Option<String>,
        pub from_name: String,
        pub reply_to: Option<String>,
        pub subject: String,
        pub html: String,
        pub plain: String,
        pub unsubscribe: Option<String>,
        pub state: super::MailState,
        pub attempts: i32,
        pub queued_at: i64,
        /// When it is tried, while it is queued.
        pub next_at: i64,
        /// When it was sent or given up.
        pub closed_at: Option<i64>,
        pub last_error: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl Related<super::attempt::Entity> for Entity {
        fn to() -> RelationDef {
            super::attempt::Relation::Mail.def().rev()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod attempt {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "mail_attempt")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub mail_id: Uuid,
        /// 1, 2, 3 …
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        pub attempted_at: i64,
        pub outcome: super::Outcome,
        /// The server's reply, or why there was none.
        pub reply: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::mail::Entity",
            from = "Column::MailId",
            to = "super::mail::Column::Id"
        )]
        Mail,
    }

    impl Related<super::mail::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Mail.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}
