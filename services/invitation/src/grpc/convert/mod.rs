//! From the wire to commands, with every violation told at once; and from the domain to the wire.

mod answers;
mod clients;
mod invitations;
mod listing;
mod terms;

pub(super) use answers::counts;

use vouch_mail::Token;
use vouch_primitives::{ClientId, EmailAddress, InvitationId};
use vouch_proto::Page;

use crate::domain::Filter;

/// A request that names one thing by its id.
pub(super) struct Id<I>(pub(super) I);

/// A token as it stands in a link, whatever it may be.
pub(super) struct SentToken(pub(super) Token);

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
