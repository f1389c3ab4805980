//! The service alone, over its real gRPC port, on SQLite and on PostgreSQL. Events go over a bus in memory; what
//! payments would say is published by hand, and the invitation service is played by [`invitations`].

mod accounts;
mod activation;
mod callers;
mod changing;
mod closing;
mod crash;
mod declining;
mod documents;
mod documents_kept;
mod erasing;
mod evidence;
mod example;
mod hire;
mod indexing;
mod invitations;
mod lapse;
mod limits;
mod model;
mod offer;
mod papers;
mod payments;
mod privacy;
mod profiles;
mod registration;
mod requests;
mod reviewing;
mod search;
mod settings;
mod shown;
mod tables;
mod tasks;
mod tax;
mod templates;
mod ways;
mod world;
