//! Commands in: parse, call, wrap. One file per gRPC service; [`convert`] is the boundary between wire and domain.
//! `webhooks` is what the payment provider tells, over HTTP.

mod audits;
mod billing;
mod bonuses;
mod charges;
mod contracts;
mod convert;
mod disputes;
mod earnings;
mod exports;
mod invoices;
mod ledger;
mod payouts;
mod reports;
mod taxes;
mod times;
mod webhooks;

use tonic::Request;
use vouch_runtime::access::Caller;

pub use audits::Audits;
pub use billing::Billing;
pub use bonuses::Bonuses;
pub use charges::Charges;
pub use contracts::Contracts;
pub use disputes::Disputes;
pub use earnings::Earnings;
pub use invoices::Invoices;
pub use ledger::Ledger;
pub use payouts::Payouts;
pub use reports::Reports;
pub use taxes::Taxes;
pub use times::Times;
pub use webhooks::webhooks;

use crate::domain::Author;

/// On which side the caller is.
fn author<T>(request: &Request<T>) -> Author {
    match Caller::of(request) {
        Caller::Client(_) => Author::Client,
        Caller::Person(_) => Author::Talent,
        _ => Author::Operator,
    }
}
