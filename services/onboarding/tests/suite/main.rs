//! The service alone, over its real gRPC port, on SQLite and on PostgreSQL. Events go over a bus in memory; what
//! payments would say is published by hand, and the invitation service is played by [`invitations`].

mod activation;
mod crash;
mod declining;
mod documents;
mod documents_kept;
mod example;
mod hire;
mod invitations;
mod lapse;
mod offer;
mod papers;
mod privacy;
mod registration;
mod requests;
mod tables;
mod world;
