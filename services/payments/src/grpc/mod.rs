//! Commands in: parse, call, wrap. One file per gRPC service; [`convert`] is the boundary between wire and domain.

mod contracts;
mod convert;
mod earnings;
mod ledger;
mod taxes;

pub use contracts::Contracts;
pub use earnings::Earnings;
pub use ledger::Ledger;
pub use taxes::Taxes;
