//! The service alone, over its real gRPC port, on SQLite and on PostgreSQL. Events go over a bus in memory; what
//! payments would say is published by hand, and the invitation service is played by [`invitations`].

mod accounts;
mod activation;
mod callers;
mod closing;
mod crash;
mod declining;
mod erasing;
mod evidence;
mod example;
mod hire;
mod invitations;
mod lapse;
mod offer;
mod payments;
mod privacy;
mod registration;
mod requests;
mod settings;
mod tables;
mod tasks;
mod tax;
mod templates;
mod ways;
mod world;
