//! Commands in: parse, call, wrap. One file per gRPC service; [`convert`] is the boundary between wire and domain.

mod accounts;
mod cases;
mod convert;
mod profiles;

pub use accounts::Accounts;
pub use cases::Cases;
pub use profiles::Profiles;
