//! Invitations of people who were erased.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, IntoCondition},
};
use vouch_primitives::{ClientId, EmailAddress, InvitationId, PersonId, Timestamp, Uuid};
use vouch_storage::{StorageError, Txn};

use super::{
    Unanswered, among,
    entity::{ActiveModel, Column, Entity},
    name_of, unanswered,
};
use crate::{
    domain::{AddressHash, Stage, invitation::ERASED_ADDRESS},
    store::{ROWS, accounts::Former, suppressions::hash_of, unreadable},
};

/// How many alternatives one query asks for: SQLite takes no more than a thousand.
const ALTERNATIVES: usize = 250;

/// An invitation that names somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Which.
    pub id: InvitationId,
    /// Who sent it.
    pub client_id: ClientId,
    /// Who has accepted it, if anybody.
    pub person_id: Option<PersonId>,
    /// Where it was sent.
    pub recipient: EmailAddress,
}

/// The invitations that these people have accepted, those that were sent to one of these addresses, and those that were sent
/// to a former one as long as it was theirs, unless somebody else has accepted them; in ascending order of id. The transaction
/// is going to change them. Those that are erased are left out.
///
/// # Errors
/// When the database fails.
pub async fn lock_about(
    txn: &Txn,
    people: &[PersonId],
    addresses: &[AddressHash],
    former: &[Former],
) -> Result<Vec<About>, StorageError> {
    let mut ids = BTreeSet::new();
    for chunk in people.chunks(ROWS) {
        let accepted = Column::PersonId.is_in(chunk.iter().map(|person| person.as_uuid()));
        ids.extend(which(txn, accepted).await?);
    }
    for chunk in addresses.chunks(ROWS) {
        let sent = Column::RecipientSha256.is_in(chunk.iter().map(|hash| hash.0.to_vec()));
        ids.extend(which(txn, sent).await?);
    }
    for chunk in former.chunks(ALTERNATIVES) {
        let sent = chunk.iter().fold(Condition::any(), |any, former| {
            let to = Column::RecipientSha256.eq(former.hash.0.to_vec());
            let unanswered = Column::PersonId.is_null();
            any.add(to.and(Column::SentAt.lt(former.until.as_micros())).and(unanswered))
        });
        ids.extend(which(txn, sent).await?);
    }
    let ids: Vec<_> = ids.into_iter().collect();
    let mut found = Vec::new();
    for chunk in ids.chunks(ROWS) {
        let rows = Entity::find().filter(among(chunk)).order_by_asc(Column::Id);
        for row in rows.lock_exclusive().all(txn).await? {
            let recipient = row.recipient_email.parse();
            found.push(About {
                id: InvitationId::from_uuid(row.id),
                client_id: ClientId::from_uuid(row.client_id),
                person_id: row.person_id.map(PersonId::from_uuid),
                recipient: recipient.map_err(|error| unreadable("invitation.recipient_email", error))?,
            });
        }
    }
    Ok(found)
}

/// Forgets whom these invitations were sent to, and what was said. Those that wait are declined; returns these.
///
/// # Errors
/// When the database fails.
pub async fn erase(txn: &Txn, ids: &[InvitationId], now: Timestamp) -> Result<Vec<Unanswered>, StorageError> {
    let nobody: EmailAddress = ERASED_ADDRESS
        .parse()
        .map_err(|error| unreadable("invitation.recipient_email", error))?;
    let mut declined = Vec::new();
    for chunk in ids.chunks(ROWS) {
        Entity::update_many()
            .set(ActiveModel {
                recipient_email: Set(nobody.as_str().to_owned()),
                recipient_sha256: Set(hash_of(&nobody).0.to_vec()),
                recipient_name: Set(String::new()),
                personal_message: Set(String::new()),
                decline_reason: Set(String::new()),
                ..Default::default()
            })
            .filter(among(chunk))
            .exec(txn)
            .await?;
        let rows = Entity::update_many()
            .col_expr(Column::State, Expr::value(name_of(Stage::Declined)))
            .col_expr(Column::DeclinedAt, Expr::value(now.as_micros()))
            .filter(among(chunk))
            .filter(Column::State.eq(name_of(Stage::Pending)))
            .exec_with_returning(txn)
            .await?;
        declined.extend(rows.iter().map(unanswered));
    }
    Ok(declined)
}

async fn which(txn: &Txn, named: impl IntoCondition) -> Result<Vec<InvitationId>, StorageError> {
    let not_erased = Column::RecipientEmail.ne(ERASED_ADDRESS);
    let query = Entity::find().filter(named).filter(not_erased);
    let ids: Vec<Uuid> = query.select_only().column(Column::Id).into_tuple().all(txn).await?;
    Ok(ids.into_iter().map(InvitationId::from_uuid).collect())
}
