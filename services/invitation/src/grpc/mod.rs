//! Commands in: parse, call, wrap. One file per gRPC service; `convert` is the boundary between wire and domain.

mod clients;
mod clouds;
mod convert;
mod imports;
mod invitations;
mod suppressions;

pub use clients::Clients;
pub use clouds::TalentClouds;
pub use invitations::Invitations;
pub use suppressions::Suppressions;
