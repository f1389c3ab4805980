//! The service alone, over its real gRPC port, on SQLite and on PostgreSQL. Events go over a bus in memory; what other
//! services would say is published by hand.

mod amounts;
mod books;
mod bus;
mod concurrency;
mod hours;
mod hours_contracts;
mod hours_invoices;
mod life;
mod offers;
mod reading;
mod refunds;
mod requests;
mod rewards;
mod tables;
mod tax;
mod world;
