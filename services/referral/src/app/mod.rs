//! The use cases. The only place in this service where a transaction opens.

pub mod accrual;
pub mod attribution;
pub mod audit;
pub mod enrolment;
pub mod explanation;
pub mod links;
mod owners;

use sha2::{Digest, Sha256};
use vouch_primitives::Timestamp;
use vouch_proto::{payments::v1::ledger_service_client::LedgerServiceClient, referral::v1 as pb};
use vouch_runtime::{client::Peer, commands::Commands};

use crate::{
    domain::{ReferralKind, Terms},
    error::Error,
    store,
};

pub use crate::store::{lines::LinePosition, programme::PublishedTerms};

/// What the use cases work with. Clones share everything.
#[derive(Clone, Debug)]
pub struct App {
    commands: Commands,
    payments: LedgerServiceClient<Peer>,
    public_url: String,
}

impl App {
    /// Use cases over this database and clock; `payments` answers what was posted, links begin with `public_url`.
    #[must_use]
    pub fn new(commands: Commands, payments: Peer, public_url: &str) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self {
            commands,
            payments: LedgerServiceClient::new(payments),
            public_url,
        }
    }

    /// Publishes the standard terms and begins the first epoch, if that has not been done yet.
    ///
    /// # Errors
    /// If the version was published with other terms: published terms never change.
    pub async fn prepare(&self) -> Result<(), Error> {
        let now = self.commands.now();
        let standard = published(Terms::STANDARD);
        let expected = &standard;
        let stored = self
            .commands
            .db()
            .write_tx(|txn| async move {
                store::programme::publish(&txn, now, expected).await?;
                store::programme::begin_epoch(&txn, now).await?;
                Ok::<_, Error>(store::programme::all_terms(&*txn).await?)
            })
            .await?;
        let version = standard.terms.version;
        if stored.contains(&standard) {
            Ok(())
        } else {
            Err(Error::TermsChanged { version })
        }
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

fn published(terms: Terms) -> PublishedTerms {
    let digest = Sha256::digest(terms.canonical());
    PublishedTerms {
        terms,
        content_hash: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
