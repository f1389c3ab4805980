//! Talent clouds: a client's private groups of talent.

use std::collections::HashSet;

use sea_orm::ConnectionTrait;
use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{ClientId, PersonId, TalentCloudId, TalentCloudMemberId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::App;
use crate::{
    domain::{Member, MemberState, TalentCloud},
    error::Error,
    store::{
        clouds::{self as store, members},
        recommendations,
    },
};

/// Creates a talent cloud.
#[derive(Clone, Debug)]
pub struct CreateTalentCloud {
    /// Whose it is.
    pub client_id: ClientId,
    /// Its name.
    pub name: String,
}

/// Gives a talent cloud another name.
#[derive(Clone, Debug)]
pub struct RenameTalentCloud {
    /// Which.
    pub id: TalentCloudId,
    /// Its new name.
    pub name: String,
}

/// Asks for one page of a client's talent clouds.
#[derive(Clone, Debug)]
pub struct ListTalentClouds {
    /// Whose.
    pub client_id: ClientId,
    /// Whether archived ones count.
    pub include_archived: bool,
    /// Which part.
    pub page: Page<TalentCloudId>,
}

/// Asks for one page of the members of a talent cloud.
#[derive(Clone, Debug)]
pub struct ListMembers {
    /// Of which.
    pub cloud_id: TalentCloudId,
    /// Those in these states; empty for all.
    pub states: Vec<MemberState>,
    /// Which part.
    pub page: Page<TalentCloudMemberId>,
}

/// A member, and who vouched for them [R20].
#[derive(Clone, Debug)]
pub struct Vouched {
    /// Who is, or was, in the talent cloud.
    pub member: Member,
    /// Who vouched for them when they joined Vouch, if anybody did.
    pub recommended_by: Option<PersonId>,
}

impl App {
    /// Creates a talent cloud.
    ///
    /// # Errors
    /// If there is no such client, or it has another cloud of this name; if the database fails.
    pub async fn create_talent_cloud(
        &self,
        key: &RequestKey,
        command: &CreateTalentCloud,
    ) -> Result<pb::CreateTalentCloudResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                super::clients::expect_client(&*txn, command.client_id).await?;
                let cloud = TalentCloud {
                    id: TalentCloudId::new(),
                    client_id: command.client_id,
                    name: command.name.clone(),
                    created_at: now,
                    archived_at: None,
                };
                if !store::insert(&txn, &cloud).await? {
                    return Err(Error::CloudNameTaken);
                }
                let talent_cloud = Some(cloud.into());
                Ok(pb::CreateTalentCloudResponse { talent_cloud })
            })
            .await
    }

    /// Gives a talent cloud another name.
    ///
    /// # Errors
    /// If there is no such cloud, or the client has another one of this name; if the database fails.
    pub async fn rename_talent_cloud(
        &self,
        key: &RequestKey,
        command: &RenameTalentCloud,
    ) -> Result<pb::RenameTalentCloudResponse, Error> {
        self.commands
            .once(key, |txn, _| async move {
                let mut cloud = locked(&txn, command.id).await?;
                cloud.name.clone_from(&command.name);
                if store::has_name(&txn, &cloud).await? {
                    return Err(Error::CloudNameTaken);
                }
                store::save(&txn, &cloud).await?;
                let talent_cloud = Some(cloud.into());
                Ok(pb::RenameTalentCloudResponse { talent_cloud })
            })
            .await
    }

    /// Archives a talent cloud.
    ///
    /// # Errors
    /// If there is no such cloud, or the database fails.
    pub async fn archive_talent_cloud(
        &self,
        key: &RequestKey,
        id: TalentCloudId,
    ) -> Result<pb::ArchiveTalentCloudResponse, Error> {
        self.commands
            .once(key, |txn, now: Timestamp| async move {
                let mut cloud = locked(&txn, id).await?;
                if cloud.archived_at.is_none() {
                    cloud.archived_at = Some(now);
                    store::save(&txn, &cloud).await?;
                    let event = pb::TalentCloudArchived {
                        talent_cloud_id: cloud.id.to_string(),
                        client_id: cloud.client_id.to_string(),
                        archive_time: Some(to_wire_time(now)),
                    };
                    outbox::append(&txn, now, &[NewEvent::new(cloud.id.as_uuid(), &event)]).await?;
                }
                let talent_cloud = Some(cloud.into());
                Ok(pb::ArchiveTalentCloudResponse { talent_cloud })
            })
            .await
    }

    /// Reads a talent cloud.
    ///
    /// # Errors
    /// If there is none, or the database fails.
    pub async fn get_talent_cloud(&self, id: TalentCloudId) -> Result<TalentCloud, Error> {
        let found = store::find(self.commands.db().reader(), id).await?;
        found.ok_or_else(|| Error::not_found("talent cloud", id))
    }

    /// Reads one page of a client's talent clouds.
    ///
    /// # Errors
    /// If there is no such client, or the database fails.
    pub async fn list_talent_clouds(
        &self,
        query: &ListTalentClouds,
    ) -> Result<Listed<TalentCloud, TalentCloudId>, Error> {
        let ListTalentClouds {
            client_id,
            include_archived,
            page,
        } = query;
        let conn = self.commands.db().reader();
        super::clients::expect_client(conn, *client_id).await?;
        let found = store::list(conn, *client_id, *include_archived, page.after, page.limit()).await?;
        Ok(page.cut(found, |cloud| cloud.id))
    }

    /// Reads one page of the members of a talent cloud.
    ///
    /// # Errors
    /// If there is no such cloud, or the database fails.
    pub async fn list_members(&self, query: &ListMembers) -> Result<Listed<Vouched, TalentCloudMemberId>, Error> {
        let ListMembers { cloud_id, states, page } = query;
        self.get_talent_cloud(*cloud_id).await?;
        let conn = self.commands.db().reader();
        let found = members::list(conn, *cloud_id, states, page.after, page.limit()).await?;
        let Listed { items, next } = page.cut(found, |member| member.id);
        let items = vouched(conn, items).await?;
        Ok(Listed { items, next })
    }

    /// Finds who is ready for a client's next project, the best choice first, everybody once [B10].
    ///
    /// # Errors
    /// If there is no such client, or the database fails.
    pub async fn find_talent(&self, client: ClientId, limit: u64) -> Result<Vec<Vouched>, Error> {
        let conn = self.commands.db().reader();
        super::clients::expect_client(conn, client).await?;
        // Nobody comes more often than there are clouds.
        let clouds = store::count_in_use(conn, client).await?;
        let mut found = members::ready(conn, client, clouds.saturating_mul(limit)).await?;
        let mut met = HashSet::new();
        found.retain(|member| met.insert(member.person_id));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        vouched(conn, found).await
    }
}

async fn vouched(conn: &impl ConnectionTrait, members: Vec<Member>) -> Result<Vec<Vouched>, Error> {
    let people: Vec<_> = members.iter().filter_map(|member| member.person_id).collect();
    let by = recommendations::vouched_for(conn, &people).await?;
    let vouched = members.into_iter().map(|member| Vouched {
        recommended_by: member.person_id.and_then(|person| by.get(&person).copied()),
        member,
    });
    Ok(vouched.collect())
}

/// The talent cloud, which nobody else changes until the transaction ends.
pub(super) async fn locked(txn: &Txn, id: TalentCloudId) -> Result<TalentCloud, Error> {
    let found = store::lock(txn, id).await?;
    found.ok_or_else(|| Error::not_found("talent cloud", id))
}

/// The same, into which somebody is to come: nobody comes into an archived one.
pub(super) async fn locked_in_use(txn: &Txn, id: TalentCloudId) -> Result<TalentCloud, Error> {
    in_use(locked(txn, id).await?)
}

/// The talent cloud, unless it is archived.
pub(super) fn in_use(cloud: TalentCloud) -> Result<TalentCloud, Error> {
    match cloud.archived_at {
        Some(_) => Err(Error::CloudArchived(cloud.id)),
        None => Ok(cloud),
    }
}
