//! From the wire to commands, with every violation told at once; and from the domain to the wire.

mod clients;
mod invitations;
mod terms;

/// A request that names one thing by its id.
pub(super) struct Id<I>(pub(super) I);

/// A token as it stands in a link, whatever it may be.
pub(super) struct TokenText(pub(super) String);

/// An address that its owner has verified.
pub(super) struct VerifiedEmail(pub(super) vouch_primitives::EmailAddress);
