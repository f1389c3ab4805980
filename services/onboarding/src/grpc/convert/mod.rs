//! From the wire to commands, with every violation told at once; and from the domain to the wire.

mod accounts;
mod cases;

/// A request that names one thing by its id.
pub(super) struct Id<I>(pub(super) I);
