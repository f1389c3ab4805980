//! The use cases. The only place in this service where a transaction opens.

pub mod accrual;
pub mod addresses;
pub mod attribution;
pub mod audit;
pub mod books;
pub mod client_programmes;
pub mod closings;
pub mod contracts;
pub mod dashboard;
pub mod earning_explanation;
pub mod enrolment;
mod evidence;
pub mod explanation;
pub mod importing;
mod introduced;
pub mod introductions;
pub mod inviting;
mod letter;
pub mod links;
pub mod match_signals;
mod owners;
pub mod rebuild;
pub mod reconcile;
pub mod screening;
pub mod screening_cases;
pub mod signals;
pub mod standing;
pub mod statement;
pub mod terms;
pub mod told;
pub mod touching;

use sha2::{Digest, Sha256};
use vouch_primitives::{AttributionId, Timestamp};
use vouch_proto::{Fields, payments::v1::ledger_service_client::LedgerServiceClient, referral::v1 as pb};
use vouch_runtime::{access::Notary, client::Peer, commands::Commands};

use crate::{
    config::LimitsConfig,
    domain::{ReferralKind, Terms, Tie, TouchLimits},
    error::Error,
    store::{self, invitations::Limits as InvitationLimits},
};

pub use crate::store::{
    evidence::Judged,
    lines::LinePosition,
    programme::PublishedTerms,
    releases::{Period, ReleasePosition},
};

/// What the use cases work with. Clones share everything.
#[derive(Clone, Debug)]
pub struct App {
    commands: Commands,
    payments: LedgerServiceClient<Peer>,
    notary: Option<Notary>,
    public_url: String,
    limits: Limits,
    touches: touching::Line,
}

/// How much may be done.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Invitations of friends.
    pub invitations: InvitationLimits,
    /// Introductions by one referrer, in a day of UTC.
    pub introductions_per_day: u32,
    /// Clicks.
    pub touches: TouchLimits,
}

impl From<LimitsConfig> for Limits {
    fn from(config: LimitsConfig) -> Self {
        Self {
            invitations: InvitationLimits {
                per_day: config.invitations_per_day,
                address_per_week: config.address_per_week,
            },
            introductions_per_day: config.introductions_per_day,
            touches: config.touches(),
        }
    }
}

/// An attribution, with all that spoke for somebody when it was made.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The attribution.
    pub tie: Tie,
    /// What spoke for whom, the newest first.
    pub evidence: Vec<Judged>,
}

impl App {
    /// Use cases over this database and clock, within `limits`; `payments` answers what was posted, links begin with
    /// `public_url`.
    #[must_use]
    pub fn new(commands: Commands, payments: Peer, public_url: &str, limits: Limits) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self {
            commands,
            payments: LedgerServiceClient::new(payments),
            notary: None,
            public_url,
            limits,
            touches: touching::Line::new(limits.touches),
        }
    }

    /// The same, with what signs statements.
    #[must_use]
    pub fn signing_by(self, notary: Option<Notary>) -> Self {
        Self { notary, ..self }
    }

    /// Publishes the terms that this program brings and begins the first epoch, if that has not been done yet.
    ///
    /// # Errors
    /// If a version was published with other terms: published terms never change.
    pub async fn prepare(&self) -> Result<(), Error> {
        let now = self.commands.now();
        let brought = [Terms::first()];
        let expected = &brought;
        let stored = self
            .commands
            .db()
            .write_tx(|txn| async move {
                for terms in expected {
                    store::programme::publish(&txn, now, terms, &content_hash(terms)).await?;
                }
                store::programme::begin_epoch(&txn, now).await?;
                Ok::<_, Error>(store::programme::all_terms(&*txn).await?)
            })
            .await?;
        self.keep_statement_key().await?;
        let changed = brought.iter().find(|terms| {
            let hash = content_hash(terms);
            !stored.iter().any(|it| *it.terms == **terms && it.content_hash == hash)
        });
        changed.map_or(Ok(()), |terms| Err(Error::TermsChanged { version: terms.version }))
    }

    /// The terms of a version, or those in force: the newest.
    ///
    /// # Errors
    /// If there is no such version.
    pub async fn terms(&self, version: Option<u32>) -> Result<PublishedTerms, Error> {
        let all = store::programme::all_terms(self.commands.db().reader()).await?;
        let found = match version {
            Some(version) => all.into_iter().find(|published| published.terms.version == version),
            None => all.into_iter().next_back(),
        };
        let id = version.map_or_else(|| "in force".to_owned(), |version| version.to_string());
        found.ok_or(Error::NotFound { resource: "terms", id })
    }

    /// What spoke for whom when an attribution was made.
    ///
    /// # Errors
    /// If there is no such attribution.
    pub async fn explain_attribution(&self, id: AttributionId) -> Result<Explained, Error> {
        let conn = self.commands.db().reader();
        let tie = store::ties::find(conn, id.as_uuid()).await?;
        let tie = tie.ok_or_else(|| Error::not_found("attribution", id))?;
        let evidence = store::evidence::of_person(conn, tie.payee).await?;
        Ok(Explained { tie, evidence })
    }

    fn now(&self) -> Timestamp {
        self.commands.now()
    }
}

/// A type of referral on the wire.
pub(crate) const fn wire_referral_kind(kind: ReferralKind) -> pb::ReferralKind {
    match kind {
        ReferralKind::Friend => pb::ReferralKind::Friend,
        ReferralKind::Freelancer => pb::ReferralKind::Freelancer,
        ReferralKind::ThirdPartySite => pb::ReferralKind::ThirdPartySite,
        ReferralKind::Affiliate => pb::ReferralKind::Affiliate,
        ReferralKind::Agency => pb::ReferralKind::Agency,
        ReferralKind::ClientIntroduction => pb::ReferralKind::ClientIntroduction,
    }
}

/// The 32 bytes of a hash, or none where it is empty.
pub(crate) fn hash_if_set(fields: &mut Fields, field: &str, bytes: &[u8]) -> Option<[u8; 32]> {
    let hash = bytes.try_into().ok();
    if hash.is_none() && !bytes.is_empty() {
        fields.refuse(field, "INVALID_FORMAT", "must have 32 bytes");
    }
    hash
}

/// The SHA-256 of the canonical text of terms, in hexadecimal digits.
fn content_hash(terms: &Terms) -> String {
    let digest = Sha256::digest(terms.canonical());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
