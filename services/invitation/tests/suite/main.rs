//! The service alone, over its real gRPC port, on SQLite and on PostgreSQL. Events go over a bus in memory; what other
//! services would say is published by hand.

mod accepting;
mod applications;
mod bulk;
mod changes;
mod clients;
mod clouds;
mod erasing;
mod erasing_late;
mod expiry;
mod hire;
mod hiring;
mod importing;
mod injection;
mod letter;
mod limits;
mod listing;
mod lookup;
mod outage;
mod projects;
mod recommending;
mod reminders;
mod sending;
mod suppression;
mod tables;
mod types;
mod watching;
mod world;
