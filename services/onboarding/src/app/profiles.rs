//! Talent profiles: saved section by section, shown when their owner says so.

use vouch_primitives::AccountId;
use vouch_proto::onboarding::v1 as pb;
use vouch_storage::{Txn, idempotency::RequestKey};

use super::App;
use crate::{
    domain::{Contents, Profile, SectionKind, Visibility},
    error::Error,
    store::{people, profiles as store, search},
};

/// Saves one section of a profile.
#[derive(Clone, Debug)]
pub struct SaveSection {
    /// Whose profile.
    pub account_id: AccountId,
    /// What stands in the section from now on.
    pub contents: Contents,
    /// Whether it is done.
    pub done: bool,
}

/// Goes back to the last complete section.
#[derive(Clone, Copy, Debug)]
pub struct DiscardSection {
    /// Whose profile.
    pub account_id: AccountId,
    /// Which section.
    pub section: SectionKind,
}

/// Says who finds a profile.
#[derive(Clone, Copy, Debug)]
pub struct SetVisibility {
    /// Whose profile.
    pub account_id: AccountId,
    /// Who finds it.
    pub visibility: Visibility,
}

impl App {
    /// Reads a profile; one that was never begun is empty.
    ///
    /// # Errors
    /// If there is no such account, or the database fails.
    pub async fn get_profile(&self, account: AccountId) -> Result<Profile, Error> {
        let conn = self.db().reader();
        if store::owner_of(conn, account).await?.is_none() {
            return Err(Error::not_found("account", account));
        }
        Ok(store::find_or_empty(conn, account).await?)
    }

    /// Saves one section, whole or in part.
    ///
    /// # Errors
    /// If there is no such account, or the database fails.
    pub async fn save_section(
        &self,
        key: &RequestKey,
        command: &SaveSection,
    ) -> Result<pb::SaveSectionResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut profile = locked(&txn, command.account_id).await?;
                profile.save(command.contents.clone(), command.done);
                store::save_section(&txn, &profile, command.contents.kind(), now).await?;
                search::reindex(&txn, command.account_id).await?;
                let profile = Some((&profile).into());
                Ok(pb::SaveSectionResponse { profile })
            })
            .await
    }

    /// Goes back to what a section was when it was last complete. Discarding what is not started is a normal outcome.
    ///
    /// # Errors
    /// If there is no such account, or the database fails.
    pub async fn discard_section(
        &self,
        key: &RequestKey,
        command: &DiscardSection,
    ) -> Result<pb::DiscardSectionResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut profile = locked(&txn, command.account_id).await?;
                if profile.discard(command.section) {
                    // Others see the same as before, so that the index stays as it is.
                    store::save_section(&txn, &profile, command.section, now).await?;
                }
                let profile = Some((&profile).into());
                Ok(pb::DiscardSectionResponse { profile })
            })
            .await
    }

    /// Says who finds a profile: the one act by which a freelancer is seen [B18, B41, F17]. `set_by` is the caller.
    ///
    /// # Errors
    /// If there is no such account, an agency's listing is to be hidden [B36], or the profile is shown and has no headline
    /// or no skills; if the database fails.
    pub async fn set_visibility(
        &self,
        key: &RequestKey,
        command: &SetVisibility,
        set_by: &str,
    ) -> Result<pb::SetVisibilityResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut profile = locked(&txn, command.account_id).await?;
                if profile.set_visibility(command.visibility)? {
                    store::save_visibility(&txn, &profile, command.visibility, set_by, now).await?;
                    search::reindex(&txn, command.account_id).await?;
                }
                let profile = Some((&profile).into());
                Ok(pb::SetVisibilityResponse { profile })
            })
            .await
    }
}

/// The profile of an account, whose owner's row is locked: changes of one account wait for one another.
async fn locked(txn: &Txn, account: AccountId) -> Result<Profile, Error> {
    let unknown = || Error::not_found("account", account);
    let owner = store::owner_of(txn, account).await?.ok_or_else(unknown)?;
    let person = people::lock_person(txn, owner).await?.ok_or_else(unknown)?;
    person.expect_open()?;
    Ok(store::find_or_empty(txn, account).await?)
}
