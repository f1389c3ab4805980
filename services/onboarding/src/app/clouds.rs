//! What invitation tells of talent clouds: whom a client has taken out of one, or back, and which are archived.

use std::collections::{BTreeMap, BTreeSet};

use vouch_primitives::PersonId;
use vouch_storage::Txn;

use super::{App, cases::lock_cases};
use crate::{
    domain::{Brings, CloudEnd, Membership},
    error::Error,
    store::{clouds as store, people},
};

impl App {
    /// Notes who is in talent clouds. From the moment on at which somebody is taken out, the client reads nothing of them
    /// any more, and there is nothing left to do in the case; who is taken back goes on with it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_memberships(&self, txn: &Txn, changes: &[Membership]) -> Result<(), Error> {
        let now = self.now();
        let mut back: BTreeMap<PersonId, BTreeSet<_>> = BTreeMap::new();
        for (cloud, person) in store::save(txn, changes).await? {
            back.entry(person).or_default().insert(cloud);
        }
        for (person, clouds) in back {
            // Whoever is not here has nothing to go on with.
            let Some(person) = people::lock_person(txn, person).await? else {
                continue;
            };
            for mut file in lock_cases(txn, person.id).await? {
                if matches!(&file.case.brings, Brings::TalentCloud(cloud) if clouds.contains(&cloud.id)) {
                    self.go_on(txn, now, &mut file, &person).await?;
                }
            }
        }
        Ok(())
    }

    /// Notes which talent clouds are archived.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_cloud_ends(&self, txn: &Txn, ends: &[CloudEnd]) -> Result<(), Error> {
        Ok(store::save_ends(txn, ends).await?)
    }
}
