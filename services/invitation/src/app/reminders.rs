//! Reminders: who has not answered after seven days, and after twenty-one, gets the letter once more.

use vouch_primitives::{InvitationId, Timestamp};
use vouch_storage::{
    Txn,
    timers::{self, Batch, NewTimer},
};

use super::{App, REMIND_OF_INVITATION, letter::Occasion};
use crate::{
    domain::Invitation,
    error::Error,
    store::{invitations as store, suppressions},
};

impl App {
    /// Reminds of the invitations whose timers are due and that are still open, unless the address is suppressed. A reminder brings a token of its own, as
    /// nobody knows the first one any more but who has the first letter; both work.
    ///
    /// # Errors
    /// When the operating system gives no random bytes, or the database fails.
    pub async fn remind_of_invitations(&self, txn: &Txn, due: &Batch) -> Result<(), Error> {
        let ids: Vec<_> = due.keys().into_iter().map(InvitationId::from_uuid).collect();
        let mut open = store::find_open(txn, &ids, due.now).await?;
        let addresses: Vec<_> = open
            .iter()
            .map(|it| suppressions::hash_of(&it.recipient.email))
            .collect();
        let suppressed = suppressions::among(txn, &addresses).await?;
        open.retain(|invitation| !suppressed.contains(&suppressions::hash_of(&invitation.recipient.email)));
        self.post(txn, due.now, &open, Occasion::Reminded).await?;
        let next: Vec<_> = open
            .iter()
            .filter_map(|invitation| reminder(invitation, due.now))
            .collect();
        Ok(timers::schedule(txn, &next).await?)
    }
}

/// The timer of the reminder that comes next.
pub(super) fn reminder(invitation: &Invitation, now: Timestamp) -> Option<NewTimer> {
    invitation.next_reminder(now).map(|due| NewTimer {
        kind: REMIND_OF_INVITATION,
        key: invitation.id.as_uuid(),
        due,
    })
}
