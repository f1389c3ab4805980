//! The service alone, over its real gRPC port, on SQLite and on PostgreSQL. Events go over a bus in memory; what
//! payments would say is published by hand, and the invitation service is played by [`invitations`].

mod activation;
mod crash;
mod declining;
mod example;
mod hire;
mod indexing;
mod invitations;
mod lapse;
mod offer;
mod privacy;
mod profiles;
mod registration;
mod requests;
mod search;
mod tables;
mod world;
