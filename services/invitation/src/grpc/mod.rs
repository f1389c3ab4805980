//! Commands in: parse, call, wrap. One file per gRPC service; `convert` is the boundary between wire and domain.

mod applications;
mod clients;
mod clouds;
mod convert;
mod imports;
mod invitations;
mod projects;
mod suppressions;
mod watching;

pub use applications::Applications;
pub use clients::Clients;
pub use clouds::TalentClouds;
pub use invitations::Invitations;
pub use projects::Projects;
pub use suppressions::Suppressions;
