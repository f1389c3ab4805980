//! Links: what referrers share, so that what comes of each can be told apart [R10, R30, R35].

use vouch_primitives::{ReferralLinkId, ReferrerId};
use vouch_proto::{Listed, Page, convert::to_wire_time, referral::v1 as pb};
use vouch_storage::idempotency::RequestKey;

use super::{App, wire_referral_kind};
use crate::{
    domain::{MOST_LINKS, ReferralCode, ReferralKind, ReferralLink, Scope},
    error::Error,
    store::{links as store, referrers},
};

/// A referrer makes a link.
#[derive(Clone, Debug)]
pub struct CreateLink {
    /// Whose.
    pub referrer: ReferrerId,
    /// What type of referral comes of it.
    pub kind: ReferralKind,
    /// Where it is shared.
    pub source: String,
    /// What it is shared for.
    pub campaign: String,
    /// Where it leads.
    pub scope: Scope,
}

impl App {
    /// Makes a link.
    ///
    /// # Errors
    /// If there is no such referrer, or they have as many links as there may be.
    pub async fn create_link(&self, key: &RequestKey, command: &CreateLink) -> Result<pb::CreateLinkResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let referrer = referrers::find(&*txn, command.referrer).await?;
                let referrer = referrer.ok_or_else(|| Error::not_found("referrer", command.referrer))?;
                if store::count(&*txn, referrer.id).await? >= MOST_LINKS {
                    return Err(Error::LinkLimit(MOST_LINKS));
                }
                let link = ReferralLink {
                    id: ReferralLinkId::new(),
                    referrer: referrer.id,
                    kind: command.kind,
                    source: command.source.clone(),
                    campaign: command.campaign.clone(),
                    scope: command.scope,
                    created_at: now,
                };
                store::insert(&txn, &link).await?;
                Ok(pb::CreateLinkResponse {
                    link: Some(self.link_to_wire(&link, &referrer.code)),
                })
            })
            .await
    }

    /// A referrer's links, newest first.
    ///
    /// # Errors
    /// If there is no such referrer.
    pub async fn links(
        &self,
        id: ReferrerId,
        page: &Page<ReferralLinkId>,
    ) -> Result<Listed<pb::Link, ReferralLinkId>, Error> {
        let conn = self.commands.db().reader();
        let referrer = referrers::find(conn, id).await?;
        let referrer = referrer.ok_or_else(|| Error::not_found("referrer", id))?;
        let listed = page.cut(store::page(conn, id, page).await?, |link| link.id);
        Ok(Listed {
            items: listed
                .items
                .iter()
                .map(|link| self.link_to_wire(link, &referrer.code))
                .collect(),
            next: listed.next,
        })
    }

    /// The link shows where it leads, and carries the code beside its own id, so that it can be read to somebody too.
    fn link_to_wire(&self, link: &ReferralLink, code: &ReferralCode) -> pb::Link {
        let (place, project_id, client_id) = match link.scope {
            Scope::Everywhere => ("join".to_owned(), String::new(), String::new()),
            Scope::Project(id) => (format!("projects/{id}"), id.to_string(), String::new()),
            Scope::Employer(id) => (format!("employers/{id}"), String::new(), id.to_string()),
        };
        pb::Link {
            id: link.id.to_string(),
            referrer_id: link.referrer.to_string(),
            kind: wire_referral_kind(link.kind).into(),
            source: link.source.clone(),
            campaign: link.campaign.clone(),
            project_id,
            client_id,
            url: format!("{}/{place}?code={code}&link={}", self.public_url, link.id),
            create_time: Some(to_wire_time(link.created_at)),
        }
    }
}
