//! `touch`: clicks on links.

use sea_orm::{
    ActiveValue::Set, ConnectionTrait, FromQueryResult, Statement, entity::prelude::*, sea_query::OnConflict,
};
use vouch_primitives::{AccountId, ReferralLinkId, ReferrerId, RequestId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, marks};

/// A click on a link of a referrer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Its id: that of the request that told of it.
    pub id: RequestId,
    /// Who clicked, as the cookie of the site knows them.
    pub visitor: String,
    /// Whose link it was.
    pub referrer: ReferrerId,
    /// Which link; `None` for the one that everybody has.
    pub link: Option<ReferralLinkId>,
    /// What is known of the device, hashed.
    pub device: Option<[u8; 32]>,
    /// What is known of the network, hashed.
    pub network: Option<[u8; 32]>,
    /// When.
    pub clicked_at: Timestamp,
}

/// A click that somebody had behind them when they signed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerTouch {
    /// Whose account.
    pub account: AccountId,
    /// The click.
    pub touch: Touch,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "touch")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub visitor_id: String,
    pub referrer_id: Uuid,
    pub link_id: Option<Uuid>,
    pub device_sha256: Option<Vec<u8>>,
    pub network_sha256: Option<Vec<u8>>,
    pub clicked_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[derive(FromQueryResult)]
struct Row {
    account_id: Uuid,
    id: Uuid,
    visitor_id: String,
    referrer_id: Uuid,
    link_id: Option<Uuid>,
    device_sha256: Option<Vec<u8>>,
    network_sha256: Option<Vec<u8>>,
    clicked_at: i64,
}

/// Stores clicks; those that are known stay as they are.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, touches: &[Touch]) -> Result<(), StorageError> {
    for chunk in touches.chunks(ROWS) {
        let rows = chunk.iter().map(|touch| ActiveModel {
            id: Set(touch.id.as_uuid()),
            visitor_id: Set(touch.visitor.clone()),
            referrer_id: Set(touch.referrer.as_uuid()),
            link_id: Set(touch.link.map(ReferralLinkId::as_uuid)),
            device_sha256: Set(touch.device.map(Vec::from)),
            network_sha256: Set(touch.network.map(Vec::from)),
            clicked_at: Set(touch.clicked_at.as_micros()),
        });
        Entity::insert_many(rows)
            .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// The last clicks of those who have signed up with these accounts, before they did: `most` of each at the most.
///
/// # Errors
/// If the database fails.
pub async fn before_sign_up(
    conn: &impl ConnectionTrait,
    accounts: &[AccountId],
    most: u32,
) -> Result<Vec<FormerTouch>, StorageError> {
    let backend = conn.get_database_backend();
    let mut found = Vec::new();
    for chunk in accounts.chunks(ROWS) {
        let sql = format!(
            "SELECT * FROM (SELECT a.id AS account_id, t.*, ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY t.clicked_at DESC, \
             t.id DESC) AS nth FROM sign_up s JOIN account a ON a.id = s.account_id \
             JOIN touch t ON t.visitor_id = s.link_cookie_id AND t.clicked_at <= a.registered_at \
             WHERE s.account_id IN ({})) AS numbered WHERE nth <= {most} ORDER BY account_id, nth",
            marks(backend, 1, chunk.len())
        );
        let values = chunk.iter().map(|id| id.as_uuid().into());
        let rows = Row::find_by_statement(Statement::from_sql_and_values(backend, sql, values));
        found.extend(rows.all(conn).await?.into_iter().map(FormerTouch::from));
    }
    Ok(found)
}

impl From<Row> for FormerTouch {
    fn from(row: Row) -> Self {
        let hash = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| bytes.try_into().ok());
        Self {
            account: AccountId::from_uuid(row.account_id),
            touch: Touch {
                id: RequestId::from_uuid(row.id),
                visitor: row.visitor_id,
                referrer: ReferrerId::from_uuid(row.referrer_id),
                link: row.link_id.map(ReferralLinkId::from_uuid),
                device: hash(row.device_sha256),
                network: hash(row.network_sha256),
                clicked_at: Timestamp::from_micros(row.clicked_at),
            },
        }
    }
}
