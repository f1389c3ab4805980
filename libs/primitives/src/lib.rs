//! The pure values that everything else is made of: typed ids, moments, money, rates, e-mail addresses.
//!
//! Nothing here does I/O, nothing is asynchronous, and nothing knows the wire or the database. The two exceptions
//! are named: [`clock::SystemClock`] reads the process clock, and `new` of an id reads it too.
//!
//! | module | holds |
//! |---|---|
//! | [`id`] | the registry of typed ids (UUIDv7) |
//! | [`time`] | [`Timestamp`]: microseconds, UTC, calendar months with clamped month ends |
//! | [`clock`] | [`Clock`], the only source of "now" |
//! | [`money`] | [`Money`] and [`Currency`]: integer minor units, checked |
//! | [`rate`] | [`BasisPoints`] with named rounding |
//! | [`email`] | [`EmailAddress`] |
//! | [`tax`] | kinds of tax forms |
//! | [`terms`] | the terms of a contract |
//! | [`text`] | characters that no text of ours holds |

pub mod clock;
pub mod email;
pub mod id;
pub mod money;
pub mod rate;
pub mod tax;
pub mod terms;
pub mod text;
pub mod time;

pub use clock::{Clock, SystemClock, TestClock};
pub use email::EmailAddress;
pub use id::*;
pub use money::{Currency, Money, MoneyError};
pub use rate::{BasisPoints, Share};
pub use tax::{TaxFormKind, UnknownTaxForm};
pub use time::Timestamp;

pub use uuid::Uuid;
