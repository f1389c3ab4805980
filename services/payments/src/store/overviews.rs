//! What parties see of everything at once: one statement each, beside the balances. A contract that waits for a payment counts
//! as paused, as it is shown.

use std::collections::BTreeMap;

use sea_orm::{FromQueryResult, Statement, entity::prelude::*};
use vouch_primitives::{AccountId, ClientId};
use vouch_storage::StorageError;

use super::{currency, statements, time, unreadable};
use crate::domain::{
    Balances,
    overview::{ClientMoney, ClientOverview, ContractCounts, TalentMoney, TalentOverview, Tally},
};

const OF_CLIENT: &str = "\
    SELECT 'CONTRACT' AS what, CASE WHEN state = 'ACTIVE' AND unpaid_since IS NOT NULL THEN 'PAUSED' ELSE state END AS state, \
        '' AS currency, COUNT(*) AS many, CAST(0 AS bigint) AS minor FROM contract WHERE client_id = $1 GROUP BY 2 \
    UNION ALL SELECT 'ESCROW', '', a.currency, COUNT(*), CAST(SUM(b.amount_minor) AS bigint) \
        FROM contract c JOIN ledger_account a ON a.owner_id = c.id AND a.kind = 'ESCROW' \
        JOIN balance b ON b.account_id = a.id WHERE c.client_id = $1 GROUP BY a.currency \
    UNION ALL SELECT 'SPENT', '', currency, COUNT(*), CAST(SUM(gross_minor - refunded_minor) AS bigint) \
        FROM earning WHERE client_id = $1 GROUP BY currency \
    UNION ALL SELECT 'INVOICE', state, currency, COUNT(*), CAST(SUM(amount_minor) AS bigint) \
        FROM invoice WHERE client_id = $1 GROUP BY state, currency \
    UNION ALL SELECT 'DISPUTE', '', d.currency, COUNT(*), CAST(SUM(d.amount_minor) AS bigint) \
        FROM contract c JOIN dispute d ON d.contract_id = c.id \
        WHERE c.client_id = $1 AND d.state = 'OPEN' GROUP BY d.currency";

const OF_TALENT: &str = "\
    SELECT 'CONTRACT' AS what, CASE WHEN state = 'ACTIVE' AND unpaid_since IS NOT NULL THEN 'PAUSED' ELSE state END AS state, \
        '' AS currency, COUNT(*) AS many, CAST(0 AS bigint) AS minor FROM contract WHERE account_id = $1 GROUP BY 2 \
    UNION ALL SELECT 'EARNED', '', currency, COUNT(*), CAST(SUM(gross_minor - refunded_minor) AS bigint) \
        FROM earning WHERE account_id = $1 GROUP BY currency \
    UNION ALL SELECT 'FEES', '', currency, COUNT(*), CAST(SUM(fee_minor) AS bigint) \
        FROM earning WHERE account_id = $1 GROUP BY currency \
    UNION ALL SELECT 'REWARDS', '', currency, COUNT(*), CAST(SUM(posted_minor) AS bigint) \
        FROM reward_total WHERE account_id = $1 GROUP BY currency \
    UNION ALL SELECT 'NEXT', '', e.currency, e.available_at, CAST(SUM(e.held_minor) AS bigint) FROM earning e \
        JOIN (SELECT currency, MIN(available_at) AS at FROM earning \
            WHERE account_id = $1 AND (settled_at IS NULL OR disputed_minor > 0) AND settled_at IS NULL AND held_minor > 0 \
            GROUP BY currency) next ON next.currency = e.currency AND next.at = e.available_at \
        WHERE e.account_id = $1 AND (e.settled_at IS NULL OR e.disputed_minor > 0) AND e.settled_at IS NULL \
        GROUP BY e.currency, e.available_at";

/// A number and an amount of something. Of what is next, the number is the moment.
#[derive(FromQueryResult)]
struct Row {
    what: String,
    state: String,
    currency: String,
    many: i64,
    minor: i64,
}

/// All of a client.
///
/// # Errors
/// When the database fails.
pub async fn of_client(conn: &impl ConnectionTrait, client: ClientId) -> Result<ClientOverview, StorageError> {
    let mut contracts = ContractCounts::default();
    let mut money: BTreeMap<String, ClientMoney> = BTreeMap::new();
    for row in rows(conn, OF_CLIENT, client.as_uuid()).await? {
        if row.what == "CONTRACT" {
            count(&mut contracts, &row)?;
            continue;
        }
        let none = ClientMoney::none(currency("earning", &row.currency)?);
        let of = money.entry(row.currency.clone()).or_insert(none);
        let tally = Tally {
            count: many(&row)?,
            minor: row.minor,
        };
        match (row.what.as_str(), row.state.as_str()) {
            ("ESCROW", _) => of.escrow_minor = row.minor,
            ("SPENT", _) => of.spent_minor = row.minor,
            ("INVOICE", "OPEN") => of.open = tally,
            ("INVOICE", "PAID") => of.paid = tally,
            ("INVOICE", "UNPAID") => of.unpaid = tally,
            ("DISPUTE", _) => of.disputed = tally,
            (what, _) => return Err(unreadable("overview", what)),
        }
    }
    Ok(ClientOverview {
        contracts,
        money: money.into_values().collect(),
    })
}

/// All of an account.
///
/// # Errors
/// When the database fails.
pub async fn of_talent(conn: &impl ConnectionTrait, account: AccountId) -> Result<TalentOverview, StorageError> {
    let balances = statements::balances(conn, account).await?.into_iter();
    let mut money: BTreeMap<String, TalentMoney> = balances
        .map(|of| (of.currency.code().to_owned(), TalentMoney::of(of)))
        .collect();
    let mut contracts = ContractCounts::default();
    for row in rows(conn, OF_TALENT, account.as_uuid()).await? {
        if row.what == "CONTRACT" {
            count(&mut contracts, &row)?;
            continue;
        }
        let none = TalentMoney::of(Balances::none(currency("earning", &row.currency)?));
        let of = money.entry(row.currency.clone()).or_insert(none);
        match row.what.as_str() {
            "EARNED" => of.earned_minor = row.minor,
            "FEES" => of.fees_minor = row.minor,
            "REWARDS" => of.rewards_minor = row.minor,
            "NEXT" => of.next = Some((time(row.many), row.minor)),
            what => return Err(unreadable("overview", what)),
        }
    }
    Ok(TalentOverview {
        contracts,
        money: money.into_values().collect(),
    })
}

async fn rows(conn: &impl ConnectionTrait, sql: &str, of: Uuid) -> Result<Vec<Row>, StorageError> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, [of.into()]);
    Ok(Row::find_by_statement(statement).all(conn).await?)
}

fn many(row: &Row) -> Result<u64, StorageError> {
    u64::try_from(row.many).map_err(|error| unreadable("overview", error))
}

fn count(contracts: &mut ContractCounts, row: &Row) -> Result<(), StorageError> {
    let many = many(row)?;
    match row.state.as_str() {
        "ACTIVE" => contracts.active = many,
        "PAUSED" => contracts.paused = many,
        "ENDED" => contracts.ended = many,
        state => return Err(unreadable("contract", state)),
    }
    Ok(())
}
