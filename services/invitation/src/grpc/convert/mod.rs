//! From the wire to commands, with every violation told at once; and from the domain to the wire.

mod answers;
mod applications;
mod clients;
mod clouds;
mod invitations;
mod listing;
mod projects;
mod sending;
mod suppressions;

pub(super) use answers::counts;

use vouch_mail::Token;
use vouch_primitives::{ClientId, EmailAddress, InvitationId};
use vouch_proto::{Fields, Page};

use crate::{
    app::sending::Inviter,
    domain::{Change, DraftContent, Filter, Recipient, TalentType, invitation::RECIPIENT_NAME_LENGTH},
};

/// A request that names one thing by its id.
pub(super) struct Id<I>(pub(super) I);

/// A token as it stands in a link, whatever it may be.
pub(super) struct SentToken(pub(super) Token);

/// An address, about which the suppression list is asked or told.
pub(super) struct Address(pub(super) EmailAddress);

/// Asks who is ready for a client's next project.
pub(super) struct FindTalent {
    pub(super) client_id: ClientId,
    pub(super) limit: u64,
}

/// Begins an import.
pub(super) struct ImportInvitations {
    pub(super) inviter: Inviter,
    pub(super) template: Template,
    pub(super) dry_run: bool,
}

/// What many recipients are invited to, and what is said to all who have no words of their own.
pub(super) struct Template {
    talent_type: TalentType,
    content: DraftContent,
    personal_message: String,
}

/// Asks how many invitations of a client stand where.
pub(super) struct CountInvitations {
    pub(super) client_id: ClientId,
    pub(super) filter: Filter,
}

/// Asks for one page of the open invitations of an address that its owner has verified.
pub(super) struct ListOpenInvitations {
    pub(super) verified_email: EmailAddress,
    pub(super) page: Page<InvitationId>,
}

/// Asks for what changes of a client's invitations.
pub(super) struct WatchInvitations {
    pub(super) client_id: ClientId,
    pub(super) seen: Change,
}

/// Reads the address and the name, of 1 to 200 characters, of somebody; each with its field.
fn contact(fields: &mut Fields, email: (&str, &str), name: (&str, &str)) -> Option<Recipient> {
    let address = fields.email(email.0, email.1);
    let name = fields.line(name.0, name.1, 1..=*RECIPIENT_NAME_LENGTH.end());
    Some(Recipient {
        email: address?,
        name: name?,
    })
}

/// The address of somebody who may have been erased: then there is none.
fn address_of(contact: &Recipient) -> String {
    if contact.is_erased() {
        String::new()
    } else {
        contact.email.to_string()
    }
}

/// More states than there are of anything.
const STATES: usize = 20;

/// Reads the field `states`, whose values are those of the enum `W`.
fn states<W: TryFrom<i32>, S>(fields: &mut Fields, wire: &[i32], state: impl Fn(W) -> Option<S>) -> Vec<S> {
    if wire.len() > STATES {
        fields.refuse("states", "TOO_LONG", format!("must be at most {STATES}"));
    }
    let mut read = Vec::new();
    for (at, value) in wire.iter().take(STATES).enumerate() {
        match W::try_from(*value).ok().and_then(&state) {
            Some(state) => read.push(state),
            None => fields.refuse(
                &format!("states[{at}]"),
                "OUT_OF_RANGE",
                "must be a state that there is",
            ),
        }
    }
    read
}
