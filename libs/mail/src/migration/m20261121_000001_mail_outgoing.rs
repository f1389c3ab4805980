//! `mail` holds every outgoing mail, its body only until it is sent or given up; `mail_attempt` each delivery attempt.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mail = Table::create()
            .table("mail")
            .col(pk_uuid("id"))
            .col(text("kind"))
            .col(uuid("about"))
            .col(text("to_address"))
            .col(text_null("to_name"))
            .col(text("from_name"))
            .col(text_null("reply_to"))
            .col(text("subject"))
            .col(text("html"))
            .col(text("plain"))
            .col(text_null("unsubscribe"))
            .col(text("state"))
            .col(integer("attempts").default(0))
            .col(big_integer("queued_at"))
            .col(big_integer("next_at"))
            .col(big_integer_null("closed_at"))
            .col(text_null("last_error"))
            .to_owned();
        let attempt = Table::create()
            .table("mail_attempt")
            .col(uuid("mail_id"))
            .col(integer("number"))
            .col(big_integer("attempted_at"))
            .col(text("outcome"))
            .col(text("reply"))
            .primary_key(Index::create().col("mail_id").col("number"))
            .foreign_key(ForeignKey::create().from("mail_attempt", "mail_id").to("mail", "id"))
            .to_owned();
        let due = Index::create()
            .name("mail_due")
            .table("mail")
            .col("state")
            .col("next_at")
            .to_owned();
        let about = Index::create().name("mail_about").table("mail").col("about").to_owned();
        manager.create_table(mail).await?;
        manager.create_table(attempt).await?;
        manager.create_index(due).await?;
        manager.create_index(about).await
    }
}
