//! From ties to rows: what has changed of them, in a constant number of statements.

use std::collections::BTreeMap;

use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{Share, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{
    Loaded,
    rows::{attribution, introduction, pending, total},
};
use crate::{
    domain::{Attribution, Bond, BonusState, Grant, SignUp, Tie},
    store::{ROWS, corrupt},
};

/// Stores the totals of ties and where they stand.
///
/// # Errors
/// If the database fails.
pub async fn save(txn: &Txn, now: Timestamp, ties: &[Loaded]) -> Result<(), StorageError> {
    save_bonds(txn, ties).await?;
    save_own_rewards(txn, ties).await?;
    let totals: Vec<_> = ties.iter().flat_map(totals_of).collect::<Result<_, _>>()?;
    for chunk in totals.chunks(ROWS) {
        let key = [total::Column::TieId, total::Column::Kind, total::Column::Currency];
        let values = [
            total::Column::BaseMinor,
            total::Column::AccruedMinor,
            total::Column::AccruedFraction,
            total::Column::ReleasedMinor,
            total::Column::Sequence,
            total::Column::PaidBeforeMinor,
        ];
        total::Entity::insert_many(chunk.to_vec())
            .on_conflict(OnConflict::columns(key).update_columns(values).to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    save_pending(txn, now, ties).await
}

/// An attribution as a row.
pub(super) fn row(now: Timestamp, tie: &Tie) -> Result<attribution::ActiveModel, StorageError> {
    let Bond::Attribution(bond) = &tie.bond else {
        return Err(corrupt("not an attribution"));
    };
    let (sign_up, currency, minor) = sign_up_row(bond.sign_up);
    Ok(attribution::ActiveModel {
        id: Set(tie.id),
        referrer_id: Set(tie.referrer.as_uuid()),
        account_id: Set(tie.account.as_uuid()),
        referee_person_id: Set(tie.payee.as_uuid()),
        terms_version: Set(i32::try_from(tie.first_terms().version).map_err(corrupt)?),
        joined_at: Set(bond.joined.as_micros()),
        bonus_state: Set(bonus_name(bond.bonus).to_owned()),
        created_at: Set(now.as_micros()),
        kind: Set(bond.kind.name().to_owned()),
        hired: Set(bond.hired),
        closed_at_window_end: Set(bond.bonus == BonusState::Void),
        sign_up: Set(sign_up.to_owned()),
        sign_up_currency: Set(currency),
        sign_up_minor: Set(minor),
        referee_account_id: Set(bond.account.map(|account| account.as_uuid())),
    })
}

/// An introduction as a row.
pub(super) fn introduction_row(tie: &Tie, message: &str) -> Result<introduction::ActiveModel, StorageError> {
    let Bond::Introduction(bond) = &tie.bond else {
        return Err(corrupt("not an introduction"));
    };
    Ok(introduction::ActiveModel {
        id: Set(tie.id),
        referrer_id: Set(tie.referrer.as_uuid()),
        account_id: Set(tie.account.as_uuid()),
        kind: Set(bond.kind.name().to_owned()),
        payee_person_id: Set(tie.payee.as_uuid()),
        payee_account_id: Set(bond.account.as_uuid()),
        client_id: Set(bond.client.as_uuid()),
        terms_version: Set(i32::try_from(tie.first_terms().version).map_err(corrupt)?),
        made_at: Set(bond.made.as_micros()),
        message: Set(message.to_owned()),
        client_programme_id: Set(bond.own.map(|own| own.programme.as_uuid())),
        client_reward: Set(grant_name(bond.own.map(|own| own.grant)).to_owned()),
    })
}

/// Of what an attribution stands at there are few combinations: each is one statement for all that have come to it.
async fn save_bonds(txn: &Txn, ties: &[Loaded]) -> Result<(), StorageError> {
    let mut moved: BTreeMap<State, Vec<Uuid>> = BTreeMap::new();
    for loaded in ties.iter().filter(|loaded| loaded.tie.bond != loaded.stored.bond) {
        if let Bond::Attribution(bond) = &loaded.tie.bond {
            moved.entry(state_of(bond)).or_default().push(loaded.tie.id);
        }
    }
    for ((bonus, closed, hired, sign_up, currency, minor), ids) in moved {
        for chunk in ids.chunks(ROWS) {
            attribution::Entity::update_many()
                .col_expr(attribution::Column::BonusState, Expr::value(bonus))
                .col_expr(attribution::Column::ClosedAtWindowEnd, Expr::value(closed))
                .col_expr(attribution::Column::Hired, Expr::value(hired))
                .col_expr(attribution::Column::SignUp, Expr::value(sign_up))
                .col_expr(attribution::Column::SignUpCurrency, Expr::value(currency.clone()))
                .col_expr(attribution::Column::SignUpMinor, Expr::value(minor))
                .filter(attribution::Column::Id.is_in(chunk.iter().copied()))
                .exec(txn)
                .await?;
        }
    }
    Ok(())
}

/// What became of the rewards of clients: each state is one statement for all introductions that have come to it.
async fn save_own_rewards(txn: &Txn, ties: &[Loaded]) -> Result<(), StorageError> {
    let mut moved: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
    for loaded in ties.iter().filter(|loaded| loaded.tie.bond != loaded.stored.bond) {
        if let (Some(now), before) = (own_grant(&loaded.tie), own_grant(&loaded.stored))
            && Some(now) != before
        {
            moved.entry(grant_name(Some(now))).or_default().push(loaded.tie.id);
        }
    }
    for (state, ids) in moved {
        for chunk in ids.chunks(ROWS) {
            introduction::Entity::update_many()
                .col_expr(introduction::Column::ClientReward, Expr::value(state))
                .filter(introduction::Column::Id.is_in(chunk.iter().copied()))
                .exec(txn)
                .await?;
        }
    }
    Ok(())
}

fn own_grant(tie: &Tie) -> Option<Grant> {
    match &tie.bond {
        Bond::Introduction(introduction) => introduction.own.map(|own| own.grant),
        Bond::Attribution(_) => None,
    }
}

/// Where the reward of a client stands, as it is stored.
const fn grant_name(grant: Option<Grant>) -> &'static str {
    match grant {
        None => "NONE",
        Some(Grant::Open) => "OPEN",
        Some(Grant::Granted) => "GRANTED",
        Some(Grant::Spent) => "SPENT",
    }
}

/// The columns of an attribution that change together.
type State = (&'static str, bool, bool, &'static str, String, i64);

fn state_of(bond: &Attribution) -> State {
    let (sign_up, currency, minor) = sign_up_row(bond.sign_up);
    let closed = bond.bonus == BonusState::Void;
    (bonus_name(bond.bonus), closed, bond.hired, sign_up, currency, minor)
}

fn sign_up_row(sign_up: SignUp) -> (&'static str, String, i64) {
    match sign_up {
        SignUp::Open => ("OPEN", String::new(), 0),
        SignUp::Capped => ("CAPPED", String::new(), 0),
        SignUp::Granted(amount) => ("GRANTED", amount.currency.code().to_owned(), amount.minor),
    }
}

fn bonus_name(state: BonusState) -> &'static str {
    match state {
        BonusState::Open => "OPEN",
        BonusState::Due | BonusState::Void => "DUE",
    }
}

fn totals_of(loaded: &Loaded) -> impl Iterator<Item = Result<total::ActiveModel, StorageError>> {
    let Loaded { tie, stored } = loaded;
    let changed = tie
        .rewards
        .iter()
        .filter(|(key, reward)| stored.rewards.get(key) != Some(reward));
    changed.map(|((kind, currency), reward)| {
        let (accrued_minor, accrued_fraction) = parts(reward.accrued)?;
        let attributes = matches!(tie.bond, Bond::Attribution(_));
        Ok(total::ActiveModel {
            tie_id: Set(tie.id),
            attribution_id: Set(attributes.then_some(tie.id)),
            introduction_id: Set((!attributes).then_some(tie.id)),
            kind: Set(kind.name().to_owned()),
            currency: Set(currency.code().to_owned()),
            base_minor: Set(reward.base),
            accrued_minor: Set(accrued_minor),
            accrued_fraction: Set(accrued_fraction),
            released_minor: Set(reward.released),
            sequence: Set(reward.sequence),
            paid_before_minor: Set(reward.paid_before),
        })
    })
}

fn parts(share: Share) -> Result<(i64, i32), StorageError> {
    let minor = share.floor_minor().ok_or_else(|| corrupt("a total does not fit"))?;
    Ok((minor, i32::from(share.fraction())))
}

/// Writes the shares that have changed, and deletes those whose moment has come. One that has become nothing before its
/// moment stays as nothing until then.
async fn save_pending(txn: &Txn, now: Timestamp, ties: &[Loaded]) -> Result<(), StorageError> {
    let (mut rows, mut freed) = (Vec::new(), Vec::new());
    for Loaded { tie, stored } in ties {
        for ((kind, currency), reward) in &tie.rewards {
            let before = stored.rewards.get(&(*kind, *currency)).map(|reward| &reward.pending);
            let gone = before
                .into_iter()
                .flatten()
                .filter(|(from, _)| !reward.pending.contains_key(from));
            let nothing = gone
                .clone()
                .filter(|(from, _)| **from > now)
                .map(|(from, _)| (from, &Share::ZERO));
            let changed = reward
                .pending
                .iter()
                .filter(|(from, share)| before.and_then(|before| before.get(from)) != Some(share));
            if gone.clone().any(|(from, _)| *from <= now) {
                freed.push(tie.id);
            }
            for (from, share) in changed.chain(nothing) {
                let (share_minor, share_fraction) = parts(*share)?;
                rows.push(pending::ActiveModel {
                    tie_id: Set(tie.id),
                    kind: Set(kind.name().to_owned()),
                    currency: Set(currency.code().to_owned()),
                    free_at: Set(from.as_micros()),
                    share_minor: Set(share_minor),
                    share_fraction: Set(share_fraction),
                });
            }
        }
    }
    for chunk in freed.chunks(ROWS) {
        pending::Entity::delete_many()
            .filter(pending::Column::TieId.is_in(chunk.iter().copied()))
            .filter(pending::Column::FreeAt.lte(now.as_micros()))
            .exec(txn)
            .await?;
    }
    for chunk in rows.chunks(ROWS) {
        let key = [
            pending::Column::TieId,
            pending::Column::Kind,
            pending::Column::Currency,
            pending::Column::FreeAt,
        ];
        let values = [pending::Column::ShareMinor, pending::Column::ShareFraction];
        pending::Entity::insert_many(chunk.to_vec())
            .on_conflict(OnConflict::columns(key).update_columns(values).to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}
