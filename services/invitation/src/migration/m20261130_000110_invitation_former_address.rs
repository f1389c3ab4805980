//! `former_address`: whose an address was before it became somebody else's, so that they can be erased all the same.
//! `unsubscribe_token.sent_at`: for whom of the two a link was.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let former = Table::create()
            .table("former_address")
            .col(blob("email_sha256"))
            .col(uuid("person_id"))
            .col(big_integer("until"))
            .primary_key(Index::create().col("email_sha256").col("person_id"))
            .check(("former_address_is_sha256", Expr::cust("length(email_sha256) = 32")))
            .to_owned();
        manager.create_table(former).await?;
        let of_person = Index::create()
            .name("former_address_of_person")
            .table("former_address")
            .col("person_id")
            .to_owned();
        manager.create_index(of_person).await?;
        let sent_at = Table::alter()
            .table("unsubscribe_token")
            .add_column(big_integer_null("sent_at"))
            .to_owned();
        manager.alter_table(sent_at).await?;
        let of_email = Index::create()
            .name("unsubscribe_token_of_email")
            .table("unsubscribe_token")
            .col("email")
            .to_owned();
        manager.create_index(of_email).await?;
        let of_person = Index::create()
            .name("project_share_of_person")
            .table("project_share")
            .col("person_id")
            .to_owned();
        manager.create_index(of_person).await
    }
}
