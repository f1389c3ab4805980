//! Signed statements: a file that says all that is needed to compute a referrer's rewards again, line by line.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use vouch_primitives::{AttributionId, Currency, ReferrerId};
use vouch_proto::{convert::to_wire_time, referral::v1 as pb};
use vouch_runtime::access::{Notary, jwk};

use super::App;
use crate::{
    domain::{Gate, Period, RewardKind, StatedReward, StatementLine, Sum, Tie},
    error::Error,
    store::{self, programme::PublishedTerms, statement_keys::StatementKey},
};

/// What the file says that it is: another arithmetic would have another name.
const FORMAT: &str = "vouch-statement/1";

/// How many ties are read at a time.
const TIES: u64 = 100;

/// The most lines, and rewards, of a statement: as many as a message holds that callers take.
const MOST_LINES: usize = 10_000;

/// What a statement is made of.
#[derive(Default)]
struct Parts {
    rewards: Vec<Value>,
    lines: usize,
    totals: BTreeMap<Currency, Total>,
    versions: BTreeSet<u32>,
}

/// The sums over all rewards in a currency, in minor units.
#[derive(Default)]
struct Total {
    opening: i64,
    closing: i64,
    released: i64,
}

impl App {
    /// Keeps the public half of the key in use, so that statements can be checked when another key is in use.
    ///
    /// # Errors
    /// If the database fails.
    pub(super) async fn keep_statement_key(&self) -> Result<(), Error> {
        let Some(notary) = &self.notary else {
            return Ok(());
        };
        let key = &StatementKey {
            id: notary.key_id().to_owned(),
            public: notary.public_key(),
            first_used_at: self.now(),
        };
        let keep =
            |txn: std::sync::Arc<vouch_storage::Txn>| async move { store::statement_keys::insert(&txn, key).await };
        Ok(self.commands.db().write_tx(keep).await?)
    }

    /// The public keys of all statements.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn statement_keys(&self) -> Result<pb::ListStatementKeysResponse, Error> {
        let keys = store::statement_keys::all(self.commands.db().reader()).await?;
        let set: Vec<_> = keys.iter().map(|key| jwk(&key.id, &key.public)).collect();
        let keys = keys.into_iter().map(|key| pb::StatementKey {
            key_id: key.id,
            public_key: key.public.to_vec(),
            first_use_time: Some(to_wire_time(key.first_used_at)),
        });
        Ok(pb::ListStatementKeysResponse {
            keys: keys.collect(),
            jwk_set: json!({ "keys": set }).to_string(),
        })
    }

    /// A signed statement of a referrer's rewards in a period.
    ///
    /// # Errors
    /// If there is no such referrer, no key, too much to tell, the period has not ended, or the books do not add up.
    pub async fn signed_statement(
        &self,
        id: ReferrerId,
        period: Period,
    ) -> Result<pb::GetSignedStatementResponse, Error> {
        let notary = self.notary.as_ref().ok_or(Error::NoStatementKey)?;
        let now = self.now();
        if period.until > now {
            return Err(Error::PeriodOpen);
        }
        // All of it is of one moment.
        let conn = self.commands.db().read_tx().await?;
        let found = store::referrers::find(&conn, id).await?;
        let referrer = found.ok_or_else(|| Error::not_found("referrer", id))?;
        let mut parts = Parts::default();
        let mut after = None;
        loop {
            let ties = store::ties::of_referrer(&conn, id, after, TIES).await?;
            let Some(last) = ties.last() else { break };
            after = Some(AttributionId::from_uuid(last.id));
            parts.take(&conn, &ties, period).await?;
        }
        let mut after = None;
        loop {
            let ties = store::ties::introductions_of(&conn, id, after, TIES).await?;
            let Some(last) = ties.last() else { break };
            after = Some(last.id);
            parts.take(&conn, &ties, period).await?;
        }
        let terms = store::programme::all_terms(&conn).await?;
        drop(conn);

        let mut statement = parts.statement(&terms);
        for (name, value) in [
            ("format", FORMAT.to_owned()),
            ("key_id", notary.key_id().to_owned()),
            ("referrer_id", id.to_string()),
            ("account_id", referrer.account.to_string()),
            ("from", period.from.to_string()),
            ("until", period.until.to_string()),
            ("as_of", now.to_string()),
        ] {
            statement[name] = value.into();
        }
        Ok(sign(notary, &statement))
    }
}

/// What is signed is the statement without white space and with its members in order (RFC 8785), which leaves the file free
/// to be read and written by any program.
fn sign(notary: &Notary, statement: &Value) -> pb::GetSignedStatementResponse {
    let file = json!({
        "key_id": notary.key_id(),
        "signature": notary.sign(&statement.to_string()),
        "statement": statement,
    });
    pb::GetSignedStatementResponse {
        file: format!("{file:#}\n"),
        key_id: notary.key_id().to_owned(),
    }
}

impl Parts {
    /// Takes in the rewards of some ties.
    async fn take(&mut self, conn: &impl sea_orm::ConnectionTrait, ties: &[Tie], period: Period) -> Result<(), Error> {
        let people = ties.iter().map(|tie| tie.payee).collect();
        let booked = store::lines::booked(conn, &people).await?;
        for tie in ties {
            let theirs = booked.get(&tie.payee).map_or(&[][..], Vec::as_slice);
            for (kind, currency) in tie.rewards.keys() {
                let stated = tie.state(*kind, *currency, theirs, period)?;
                if stated != StatedReward::default() {
                    self.add(tie, *kind, *currency, &stated)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, tie: &Tie, kind: RewardKind, currency: Currency, stated: &StatedReward) -> Result<(), Error> {
        self.lines += 1 + stated.lines.len();
        if self.lines > MOST_LINES {
            return Err(Error::StatementTooLong(MOST_LINES));
        }
        self.versions.insert(tie.first_terms().version);
        self.versions.extend(stated.lines.iter().map(|line| line.terms_version));
        let (gate, figures) = (tie.gate(kind), tie.figures(kind, currency)?);
        let paid_before = tie
            .rewards
            .get(&(kind, currency))
            .map_or(0, |reward| reward.paid_before);
        let total = self.totals.entry(currency).or_default();
        for (sum, minor) in [
            (&mut total.opening, stated.opening.rounded()?),
            (&mut total.closing, stated.closing.rounded()?),
            (&mut total.released, figures.released),
        ] {
            *sum = sum.checked_add(minor).ok_or(vouch_primitives::MoneyError::Overflow)?;
        }
        let lines: Vec<_> = stated.lines.iter().map(line).collect();
        self.rewards.push(json!({
            "tie_id": tie.id.to_string(),
            "referral_kind": tie.bond.kind().name(),
            "payee_person_id": tie.payee.to_string(),
            "kind": kind.name(),
            "currency": currency.code(),
            "terms_version": tie.first_terms().version,
            "opening": sum(&stated.opening)?,
            "lines": lines,
            "closing": sum(&stated.closing)?,
            "later": sum(&stated.later)?,
            "paid_before": paid_before.to_string(),
            "as_of": {
                "gate": gate_name(gate),
                "due": figures.due.to_string(),
                "held": figures.held.to_string(),
                "pending": figures.pending.to_string(),
                "released": figures.released.to_string(),
            },
        }));
        Ok(())
    }

    fn statement(self, terms: &[PublishedTerms]) -> Value {
        let named = terms.iter().filter(|it| self.versions.contains(&it.terms.version));
        let terms: Vec<_> = named
            .map(|it| {
                json!({
                    "version": it.terms.version,
                    "content": it.terms.canonical(),
                    "sha256": it.content_hash,
                })
            })
            .collect();
        let total = |(currency, total): (Currency, Total)| {
            json!({
                "currency": currency.code(),
                "opening": total.opening.to_string(),
                "closing": total.closing.to_string(),
                "released": total.released.to_string(),
            })
        };
        let totals: Vec<_> = self.totals.into_iter().map(total).collect();
        json!({ "terms": terms, "rewards": self.rewards, "totals": totals })
    }
}

/// Amounts are digits in quotation marks: many programs read numbers as floats.
fn sum(sum: &Sum) -> Result<Value, Error> {
    Ok(json!({
        "base": sum.base.to_string(),
        "exact_ten_thousandths": sum.exact.ten_thousandths().to_string(),
        "rounded": sum.rounded()?.to_string(),
    }))
}

fn line(line: &StatementLine) -> Value {
    let mut value = json!({
        "amount": line.amount.to_string(),
        "basis_points": line.rate.get(),
        "exact_ten_thousandths": line.exact().ten_thousandths().to_string(),
        "terms_version": line.terms_version,
    });
    if let Some(booked) = line.booked {
        value["earning_id"] = booked.earning.to_string().into();
        value["occurred_at"] = booked.movement.occurred_at.to_string().into();
        value["booked_at"] = booked.booked_at.to_string().into();
        if let Some(reversal) = booked.reversal {
            value["reversal_id"] = reversal.to_string().into();
        }
    }
    value
}

const fn gate_name(gate: Gate) -> &'static str {
    match gate {
        Gate::Pays => "PAYS",
        Gate::Held => "HELD",
        Gate::Waits => "WAITS",
        Gate::Void => "VOID",
    }
}
