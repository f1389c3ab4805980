//! Whatever crosses a service: the four services as one system, and people who use it.
//!
//! | module | gives |
//! |---|---|
//! | [`clients`] | [`Clients`]: typed connections to the four services, wherever they run |
//! | [`clock`] | [`TestClock`]: moves the test clock of all four, step by step, and waits until they rest |
//! | [`mailbox`] | [`Mailbox`]: reads the e-mails that the services wrote |
//! | [`story`] | [`Story`]: who does what: invite, activate, accept, pay, refund |
//! | [`cluster`] | [`Cluster`]: a real nats-server and four real processes |
//! | [`network`] | [`Network`]: a proxy before each server of a cluster |
//! | [`proxy`] | [`Proxy`](proxy::Proxy): a wire that can be bad |
//! | [`nkeys`] | [`Nkeys`]: who may do what on NATS, with keys of their own |
//! | [`world`] | [`World`]: the four services in this process, on the seeded memory bus |
//! | [`earnings`] | earnings as a CSV file tells them |
//! | [`otlp`] | [`Collector`]: receives traces and logs as a collector would |
//! | [`raw`] | calls by their bytes, and the contracts as reflection tells them |
//! | [`storm`] | kills processes while people work, and compares the books with the answers |
//! | [`playback`] | plays such a file on a system, and reports what came of it |

mod charging;
pub mod clients;
pub mod clock;
pub mod cluster;
pub mod earnings;
pub mod mailbox;
pub mod network;
pub mod nkeys;
mod operator;
pub mod otlp;
pub mod playback;
pub mod proxy;
pub mod raw;
pub mod storm;
pub mod story;
pub mod world;

pub use clients::Clients;
pub use clock::TestClock;
pub use cluster::Cluster;
pub use mailbox::Mailbox;
pub use network::Network;
pub use nkeys::Nkeys;
pub use otlp::Collector;
pub use story::Story;
pub use world::World;

/// Any error: what drives a system can do nothing about one but tell it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The four services, in the order of their ports.
pub const SERVICES: [&str; 4] = ["invitation", "onboarding", "payments", "referral"];
