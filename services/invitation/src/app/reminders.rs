//! Reminders: who has not answered after seven days, and after twenty-one, gets the letter once more.

use vouch_mail::{NewMail, Token};
use vouch_primitives::{InvitationId, Timestamp};
use vouch_storage::{
    Txn,
    timers::{self, Batch, NewTimer},
};

use super::{App, REMIND_OF_INVITATION, letter::Occasion};
use crate::{
    domain::{Invitation, TokenHash},
    error::Error,
    store::invitations as store,
};

impl App {
    /// Reminds of the invitations whose timers are due and that are still open. A reminder brings a token of its own, as
    /// nobody knows the first one any more but who has the first letter; both work.
    ///
    /// # Errors
    /// When the operating system gives no random bytes, or the database fails.
    pub async fn remind_of_invitations(&self, txn: &Txn, due: &Batch) -> Result<(), Error> {
        let ids: Vec<_> = due.keys().into_iter().map(InvitationId::from_uuid).collect();
        let (mut tokens, mut mails, mut next): (Vec<_>, Vec<NewMail>, Vec<_>) = Default::default();
        for invitation in store::find_open(txn, &ids, due.now).await? {
            let token = Token::try_new()?;
            mails.push(self.mail(&invitation, &token, Occasion::Reminded));
            tokens.push((invitation.id, TokenHash(token.sha256())));
            next.extend(reminder(&invitation, due.now));
        }
        store::add_tokens(txn, &tokens).await?;
        vouch_mail::enqueue_all(txn, due.now, &mails).await?;
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
