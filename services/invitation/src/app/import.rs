//! The rows of a file, batch by batch: each batch is one transaction under an id of its own, so that an import that is
//! sent again from its start gets the same answers and sends nothing twice.

use std::collections::HashSet;

use sha2::{Digest, Sha256};
use vouch_primitives::{RequestId, Timestamp};
use vouch_proto::{
    Violations,
    invitation::v1::{self as pb, invitation_verdict::Verdict as WireVerdict},
};
use vouch_storage::{StorageError, Txn, idempotency::RequestKey};

use super::{
    App,
    sending::{Inviter, SendInvitations, Verdict, verdicts},
};
use crate::{
    domain::{AddressHash, Draft, Unsendable},
    error::Error,
    store::suppressions,
};

/// An import that is going on.
#[derive(Debug)]
pub struct Import {
    app: App,
    key: RequestKey,
    inviter: Inviter,
    dry_run: bool,
    batches: u32,
    /// The line at which the last row so far begins.
    line: u64,
    /// The addresses so far.
    met: HashSet<AddressHash>,
    accepted: u64,
    refused: u64,
}

/// Some rows of a file, which follow one another.
#[derive(Debug)]
pub struct Batch {
    /// The line at which each begins, and what it says.
    pub rows: Vec<(u64, Result<Draft, Violations>)>,
    /// The SHA-256 of all they say.
    pub hash: [u8; 32],
}

/// How a dry run ends its transaction, so that nothing of it stays.
#[derive(Debug, thiserror::Error)]
enum Dry {
    #[error("nothing is sent")]
    Over(pb::SendInvitationsResponse),
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<StorageError> for Dry {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl Import {
    /// An import under the id of `key`.
    #[must_use]
    pub fn new(app: App, key: RequestKey, inviter: Inviter, dry_run: bool) -> Self {
        Self {
            app,
            key,
            inviter,
            dry_run,
            batches: 0,
            line: 0,
            met: HashSet::new(),
            accepted: 0,
            refused: 0,
        }
    }

    /// Sends the next batch, or says what would become of it.
    ///
    /// # Errors
    /// If the client or its hiring manager does not exist; if the same batch came before with other rows; if the
    /// database fails.
    pub async fn take(&mut self, batch: Batch) -> Result<pb::ImportInvitationsResponse, Error> {
        let (lines, rows): (Vec<_>, Vec<_>) = batch.rows.into_iter().unzip();
        self.line = lines.last().copied().unwrap_or(self.line);
        let drafts = rows.into_iter().map(|row| self.unrepeated(row)).collect();
        let command = SendInvitations {
            inviter: self.inviter,
            drafts,
        };
        let answer = if self.dry_run {
            self.try_out(command).await?
        } else {
            let key = self.key_of_batch(&batch.hash);
            self.app.send_invitations(&key, &command).await?
        };
        self.batches += 1;
        let mut refusals = Vec::new();
        for (line, verdict) in lines.into_iter().zip(answer.verdicts) {
            match verdict.verdict {
                Some(WireVerdict::Refusal(refusal)) => {
                    self.refused += 1;
                    let refusal = Some(refusal);
                    refusals.push(pb::RowRefusal { line, refusal });
                }
                _ => self.accepted += 1,
            }
        }
        Ok(pb::ImportInvitationsResponse {
            refusals,
            done: false,
            ..self.done()
        })
    }

    /// What is said when the file is through.
    #[must_use]
    pub const fn done(&self) -> pb::ImportInvitationsResponse {
        pb::ImportInvitationsResponse {
            line: self.line,
            accepted: self.accepted,
            refused: self.refused,
            refusals: Vec::new(),
            done: true,
        }
    }

    fn unrepeated(&mut self, row: Result<Draft, Violations>) -> Result<Draft, Verdict> {
        let draft = row.map_err(Verdict::Unreadable)?;
        if self.met.insert(suppressions::hash_of(&draft.recipient.email)) {
            Ok(draft)
        } else {
            Err(Verdict::Unsendable(Unsendable::Repeated))
        }
    }

    fn key_of_batch(&self, rows: &[u8]) -> RequestKey {
        let hash = Sha256::new().chain_update(self.key.hash).chain_update(rows);
        RequestKey {
            id: RequestId::derived(self.key.id.as_uuid(), &format!("batch {}", self.batches)),
            hash: hash.finalize().into(),
            ..self.key.clone()
        }
    }

    /// What sending would come to: it is done, and undone.
    async fn try_out(&self, command: SendInvitations) -> Result<pb::SendInvitationsResponse, Error> {
        let (app, command, earlier) = (&self.app, &command, self.accepted);
        let now = app.commands.now();
        let undone: Result<(), Dry> = app
            .commands
            .db()
            .write_tx(|txn| async move {
                let answer = app.weigh(&txn, now, command, earlier).await?;
                Err(Dry::Over(answer))
            })
            .await;
        match undone {
            Ok(()) => Ok(pb::SendInvitationsResponse::default()),
            Err(Dry::Over(answer)) => Ok(answer),
            Err(Dry::Failed(error)) => Err(error),
        }
    }
}

impl App {
    /// What would become of these after `earlier` others that were not sent either.
    async fn weigh(
        &self,
        txn: &Txn,
        now: Timestamp,
        command: &SendInvitations,
        earlier: u64,
    ) -> Result<pb::SendInvitationsResponse, Error> {
        self.count_as_sent(txn, now, command.inviter.client_id, earlier).await?;
        let drafts: Vec<_> = command.drafts.iter().flatten().collect();
        let written = self.write(txn, now, command.inviter, &drafts).await?;
        Ok(verdicts(&command.drafts, written))
    }
}
