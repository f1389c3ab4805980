//! `vouch-testkit stop`: ends the PostgreSQL server that the test processes share.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().skip(1).ne(["stop".to_owned()]) {
        eprintln!(
            "usage: vouch-testkit stop\n\nEnds the PostgreSQL server that the tests share, and deletes its data."
        );
        return ExitCode::from(2);
    }
    match vouch_testkit::postgres::stop_shared() {
        Ok(true) => eprintln!("the shared PostgreSQL server is stopped"),
        Ok(false) => eprintln!("no shared PostgreSQL server was running"),
        Err(error) => {
            eprintln!("vouch-testkit: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
