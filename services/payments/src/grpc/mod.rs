//! Commands in: parse, call, wrap. One file per gRPC service; [`convert`] is the boundary between wire and domain.

mod bonuses;
mod contracts;
mod convert;
mod disputes;
mod earnings;
mod invoices;
mod ledger;
mod payouts;
mod taxes;
mod times;

pub use bonuses::Bonuses;
pub use contracts::Contracts;
pub use disputes::Disputes;
pub use earnings::Earnings;
pub use invoices::Invoices;
pub use ledger::Ledger;
pub use payouts::Payouts;
pub use taxes::Taxes;
pub use times::Times;
