//! Commands in: parse, call, wrap. One file per gRPC service; [`convert`] is the boundary between wire and domain.

mod accounts;
mod cases;
mod convert;
mod documents;
mod downloads;
mod slots;
mod uploads;

pub use accounts::Accounts;
pub use cases::Cases;
pub use documents::Documents;
