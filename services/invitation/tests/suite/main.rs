//! The service alone, over its real gRPC port, on SQLite and on PostgreSQL. Events go over a bus in memory; what other
//! services would say is published by hand.

mod accepting;
mod changes;
mod clients;
mod expiry;
mod hiring;
mod letter;
mod listing;
mod lookup;
mod reminders;
mod sending;
mod tables;
mod world;
