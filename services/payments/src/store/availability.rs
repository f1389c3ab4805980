//! What waits to become available: `earning`, `dispute` and `invoice`, by the indexes of what is not finished.

use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*};
use vouch_primitives::{AccountId, EarningId, InvoiceId};
use vouch_storage::StorageError;

use super::{disputes, earnings, invoices};
use crate::domain::{Dispute, Earning, Invoice};

/// As the index has it, word for word.
const WAITS: &str = "(settled_at IS NULL OR disputed_minor > 0)";
const IS_UNPAID: &str = "state <> 'PAID'";

/// The next earnings of an account that have not settled, or that a dispute is about, in ascending id.
///
/// # Errors
/// When the database fails.
pub async fn earnings(
    conn: &impl ConnectionTrait,
    account: AccountId,
    after: Option<EarningId>,
    limit: u64,
) -> Result<Vec<Earning>, StorageError> {
    use earnings::entity::{Column, Entity};
    let mut query = Entity::find()
        .filter(Column::AccountId.eq(account.as_uuid()))
        .filter(Expr::cust(WAITS))
        .order_by_asc(Column::Id)
        .limit(limit);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.as_uuid()));
    }
    query.all(conn).await?.into_iter().map(Earning::try_from).collect()
}

/// The open disputes about these earnings.
///
/// # Errors
/// When the database fails.
pub async fn open_disputes(conn: &impl ConnectionTrait, earnings: &[Earning]) -> Result<Vec<Dispute>, StorageError> {
    use disputes::entity::{Column, Entity};
    let query = Entity::find()
        .filter(Column::EarningId.is_in(earnings.iter().map(|earning| earning.id.as_uuid())))
        .filter(Column::State.eq("OPEN"));
    query.all(conn).await?.into_iter().map(Dispute::try_from).collect()
}

/// The next invoices of an account that are not paid, in ascending id.
///
/// # Errors
/// When the database fails.
pub async fn unpaid_invoices(
    conn: &impl ConnectionTrait,
    account: AccountId,
    after: Option<InvoiceId>,
    limit: u64,
) -> Result<Vec<Invoice>, StorageError> {
    use invoices::entity::{Column, Entity};
    let mut query = Entity::find()
        .filter(Column::AccountId.eq(account.as_uuid()))
        .filter(Expr::cust(IS_UNPAID))
        .order_by_asc(Column::Id)
        .limit(limit);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.as_uuid()));
    }
    query.all(conn).await?.into_iter().map(Invoice::try_from).collect()
}
