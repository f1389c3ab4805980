//! Finding talent, and what orders it.

use std::collections::BTreeMap;

use vouch_proto::{Listed, Page};
use vouch_storage::Txn;

use super::App;
use crate::{
    domain::{FoundTalent, MatchSignal, Place, TalentQuery},
    error::Error,
    store::{search as store, signals},
};

impl App {
    /// Finds one page of talent, the best match first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn search_talent(
        &self,
        wanted: &TalentQuery,
        page: &Page<Place>,
    ) -> Result<Listed<FoundTalent, Place>, Error> {
        let found = store::find(self.db().reader(), wanted, page.after, page.limit()).await?;
        Ok(page.cut(found, |talent| talent.place))
    }

    /// Notes what referrals say of people; it orders what is found and alters nothing else [R28, R33].
    ///
    /// # Errors
    /// If the database fails.
    pub async fn record_match_signals(&self, txn: &Txn, signals: &[MatchSignal]) -> Result<(), Error> {
        // The last word about a person counts, in whichever order they come.
        let mut signals = signals.to_vec();
        signals.sort_by_key(|signal| signal.changed_at);
        let newest: BTreeMap<_, _> = signals.into_iter().map(|signal| (signal.person_id, signal)).collect();
        let newest: Vec<_> = newest.into_values().collect();
        Ok(signals::save(txn, &newest).await?)
    }
}
