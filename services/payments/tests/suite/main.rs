//! The service alone, over its real gRPC port, on SQLite and on PostgreSQL. Events go over a bus in memory; what other
//! services would say is published by hand.

#![expect(clippy::large_futures, reason = "a world has a client of each gRPC service")]

mod amounts;
mod availability;
mod billing;
mod bonuses;
mod books;
mod bus;
mod changes;
mod charge_faults;
mod chargebacks;
mod charges;
mod charging;
mod checks;
mod client_refunds;
mod concurrency;
mod disputes;
mod exports;
mod hours;
mod hours_contracts;
mod hours_invoices;
mod hours_reviews;
mod life;
mod model;
mod monday;
mod offers;
mod payout_crowd;
mod payout_runs;
mod payout_world;
mod payouts;
mod pdf;
mod pdf_text;
mod reading;
mod recurring;
mod refunds;
mod requests;
mod rewards;
mod statements;
mod stripe;
mod tables;
mod tax;
mod world;
