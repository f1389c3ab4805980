//! From the wire to commands, with every violation told at once; and from the domain to the wire.

mod clients;
mod invitations;
mod terms;

use vouch_mail::Token;
use vouch_primitives::{ClientId, EmailAddress, InvitationId};
use vouch_proto::Page;

/// A request that names one thing by its id.
pub(super) struct Id<I>(pub(super) I);

/// A token as it stands in a link, whatever it may be.
pub(super) struct SentToken(pub(super) Token);

/// Asks for one page of a client's invitations.
pub(super) struct ListInvitations {
    pub(super) client_id: ClientId,
    pub(super) page: Page<InvitationId>,
}

/// Asks for one page of the open invitations of an address that its owner has verified.
pub(super) struct ListOpenInvitations {
    pub(super) verified_email: EmailAddress,
    pub(super) page: Page<InvitationId>,
}
