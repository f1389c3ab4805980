//! Publishing terms, comparing them, and moving an attribution to others with its referrer's consent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use vouch_primitives::{AttributionId, Money, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, referral::v1 as pb};
use vouch_storage::idempotency::RequestKey;

use super::{App, books, content_hash, wire_referral_kind};
use crate::{
    domain::{Bond, BonusBasis, Qualification, Terms},
    error::Error,
    store::{self, earnings::Scope, programme::PublishedTerms},
};

/// How many version numbers are tried.
const TRIES: usize = 8;

impl App {
    /// Publishes terms under the next version.
    ///
    /// # Errors
    /// If something speaks against them.
    pub async fn publish_terms(&self, key: RequestKey, terms: Terms) -> Result<pb::PublishTermsResponse, Error> {
        let terms = &terms;
        self.commands
            .once(&key, |txn, now| async move {
                // Whoever publishes at the same moment takes the next number.
                for _ in 0..TRIES {
                    let all = store::programme::all_terms(&*txn).await?;
                    let version = all.last().map_or(1, |last| last.terms.version + 1);
                    let others: Vec<Terms> = all.iter().map(|it| (*it.terms).clone()).collect();
                    let terms = Terms {
                        version,
                        ..terms.clone()
                    };
                    let unfit = terms.unfit(&others);
                    if !unfit.is_empty() {
                        return Err(Error::UnfitTerms(unfit));
                    }
                    let content_hash = content_hash(&terms);
                    if store::programme::publish(&txn, now, &terms, &content_hash).await? {
                        let published = PublishedTerms {
                            terms: terms.into(),
                            content_hash,
                            published_at: now,
                        };
                        return Ok(pb::PublishTermsResponse {
                            terms: Some(to_wire(&published)),
                        });
                    }
                }
                Err(Error::NoFreeVersion)
            })
            .await
    }

    /// One page of all versions, newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn list_terms(&self, page: &Page<u32>) -> Result<Listed<PublishedTerms, u32>, Error> {
        let mut all = store::programme::all_terms(self.commands.db().reader()).await?;
        all.reverse();
        all.retain(|it| page.after.is_none_or(|after| it.terms.version < after));
        all.truncate(usize::try_from(page.limit()).unwrap_or(usize::MAX));
        Ok(page.cut(all, |it| it.terms.version))
    }

    /// In what two versions differ, by name.
    ///
    /// # Errors
    /// If there is no such version.
    pub async fn compare_terms(&self, from: u32, to: u32) -> Result<pb::CompareTermsResponse, Error> {
        let (one, other) = (self.terms(Some(from)).await?, self.terms(Some(to)).await?);
        let one: BTreeMap<_, _> = one.terms.lines().into_iter().collect();
        let other: BTreeMap<_, _> = other.terms.lines().into_iter().collect();
        let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
        let said = |terms: &BTreeMap<String, String>, name: &String| terms.get(name).cloned().unwrap_or_default();
        let differing = names.into_iter().filter(|name| one.get(*name) != other.get(*name));
        let difference = |name: &String| pb::TermsDifference {
            name: name.clone(),
            from: said(&one, name),
            to: said(&other, name),
        };
        Ok(pb::CompareTermsResponse {
            differences: differing.map(difference).collect(),
        })
    }

    /// Binds an attribution to the terms in force from now on. Nothing that was earned before is rated anew.
    ///
    /// # Errors
    /// If there is no such attribution or version, or other terms are in force.
    pub async fn migrate_attribution(
        &self,
        key: RequestKey,
        attribution: AttributionId,
        version: u32,
        words: &str,
    ) -> Result<pb::MigrateAttributionResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let tie = store::ties::find(&*txn, attribution.as_uuid()).await?;
                let tie = tie.filter(|tie| matches!(tie.bond, Bond::Attribution(_)));
                let tie = tie.ok_or_else(|| Error::not_found("attribution", attribution))?;
                let all = store::programme::all_terms(&*txn).await?;
                let wanted = all.iter().find(|it| it.terms.version == version);
                let wanted = wanted.ok_or_else(|| Error::not_found("terms", version))?;
                // Nobody chooses among all that was ever published: what is offered is what new attributions get.
                if all.last().is_some_and(|in_force| in_force.terms.version != version) {
                    return Err(Error::TermsNotInForce);
                }
                let people = BTreeSet::from([tie.payee]);
                store::people::lock(&txn, &people).await?;
                let mut ties = store::ties::of_people(&*txn, &people).await?;
                ties.retain(|loaded| loaded.tie.id == attribution.as_uuid());
                store::ties::insert_consent(&txn, attribution, now, version, words).await?;
                // The clocks of others may be ahead: what was told as earned later than now is judged by the new terms.
                let ahead = store::earnings::movements(&*txn, &people, &Scope::Between(now, Timestamp::MAX)).await?;
                let theirs = ahead.get(&tie.payee).map_or(&[][..], Vec::as_slice);
                for loaded in &mut ties {
                    let terms = (now, Arc::clone(&wanted.terms));
                    loaded.tie.rejudge(theirs, |tie| tie.terms.push(terms))?;
                }
                books::finish(&txn, now, &mut ties).await?;
                Ok(pb::MigrateAttributionResponse {
                    from_time: Some(to_wire_time(now)),
                })
            })
            .await
    }
}

/// Terms on the wire.
#[must_use]
pub fn to_wire(published: &PublishedTerms) -> pb::Terms {
    let terms = &published.terms;
    let sign_up = terms.sign_up.iter().map(|(currency, bonus)| {
        let money = |minor| Some(Money::new(minor, *currency).into());
        pb::terms::SignUpBonus {
            amount: money(bonus.amount_minor),
            qualifying_earnings: money(bonus.qualifying_minor),
            cap: bonus.cap_minor.and_then(money),
            referee_benefit: (bonus.referee_minor > 0).then(|| money(bonus.referee_minor)).flatten(),
        }
    });
    let rules = terms.qualification.iter().map(|(kind, rule)| pb::terms::KindRule {
        kind: i32::from(wire_referral_kind(*kind)),
        qualification: i32::from(match rule {
            Qualification::SignUp => pb::terms::Qualification::SignUp,
            Qualification::FirstContract => pb::terms::Qualification::FirstContract,
            Qualification::Contract => pb::terms::Qualification::Contract,
            Qualification::ContractCompleted => pb::terms::Qualification::ContractCompleted,
        }),
    });
    pb::Terms {
        version: terms.version,
        content_hash: published.content_hash.clone(),
        lifetime_basis_points: terms.lifetime.get(),
        bonus_basis_points: terms.bonus.get(),
        window_months: terms.window_months,
        bonus_basis: i32::from(match terms.bonus_basis {
            BonusBasis::RefereeEarningsInWindow => pb::terms::BonusBasis::RefereeEarningsInWindow,
            BonusBasis::AccruedCommission => pb::terms::BonusBasis::AccruedCommission,
            BonusBasis::RateStep => pb::terms::BonusBasis::RateStep,
        }),
        agency_basis_points: terms.agency.get(),
        introduction_basis_points: terms.introduction.get(),
        sign_up_bonuses: sign_up.collect(),
        hold_days: terms.hold_days,
        screened: terms.screened,
        qualifications: rules.collect(),
        service_fee_basis_points: terms.fee.get(),
        loss_accepted: terms.loss_accepted,
        publish_time: Some(to_wire_time(published.published_at)),
    }
}
