//! Commands in: parse, call, wrap. One file per gRPC service; `convert` is the boundary between wire and domain.

mod clients;
mod convert;
mod invitations;

pub use clients::Clients;
pub use invitations::Invitations;
