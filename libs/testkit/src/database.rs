//! Throw-away databases of both kinds.

use std::fmt;

use tempfile::TempDir;

use crate::{TestkitError, postgres, tools::unique_name};

/// The two kinds of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of its own in a directory of its own.
    Sqlite,
    /// A database of its own on the shared server.
    Postgres,
}

impl Engine {
    /// Both, for tests that loop.
    pub const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// An empty database that is deleted when this value is dropped, with whoever is still connected to it.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    home: Home,
}

#[derive(Debug)]
enum Home {
    Sqlite { _directory: TempDir },
    Postgres { port: u16, name: String },
}

impl TestDatabase {
    /// A fresh database.
    ///
    /// # Panics
    /// If none can be had: a test has nothing else to do then.
    pub async fn new(engine: Engine) -> Self {
        Self::try_new(engine)
            .await
            .unwrap_or_else(|error| panic!("no {engine} database: {error}"))
    }

    /// A fresh database.
    ///
    /// # Errors
    /// If PostgreSQL is not there or does not start, or the temporary directory cannot be written.
    pub async fn try_new(engine: Engine) -> Result<Self, TestkitError> {
        match engine {
            Engine::Sqlite => {
                let directory = tempfile::tempdir().map_err(TestkitError::io("make a directory for sqlite"))?;
                let url = format!("sqlite:{}", directory.path().join("test.db").display());
                Ok(Self {
                    url,
                    home: Home::Sqlite { _directory: directory },
                })
            }
            Engine::Postgres => {
                let port = tokio::task::spawn_blocking(postgres::shared_port)
                    .await
                    .map_err(|error| TestkitError::io("ask for the shared server")(std::io::Error::other(error)))??;
                let name = unique_name("test");
                postgres::create_database(port, &name).await?;
                Ok(Self {
                    url: postgres::url(port, &name),
                    home: Home::Postgres { port, name },
                })
            }
        }
    }

    /// `sqlite:<path>` (the file is not there yet) or `postgres://…`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Which kind it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.home {
            Home::Sqlite { .. } => Engine::Sqlite,
            Home::Postgres { .. } => Engine::Postgres,
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Home::Postgres { port, name } = &self.home {
            // What cannot be dropped now goes with the shared server's data.
            let _ = postgres::drop_database(*port, name);
        }
    }
}

/// Runs tests on both kinds of database: for each `async fn name(database: TestDatabase)` that is listed, there is a
/// test `sqlite::name` and a test `postgres::name`, each on a multi-threaded runtime. Once per module; the crate needs
/// tokio.
///
/// ```
/// use vouch_testkit::{TestDatabase, on_both_databases};
///
/// on_both_databases! { a_fresh_database_has_a_url }
///
/// async fn a_fresh_database_has_a_url(database: TestDatabase) {
///     assert!(database.url().starts_with(&database.engine().to_string()));
/// }
/// ```
#[macro_export]
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        $crate::on_both_databases!(@ sqlite Sqlite $($name)+);
        $crate::on_both_databases!(@ postgres Postgres $($name)+);
    };
    (@ $module:ident $engine:ident $($name:ident)+) => {
        mod $module {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::TestDatabase::new($crate::Engine::$engine).await).await;
            }
        )+}
    };
}
