//! The contracts of Vouch: what the services say to one another and to the world, and nothing else.
//!
//! The modules are generated from `proto/vouch/<package>/v1/*.proto`, which carry the documentation. [`convert`] holds
//! the boundary between the wire and the values of `vouch-primitives`, [`page`] how lists are cut, [`tax`] what a tax
//! form must say, [`terms`] what the terms of a contract must.

pub mod access;
pub mod convert;
pub mod page;
pub mod tax;
pub mod terms;

pub use convert::{Fields, Violation, Violations};
pub use page::{Listed, Page};

/// A request that changes something: it carries a `request_id`, under which its answer is remembered.
pub trait Mutation: prost::Message + prost::Name {
    /// The UUID as it came over the wire, not checked yet.
    fn request_id(&self) -> &str;
}

/// The descriptors of all contracts, for reflection; custom options are kept.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

include!(concat!(env!("OUT_DIR"), "/mutations.rs"));

macro_rules! packages {
    ($($(#[$doc:meta])* $package:ident),+ $(,)?) => {$(
        $(#[$doc])*
        pub mod $package {
            /// The first version of the contract.
            #[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated; the documentation is in the proto files")]
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/vouch.", stringify!($package), ".v1.rs"));
            }
        }
    )+};
}

packages! {
    /// What several packages share: money and the terms of a contract.
    common,
    /// The invitation service: clients and invitations.
    invitation,
    /// The onboarding service: people, accounts, cases, offers.
    onboarding,
    /// What operators need of every service.
    operations,
    /// The payments service: contracts, earnings, the ledger.
    payments,
    /// The referral service.
    referral,
}
