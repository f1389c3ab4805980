//! A real nats-server, real databases and four real processes on 127.0.0.1.

mod settings;

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};
use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use vouch_primitives::Timestamp;
use vouch_runtime::{
    access::{Caller, Signed, Signer},
    config::AccessConfig,
};
use vouch_testkit::{Engine, NatsServer, PostgresServer, Process, Signal, tools::free_port};

use self::settings::Around;
use crate::{Clients, Error, Mailbox, Network, Nkeys, SERVICES, Story};

/// How long a service may take to become ready, and to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which database.
    pub engine: Engine,
    /// The test clock's first moment; `None` for the process clock.
    pub test_clock: Option<Timestamp>,
    /// The port of the first service, the others follow; `None` for free ones.
    pub first_port: Option<u16>,
    /// The directory of the access keys; `None` for one that goes with the rest of the data.
    pub keys: Option<PathBuf>,
    /// What all services are configured with beside it: `("SERVER__DEADLINE", "5s")`.
    pub settings: Vec<(&'static str, &'static str)>,
    /// Where traces and logs are sent; `None` for nowhere.
    pub collector: Option<String>,
    /// Whether each service offers its metrics, on a port of its own.
    pub metrics: bool,
    /// Below which directory the databases are; `None` for the place of all temporary files.
    pub databases_in: Option<PathBuf>,
    /// Below which directory the store of NATS is; `None` for the same.
    pub nats_in: Option<PathBuf>,
    /// The seed of a [`Network`], if there is one.
    pub network: Option<u64>,
}

impl Plan {
    /// On the process clock, on free ports, with nothing that outlives it.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            test_clock: None,
            first_port: None,
            keys: None,
            settings: Vec::new(),
            collector: None,
            metrics: false,
            databases_in: None,
            nats_in: None,
            network: None,
        }
    }
}

/// A running system. Everything ends, and its data goes, when this value is dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The nats-server, to stop and to kill.
    pub nats: NatsServer,
    /// The PostgreSQL server, if it is the engine.
    pub postgres: Option<PostgresServer>,
    /// By which it knows the services.
    pub nkeys: Nkeys,
    /// The wires, if the plan has any.
    pub network: Option<Network>,
    services: Vec<Service>,
    access: AccessConfig,
    directory: TempDir,
    /// Keeps the databases that are not in `directory`.
    _databases: TempDir,
}

#[derive(Debug)]
struct Service {
    name: &'static str,
    port: u16,
    database: String,
    settings: Vec<(String, String)>,
    metrics: Option<u16>,
    process: Option<Process>,
}

impl Cluster {
    /// Starts everything and waits until it is ready; `tell` hears what is being done.
    ///
    /// # Errors
    /// If something does not start, with the end of its log.
    pub async fn start(plan: Plan, mut tell: impl FnMut(&str)) -> Result<Self, Error> {
        let ports = ports(plan.first_port)?;
        let directory = tempfile::Builder::new().prefix("vouch-").tempdir()?;
        // The sender makes it with the first e-mail; whoever is told of it may look before.
        fs::create_dir(directory.path().join("mail"))?;
        tell("starting nats-server");
        // The server finds what it includes in its own directory only.
        let home = directory_in(plan.nats_in.as_deref())?;
        let nkeys = Nkeys::make(home.path())?;
        let nats = NatsServer::start_in(home, "include \"accounts.conf\"").await?;
        let databases = directory_in(plan.databases_in.as_deref())?;
        let postgres = match plan.engine {
            Engine::Sqlite => None,
            Engine::Postgres => {
                tell("starting PostgreSQL");
                Some(PostgresServer::start_in(directory_in(plan.databases_in.as_deref())?).await?)
            }
        };
        let network = match plan.network {
            Some(seed) => Some(Network::before(ports, &nats, postgres.as_ref(), seed).await?),
            None => None,
        };
        let keys = match &plan.keys {
            Some(keys) => std::path::absolute(keys)?,
            None => directory.path().join("keys"),
        };
        let access = access(&keys);
        let mut services = Vec::new();
        for (name, port) in SERVICES.into_iter().zip(ports) {
            let database = match &postgres {
                None => format!("sqlite:{}", databases.path().join(format!("{name}.db")).display()),
                Some(server) => server.create_database(name).await?,
            };
            let mut service = Service {
                name,
                port,
                database,
                settings: Vec::new(),
                metrics: if plan.metrics { Some(free_port()?) } else { None },
                process: None,
            };
            let around = Around {
                nats: &nats,
                postgres: postgres.as_ref(),
                network: network.as_ref(),
                ports,
            };
            service.configure(&plan, &around, &access, &nkeys, directory.path());
            services.push(service);
        }
        let mut cluster = Self {
            nats,
            postgres,
            nkeys,
            network,
            services,
            access,
            directory,
            _databases: databases,
        };
        cluster.start_services(tell).await?;
        Ok(cluster)
    }

    async fn start_services(&mut self, mut tell: impl FnMut(&str)) -> Result<(), Error> {
        for (index, name) in SERVICES.into_iter().enumerate() {
            tell(&format!("preparing {name}"));
            self.migrate(index).await?;
        }
        tell("starting the four services");
        for index in 0..SERVICES.len() {
            self.launch(index)?;
        }
        for index in 0..SERVICES.len() {
            self.ready(index).await?;
        }
        Ok(())
    }

    /// The people who use it.
    ///
    /// # Errors
    /// If an address is none.
    pub fn story(&self) -> Result<Story, Error> {
        let mailbox = Mailbox::new(vec![self.mail()]);
        Ok(Story::new(Clients::connect(&self.addresses(), &self.access)?, mailbox))
    }

    /// A connection to a service, as an operator.
    ///
    /// # Errors
    /// If its address is none.
    pub fn channel(&self, index: usize) -> Result<Signed, Error> {
        let channel = Endpoint::from_shared(self.addresses()[index].clone())?.connect_lazy();
        Ok(Signer::new(&self.access, Caller::Operator("test".to_owned())).on(channel))
    }

    /// The addresses of the services, in the order of [`SERVICES`].
    #[must_use]
    pub fn addresses(&self) -> [String; SERVICES.len()] {
        let port = |index: usize| match &self.network {
            Some(network) => network.services[index].port(),
            None => self.services[index].port,
        };
        std::array::from_fn(|index| format!("http://127.0.0.1:{}", port(index)))
    }

    /// What a service tells Prometheus, by its place in [`SERVICES`].
    ///
    /// # Errors
    /// If it offers no metrics.
    pub async fn metrics(&self, index: usize) -> Result<String, Error> {
        let service = &self.services[index];
        let port = service.metrics.ok_or("the plan has no metrics")?;
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
            _ => Err(format!("{} answered {answer}", service.name).into()),
        }
    }

    /// Where outgoing mail is written.
    #[must_use]
    pub fn mail(&self) -> PathBuf {
        self.directory.path().join("mail")
    }

    /// Where its data is, mail and logs too.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The URL of a service's database, by its place in [`SERVICES`].
    #[must_use]
    pub fn database(&self, index: usize) -> &str {
        &self.services[index].database
    }

    /// The process of a service, by its place in [`SERVICES`].
    ///
    /// # Errors
    /// If it was stopped or killed.
    pub fn process(&self, index: usize) -> Result<&Process, Error> {
        let service = &self.services[index];
        service
            .process
            .as_ref()
            .ok_or_else(|| format!("{} is not running", service.name).into())
    }

    /// Kills a service as a power switch would.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn kill(&mut self, index: usize) -> Result<(), Error> {
        if let Some(process) = self.services[index].process.take() {
            process.end_with(Signal::KILL, PATIENCE).await?;
        }
        Ok(())
    }

    /// Starts a service that was stopped or killed, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_again(&mut self, index: usize) -> Result<(), Error> {
        self.launch(index)?;
        self.ready(index).await
    }

    /// Asks a service to stop and waits until it has.
    ///
    /// # Errors
    /// If it does not stop in time, or says that it failed.
    pub async fn stop_service(&mut self, index: usize) -> Result<(), Error> {
        if let Some(process) = self.services[index].process.take() {
            let status = process.end_with(Signal::TERM, PATIENCE).await?;
            if !status.success() {
                return Err(process.failed(&status.to_string()).into());
            }
        }
        Ok(())
    }

    /// Stops everything in order.
    ///
    /// # Errors
    /// If something does not stop in time, or says that it failed.
    pub async fn stop(mut self) -> Result<(), Error> {
        for index in 0..SERVICES.len() {
            self.stop_service(index).await?;
        }
        self.nats.stop().await?;
        if let Some(server) = &mut self.postgres {
            server.stop().await?;
        }
        Ok(())
    }

    /// Whether every service runs that nobody has stopped or killed.
    ///
    /// # Errors
    /// If one has ended by itself: which, and its last words.
    pub fn all_running(&self) -> Result<(), Error> {
        let mut running = self.services.iter().filter_map(|service| service.process.as_ref());
        match running.find(|process| !process.is_running()) {
            Some(process) => Err(process.failed("ended by itself").into()),
            None => Ok(()),
        }
    }

    /// Waits until a service ends that nobody has asked to, and says which and why.
    pub async fn first_to_end(&self) -> Error {
        loop {
            if let Err(ended) = self.all_running() {
                return ended;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Runs a service's program with these arguments to its end, beside the one that serves; gives whether it said that
    /// all is well, and what it wrote to standard output.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn command(&self, index: usize, arguments: &[&str]) -> Result<(bool, String), Error> {
        let service = &self.services[index];
        let mut command = Command::new(program(&format!("vouch-{}", service.name))?);
        command
            .args(arguments)
            .envs(service.settings.iter().cloned())
            .current_dir(self.directory.path())
            .stderr(Stdio::inherit());
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        Ok((output.status.success(), String::from_utf8(output.stdout)?))
    }

    /// Makes what a service needs in its database and in NATS, as `migrate` does; what is there stays.
    ///
    /// # Errors
    /// If it cannot, with the end of the log.
    pub async fn migrate(&self, index: usize) -> Result<(), Error> {
        let process = self.spawn(index, "migrate")?;
        let status = process.ended(PATIENCE).await?;
        if status.success() {
            Ok(())
        } else {
            Err(process.failed(&status.to_string()).into())
        }
    }

    fn launch(&mut self, index: usize) -> Result<(), Error> {
        self.services[index].process = Some(self.spawn(index, "serve")?);
        Ok(())
    }

    fn spawn(&self, index: usize, command: &str) -> Result<Process, Error> {
        let service = &self.services[index];
        let name = format!("vouch-{}", service.name);
        let mut program = Command::new(program(&name)?);
        program
            .arg(command)
            .envs(service.settings.iter().cloned())
            .current_dir(self.directory.path());
        let log = self.directory.path().join(format!("{name}.log"));
        Ok(Process::spawn(&name, &program, &log)?)
    }

    /// Whether a service takes calls at this moment.
    ///
    /// # Errors
    /// If its address is none.
    pub async fn is_ready(&self, index: usize) -> Result<bool, Error> {
        let endpoint = Endpoint::from_shared(self.addresses()[index].clone())?;
        let request = HealthCheckRequest {
            service: "readiness".to_owned(),
        };
        let answer = HealthClient::new(endpoint.connect_lazy()).check(request).await;
        Ok(answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving))
    }

    async fn ready(&self, index: usize) -> Result<(), Error> {
        let process = self.process(index)?;
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready(index).await? {
            if !process.is_running() {
                return Err(process.failed("ended while it started").into());
            }
            if Instant::now() > deadline {
                return Err(process.failed("does not become ready").into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

/// Access as the services have it by default, with the keys in this directory.
#[must_use]
pub fn access(keys: &Path) -> AccessConfig {
    AccessConfig {
        keys: keys.display().to_string(),
        make_keys: true,
        audience: "vouch".to_owned(),
    }
}

/// The programmes lie beside this one, or one directory up where this is a test.
fn program(name: &str) -> Result<PathBuf, Error> {
    let here = env::current_exe()?;
    let found = here
        .ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file());
    found.ok_or_else(|| format!("{name} is not built: run `cargo build --workspace --bins`").into())
}

fn ports(first: Option<u16>) -> Result<[u16; SERVICES.len()], Error> {
    match first {
        Some(first) => {
            let last = first.checked_add(3).ok_or("the ports end at 65535")?;
            let ports = [first, first + 1, first + 2, last];
            // Else a service of another system would answer in place of ours.
            match ports
                .iter()
                .find(|port| TcpListener::bind(("127.0.0.1", **port)).is_err())
            {
                Some(port) => Err(format!("port {port} is in use: is another make run going?").into()),
                None => Ok(ports),
            }
        }
        None => Ok([free_port()?, free_port()?, free_port()?, free_port()?]),
    }
}

/// A directory of its own, below this one or among all temporary files.
fn directory_in(place: Option<&Path>) -> Result<TempDir, Error> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("vouch-");
    Ok(match place {
        Some(place) => builder.tempdir_in(place)?,
        None => builder.tempdir()?,
    })
}
