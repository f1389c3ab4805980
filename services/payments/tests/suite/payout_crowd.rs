//! Many accounts whose payouts are due at once: made behind the port, as each would need several calls.

use vouch_payments::{
    app::payout_runs::RUN,
    domain::{
        Book, Frequency, PayoutKind, PayoutMethod, PayoutRun, PayoutSchedule, Release, RewardKey, RewardKind,
        RewardPosting, TaxForm,
    },
    error::Error,
    store,
};
use vouch_primitives::{AccountId, Currency, Money, PayoutMethodId, TaxFormId, TaxFormKind, Timestamp};
use vouch_proto::common::v1 as common;
use vouch_storage::{
    Db, Txn,
    timers::{self, NewTimer},
};

use crate::world::start;

/// What each of them has.
pub const EACH: i64 = 12_345;

/// So many accounts with money, a form, an active method, and a payout that is due then.
pub async fn crowd(db: &Db, size: i64, due: Timestamp) {
    let mut left = size;
    while left > 0 {
        let some = left.min(500);
        let made = db.write_tx(|txn| async move { members(&txn, some, due).await });
        made.await.expect("a crowd");
        left -= some;
    }
    let run = NewTimer {
        kind: RUN,
        key: PayoutRun::id_at(due).as_uuid(),
        due,
    };
    let set = db.write_tx(|txn| async move { timers::schedule(&txn, &[run]).await });
    set.await.expect("a timer");
}

async fn members(txn: &Txn, size: i64, due: Timestamp) -> Result<(), Error> {
    let accounts: Vec<AccountId> = (0..size).map(|_| AccountId::new()).collect();
    let parts = accounts
        .iter()
        .flat_map(|account| Book::accounts_of(*account, Currency::USD));
    let mut book = store::ledger::open(txn, parts).await?;
    for account in accounts {
        let posting = gift(account);
        book.reward(&posting)?;
        let method = PayoutMethod {
            id: PayoutMethodId::new(),
            account_id: account,
            kind: PayoutKind::BankTransfer,
            currency: Currency::USD,
            provider_token: format!("btok-{account}"),
            label: "•••• 6789".to_owned(),
            fingerprint_hash: [0; 32],
            added_at: start(),
            removed_at: None,
        };
        store::payout_methods::insert(txn, &method).await?;
        let form = TaxForm {
            id: TaxFormId::new(),
            account_id: account,
            kind: TaxFormKind::W8Ben,
            tin_last_four: String::new(),
            submitted_at: start(),
        };
        store::tax_forms::insert(txn, &form, &common::TaxForm::default()).await?;
        let schedule = PayoutSchedule {
            next_at: Some(due),
            ..PayoutSchedule::new(&method, Frequency::Weekly, None, start())?
        };
        store::payout_schedules::save(txn, &schedule).await?;
    }
    Ok(store::ledger::save(txn, start(), &book).await?)
}

fn gift(account: AccountId) -> RewardPosting {
    let key = RewardKey {
        tie_id: account.as_uuid(),
        kind: RewardKind::LifetimeShare,
        currency: Currency::USD,
    };
    RewardPosting {
        release: Release {
            key,
            account_id: account,
            cumulative_minor: EACH,
            epoch: 1,
            sequence: 1,
            released_at: start(),
        },
        difference_minor: Money::new(EACH, Currency::USD).minor,
    }
}
